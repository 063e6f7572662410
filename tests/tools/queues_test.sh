#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Queues in the command line: sapbuf queue.

jobs() { printf '%s/jobs' "$stream"; }

# A segment without a stream, and a queue in it.
queue_of() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" queue create "$(jobs)" "$@"
}

push() { printf '%s\n' "$@" | "$sapbuf" queue push "$(jobs)" 2>"$directory/err" || die "not pushed: $*"; }
pop_all() { "$sapbuf" queue pop "$(jobs)" --idle-exit 0 "$@" 2>"$directory/err"; }
kinds_in_segment() { status '[.facilities[] | .kind + " " + .name] | join(",")'; }

test_a_queue_is_made_shown_and_removed() {
  queue_of --slots 7 --block-bytes 64 --blocks 16
  said "created $(jobs): 8 slots, blocks of 64 B in buffers of its own"
  expect "$failure" "$sapbuf" queue create "$(jobs)"
  expect "$done" "$sapbuf" queue create "$(jobs)" --slots 16 --block-bytes 64 --blocks 16 --if-absent
  said 'slots 8, not 16'
  expect "$no_segment" "$sapbuf" queue create "$stream.none/jobs"
  expect "$usage" "$sapbuf" queue create "$stream/other" --dead-letters failed
  push one two
  expect "$done" "$sapbuf" status "$stream"
  printed "^queue $(jobs): 2 blocks waiting, room for 8 of up to 64 B in pool jobs.blocks; 2 came, 0 left\$"
  expect "$done" "$sapbuf" status "$(jobs)"
  printed '^ *0  *2  *0  *0  *0$'
  printed 'nobody pushes or pops'
  printed '^1 participant left or died: 2 pushed'
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.facilities[] | select(.name == "jobs") | .kind == "queue" and .slots == 8 and .block_bytes == 64 and .came == 2 and
                 .left == 0 and .groups == [{queued: 2, returned: 0, held: 0, dead_letters: 0}] and .pool == "jobs.blocks" and
                 .departed.pushed == 2 and .participants == []'
  expect "$done" "$sapbuf" queue ls "$stream"
  printed '^jobs  *2  *0  *0  *8  *1  *64 B  jobs.blocks  *0  *0  *0$'
  expect "$done" "$sapbuf" queue ls "$stream" --json
  json_holds '.queues | length == 1 and .[0].came == 2 and .[0].consumers == 0'
  expect "$done" "$sapbuf" ls -l
  printed '^  jobs  *queue '
  expect "$done" "$sapbuf" dump "$stream" --layout
  printed '  jobs *ring of 8$'
  expect "$failure" "$sapbuf" pool rm "$stream/jobs.blocks"
  expect "$done" "$sapbuf" queue rm "$(jobs)" --force
  said "removed $(jobs), with 2 blocks"
  equal "$(kinds_in_segment)" '' 'what is left'
  expect "$no_segment" "$sapbuf" queue rm "$(jobs)"
}

test_what_a_queue_holds_is_not_removed() {
  queue_of --max-deliveries 1
  push one two three
  bury_all 1
  expect "$failure" "$sapbuf" queue rm "$(jobs)"
  said "$(jobs) holds 2 blocks, 1 dead letter; take them first, or use --force"
  expect "$failure" "$sapbuf" rm "$(jobs)"
  expect "$failure" "$sapbuf" rm "$stream"
  said "$(jobs) holds 2 blocks, 1 dead letter"
  expect "$done" "$sapbuf" map create "$stream/config"
  "$sapbuf" map put "$stream/config" key <<<value
  "$sapbuf" doctor >"$directory/out" 2>/dev/null || true
  printed "segment $stream .*; holds 2 blocks, 1 dead letter, 1 key; if it is a leftover"
  pop_all >/dev/null
  expect "$done" "$sapbuf" queue discard "$(jobs)"
  expect "$done" "$sapbuf" map rm "$stream/config"
  said "removed $stream/config, with 1 key"
  expect "$done" "$sapbuf" rm "$(jobs)"
}

test_rm_by_force_says_what_went_with_it() {
  local name
  for name in "$(jobs)" "$stream"; do
    queue_of --max-deliveries 1
    push one two three
    bury_all 1
    expect "$done" "$sapbuf" rm "$name" --force
    said "removed $name, with 2 blocks, 1 dead letter\$"
    "$sapbuf" rm "$stream" 2>/dev/null || true
  done
}

test_rm_takes_a_queues_pool_with_it() {
  queue_of
  expect "$done" "$sapbuf" rm "$(jobs)"
  equal "$(kinds_in_segment)" '' 'what is left'
}

test_push_says_that_there_is_no_room_and_what_went_in() {
  queue_of --slots 2 --blocks 8
  if printf '%s\n' a b c | "$sapbuf" queue push "$(jobs)" --timeout 10 2>"$directory/err"; then die 'a third block'; fi
  said "no room for 10.0 ms in $(jobs), or no free buffer"
  said 'pushed 2 blocks'
  # shellcheck disable=SC2016  # the inner shell's arguments
  start push bash -c 'exec "$0" queue push "$1" --name stuck <<<c' "$sapbuf" "$(jobs)"
  eventually status_holds '.facilities[] | select(.name == "jobs") | any(.participants[]; .name == "stuck" and .waits > 0)'
  signal TERM push
  ends push "$failure"
  grep --quiet 'stopped by a signal: 0 blocks pushed, the rest of the input was not' "$directory/push.err" ||
    die 'it does not say what it pushed'
  equal "$(pop_all | tr '\n' ' ')" 'a b ' 'what went in'
}

test_push_drops_what_a_queue_that_drops_has_no_room_for() {
  queue_of --slots 2 --on-full drop --block-bytes 64
  seq 1 5 >"$directory/in"
  timeout 20 "$sapbuf" queue push "$(jobs)" <"$directory/in" 2>"$directory/err" || die "exit status $?"
  said 'pushed 2 blocks, 3 dropped'
  status_holds '.facilities[] | select(.name == "jobs") | .departed.dropped == 3' || die 'the ledger does not say so'
  equal "$(pop_all | tr '\n' ' ')" '1 2 ' 'what went in'
}

test_lines_go_in_and_come_out_in_order() {
  queue_of --block-bytes 16
  seq 500 >"$directory/in"
  "$sapbuf" queue push "$(jobs)" <"$directory/in" 2>"$directory/err" || die 'not pushed'
  said 'pushed 500 blocks'
  pop_all --count 200 >"$directory/popped"
  pop_all >>"$directory/popped"
  cmp "$directory/in" "$directory/popped" || die 'not what was pushed'
  if "$sapbuf" queue push "$(jobs)" <<<'a line that is too long for it' 2>"$directory/err"; then die 'no failure'; fi
  said '1 line of more than 16 B left out'
}

test_a_pool_of_others_has_its_own_size() {
  expect "$done" "$sapbuf" create "$stream" --no-stream --pool frames:2KiB:64
  expect "$usage" "$sapbuf" queue create "$(jobs)" --pool frames --block-bytes 1MiB
  expect "$usage" "$sapbuf" queue create "$(jobs)" --pool frames --blocks 8
  expect "$usage" "$sapbuf" map create "$stream/config" --pool frames --value-bytes 1MiB
  expect "$usage" "$sapbuf" map create "$stream/config" --pool frames --values 8
}

test_blocks_of_any_bytes_go_in_and_come_out() {
  queue_of
  printf 'a\nb\0c\0' | "$sapbuf" queue push "$(jobs)" --null --type 7 2>"$directory/err" || die 'not pushed'
  said 'pushed 2 blocks'
  pop_all --length-prefix >"$directory/prefixed"
  "$sapbuf" queue push "$(jobs)" --length-prefix <"$directory/prefixed" 2>"$directory/err" || die 'not pushed'
  expect "$done" "$sapbuf" queue peek "$(jobs)" --json
  equal "$(json '"\(.type) \(.content)"' | tr '\n' ',')" '7 a,b,7 c,' 'what is there'
  pop_all --null | cmp - <(printf 'a\nb\0c\0') || die 'not what was pushed'
  if printf '\3\0\0\0\0\0ab' | "$sapbuf" queue push "$(jobs)" --length-prefix 2>"$directory/err"; then die 'half a block'; fi
  said 'the input ends within a block'
  expect "$usage" "$sapbuf" queue push "$(jobs)" --length-prefix --type 7
  expect "$usage" "$sapbuf" queue pop "$(jobs)" --null --exec true
}

test_pop_tells_what_a_block_is_in_json() {
  queue_of --keys 16
  printf 'one\n\xff' | "$sapbuf" queue push "$(jobs)" --type 3 --key 7 2>/dev/null || die 'not pushed'
  pop_all --json >"$directory/out"
  equal "$(json '"\(.deliveries) \(.type) \(.key) \(.bytes) \(.content) \(.content_hex)"' | tr '\n' ',')" \
    '1 3 7 3 one null,1 3 7 1 null ff,' 'what came'
}

test_peek_takes_nothing() {
  queue_of
  push one two
  expect "$done" "$sapbuf" queue peek "$(jobs)"
  printed ' queued .* one$'
  expect "$done" "$sapbuf" queue peek "$(jobs)" --json --count 1
  json_holds '.content == "one" and .state == "queued" and .deliveries == 0 and .bytes == 3 and .had_it == []'
  equal "$(pop_all | tr '\n' ' ')" 'one two ' 'what was there'
  expect "$done" "$sapbuf" queue peek "$(jobs)"
  said "no blocks in $(jobs)"
}

test_json_has_every_byte_of_what_it_shows() {
  queue_of --block-bytes 8KiB
  push "$(printf '%4095s')ü"
  push $'\xff\x01'
  expect "$done" "$sapbuf" queue peek "$(jobs)" --json
  equal "$(json '(.content | length), .content_hex' | tr '\n' ' ')" '4095 null 0 ff01 ' 'contents'
}

test_a_command_is_run_for_each_block() {
  queue_of
  push "it's" 'a b' "\$(false)" '{}'
  "$sapbuf" queue pop "$(jobs)" --idle-exit 0 --jobs 3 --exec "printf '%s\n' {} >>'$directory/seen'" 2>"$directory/err" ||
    die 'a command failed'
  said '4 blocks done, 0 put back'
  equal "$(sort "$directory/seen" | tr '\n' ' ')" "\$(false) a b it's {} " 'what the commands saw'
}

test_what_pop_cannot_write_is_put_back_without_counting() {
  queue_of --max-deliveries 1
  push one two
  if pop_all >/dev/full; then die 'it was written'; fi
  said 'cannot write to standard output'
  { "$sapbuf" queue pop "$(jobs)" --count 2 2>"$directory/err" || true; } | true
  equal "$(pop_all | tr '\n' ' ')" 'one two ' 'what is left'
}

test_commands_read_nothing_of_what_pop_was_given_to_read() {
  queue_of
  push one
  echo eaten | "$sapbuf" queue pop "$(jobs)" --idle-exit 0 --exec "cat >'$directory/seen'" 2>"$directory/err" || die 'failed'
  equal "$(cat "$directory/seen")" '' 'what the command read'
}

test_a_command_that_cannot_be_run_costs_no_block_a_delivery() {
  queue_of --max-deliveries 1
  push one two three
  expect "$failure" timeout 20 "$sapbuf" queue pop "$(jobs)" --exec "'$directory/none' {}"
  said "cannot run ''$directory/none' {}' (exit status 127: not found)"
  said '0 blocks done, 1 put back'
  : >"$directory/plain"
  expect "$failure" timeout 20 "$sapbuf" queue pop "$(jobs)" --jobs 2 --exec "'$directory/plain' {}"
  said '(exit status 126: not executable)'
  equal "$(status '.facilities[] | select(.name == "jobs").groups[0].dead_letters')" 0 'dead letters'
  equal "$(pop_all | sort | tr '\n' ' ')" 'one three two ' 'what is left'
}

# in_its_group NAME COMMAND...: `signal_group` signals all that is in it, as a terminal does
in_its_group() { start "$1" setsid "${@:2}"; }
# Also where nobody has waited for it.
is_over() { ! grep --quiet '^State:[[:space:]]*[^XZ]' "/proc/$1/status" 2>/dev/null; }
signal_group() { kill "-$1" -- "-${process[$2]}"; }

test_a_signal_of_the_terminal_waits_for_the_commands_that_run() {
  queue_of --max-deliveries 1
  push one two
  in_its_group worker "$sapbuf" queue pop "$(jobs)" \
    --exec "touch '$directory/begun'; until [ -e '$directory/go' ]; do sleep 0.02; done"
  eventually test -e "$directory/begun"
  signal_group INT worker
  eventually says worker 'waiting for 1 command, and taking no more; another signal ends it'
  touch "$directory/go"
  ends worker "$done"
  says worker '1 block done, 0 put back, 0 given up' || die 'the command was not waited for'
  equal "$(pop_all)" two 'what is left'
}

test_a_second_signal_ends_the_commands_and_counts_no_delivery() {
  queue_of --max-deliveries 1
  push one two
  in_its_group worker "$sapbuf" queue pop "$(jobs)" --jobs 2 --exec "sleep 1000 & echo \$! >'$directory/'{}; wait"
  eventually test -s "$directory/one"
  eventually test -s "$directory/two"
  signal TERM worker
  eventually says worker 'waiting for 2 commands'
  signal INT worker
  ends worker "$failure"
  says worker '0 blocks done, 2 put back, 0 given up' || die 'not put back'
  local name
  for name in one two; do eventually is_over "$(cat "$directory/$name")"; done
  equal "$(pop_all | sort | tr '\n' ' ')" 'one two ' 'what is left'
}

test_an_empty_command_is_none() {
  queue_of
  push one
  local command
  for command in '' ' ' $' \t\n'; do expect "$usage" "$sapbuf" queue pop "$(jobs)" --idle-exit 0 --exec "$command"; done
  said '--exec: it is empty'
  equal "$(pop_all)" one 'what is left'
}

test_a_block_whose_command_fails_is_a_dead_letter_in_the_end() {
  queue_of --max-deliveries 2 --dead-letters failed
  push good bad
  expect "$failure" "$sapbuf" queue pop "$(jobs)" --name clumsy --count 3 --retry-after 1 --exec '[ {} = good ]'
  said "'bad' failed (exit status 1, delivery 1): put back"
  said "'bad' failed (exit status 1, delivery 2): given up, it is a dead letter now ('sapbuf queue dead $(jobs)')"
  said '1 block done, 1 put back, 1 given up'
  expect "$done" "$sapbuf" queue dead "$(jobs)"
  printed ' clumsy ([0-9]*), clumsy ([0-9]*)  *bad$'
  expect "$done" "$sapbuf" queue dead "$(jobs)" --json
  json_holds '.content == "bad" and (.had_it | length == 2) and (.had_it | all(.name == "clumsy" and (.died | not)))'
  equal "$("$sapbuf" queue pop "$stream/failed" --idle-exit 0 2>/dev/null)" bad 'the letter'
  equal "$(pop_all)" '' 'what is left'
}

# A word of a command line has 32 pages at the most, with the zero behind it; "# ''" has 4 bytes.
test_a_block_that_is_too_long_for_a_command_is_told_and_put_back() {
  queue_of --block-bytes 1MiB --slots 2 --blocks 4
  local most=$((32 * $(getconf PAGESIZE) - 1))
  head -c $((most - 4)) /dev/zero | tr '\0' x | "$sapbuf" queue push "$(jobs)" 2>/dev/null
  expect "$done" "$sapbuf" queue pop "$(jobs)" --count 1 --exec '# {}'
  head -c $((most - 3)) /dev/zero | tr '\0' x | "$sapbuf" queue push "$(jobs)" 2>/dev/null
  expect "$failure" "$sapbuf" queue pop "$(jobs)" --count 1 --exec '# {}'
  said 'a block makes a command of .* bytes, and the system takes .* at most: put back'
  said '0 blocks done, 1 put back'
}

test_what_a_killed_worker_had_goes_to_another_one() {
  queue_of
  push 1 2 3
  start victim "$sapbuf" queue pop "$(jobs)" --name victim --jobs 2 --exec 'exec sleep 1000 # {}'
  eventually status_holds '[.facilities[] | select(.kind == "queue") | .groups[0].held == 2] | all'
  kill_hard victim
  equal "$(timeout 20 "$sapbuf" queue pop "$(jobs)" --count 3 2>/dev/null | tr '\n' ' ')" '1 2 3 ' 'what the next one gets'
  status_holds '[.facilities[] | select(.kind == "queue") | .recoveries == 1 and .departed.redelivered == 2] | all' ||
    die 'not counted'
}

# Its command may take hours: it is at work, and no watchdog is to take it for hung.
test_who_looks_after_a_long_command_gives_signs_of_life() {
  queue_of
  push 1
  start patient "$sapbuf" queue pop "$(jobs)" --name patient --exec "touch '$directory/begun'; exec sleep 1000 # {}"
  eventually test -e "$directory/begun"
  for age in '> 300' '< 300'; do
    eventually status_holds ".facilities[].participants[] | select(.name == \"patient\") | .heartbeat_age_ms $age"
  done
  signal TERM patient
  pkill -KILL --parent "${process[patient]}" sleep
  ends patient "$failure"
}

test_lines_of_one_key_wait_for_each_other() {
  queue_of --keys 1024
  printf '%s\n' 'a 1' 'a 2' 'b 1' '' 'b 2' | "$sapbuf" queue push "$(jobs)" --key-field 1 2>"$directory/err" || die 'not pushed'
  start busy "$sapbuf" queue pop "$(jobs)" --name busy --count 1 --exec 'exec sleep 1000 # {}'
  eventually status_holds '[.facilities[] | select(.kind == "queue") | .groups[0].held == 1] | all'
  equal "$(pop_all | tr '\n' ',')" 'b 1,,b 2,' 'what does not wait for the key'
  expect "$done" "$sapbuf" queue peek "$(jobs)" --json
  json_holds '.key != null and (.content == "a 1" and .state == "held" or .content == "a 2" and .state == "queued")'
  kill_hard busy
  equal "$(timeout 20 "$sapbuf" queue pop "$(jobs)" --count 2 2>/dev/null | tr '\n' ',')" 'a 1,a 2,' 'what the next one gets'
}

test_a_queue_that_is_truncated_meanwhile_ends_a_consumer() {
  queue_of
  start consumer "$sapbuf" queue pop "$(jobs)" --name consumer
  eventually status_holds '[.facilities[].participants[]? | .name == "consumer"] | any'
  truncate --size 0 "/dev/shm/sapbuf.$stream"
  ends consumer "$no_segment"
}

participates() { status_holds "[.facilities[].participants[]? | .name == \"$1\"] | any"; }
says() { grep --quiet "$2" "$directory/$1.err"; }

# replaced_under NAME...: the queue is another one when they look
replaced_under() {
  local name
  for name in "$@"; do eventually participates "$name"; done
  for name in "$@"; do signal STOP "$name"; done
  expect "$done" "$sapbuf" rm "$stream" --force
  queue_of
  for name in "$@"; do signal CONT "$name"; done
}

# ends_as_left_alone NAME WHAT
ends_as_left_alone() {
  ends "$1" "$no_segment"
  says "$1" "$(jobs) was removed, and made anew" || die 'not told why'
  says "$1" "$(jobs) was removed, and nobody is left in it to $2" || die 'not told the end'
}

test_pop_ends_when_nobody_is_left_in_a_removed_queue() {
  queue_of --groups 2
  start printer "$sapbuf" queue pop "$(jobs)" --name printer
  start runner "$sapbuf" queue pop "$(jobs)" --name runner --group 1 --exec true
  replaced_under printer runner
  ends_as_left_alone printer 'push more'
  ends_as_left_alone runner 'push more'
}

test_push_ends_when_nobody_is_left_in_a_removed_queue() {
  queue_of --slots 2 --blocks 8
  seq 3 >"$directory/in"
  # shellcheck disable=SC2016  # the inner shell's arguments
  start feed bash -c 'exec "$0" queue push "$1" --name feed <"$2"' "$sapbuf" "$(jobs)" "$directory/in"
  eventually status_holds '.facilities[] | select(.name == "jobs") | any(.participants[]; .waits > 0)'
  replaced_under feed
  ends_as_left_alone feed 'take what comes'
  says feed 'pushed 2 blocks' || die 'it does not say what it pushed'
}

# A command that fails once: its block, too, is done with before the end.
test_a_removed_queue_is_worked_on_to_its_end() {
  queue_of
  mkfifo "$directory/input"
  # shellcheck disable=SC2016
  start feed bash -c 'exec "$0" queue push "$1" --name feed <"$2"' "$sapbuf" "$(jobs)" "$directory/input"
  start worker "$sapbuf" queue pop "$(jobs)" --name worker --retry-after 2000 \
    --exec "mkdir '$directory/tried.'{} && exit 1; echo {} >>'$directory/seen'"
  exec {input}>"$directory/input"  # behind the worker, which would keep it open
  eventually participates feed
  eventually participates worker
  expect "$done" "$sapbuf" rm "$stream" --force
  eventually says worker "$(jobs) was removed"
  echo one >&"$input"
  eventually says worker "'one' failed"
  equal "$(has_ended worker || echo runs)" runs worker
  exec {input}>&-
  ends feed "$done"
  ends worker "$no_segment"
  equal "$(cat "$directory/seen")" one 'what was done'
}

test_a_key_needs_a_queue_that_knows_keys() {
  queue_of
  if "$sapbuf" queue push "$(jobs)" --key 7 <<<one 2>"$directory/err"; then die 'a key without a meaning'; fi
  said "keys mean nothing to $(jobs)"
  expect "$usage" "$sapbuf" queue push "$(jobs)" --key 7 --key-field 1
  expect "$usage" "$sapbuf" queue create "$stream/more" --keys 65537
}

# Makes dead letters of all that is there.
bury_all() {
  if "$sapbuf" queue pop "$(jobs)" --name clumsy --count "$1" --retry-after 0 --exec false 2>/dev/null; then die 'no failure'; fi
}

test_dead_letters_that_stay_are_retried_or_discarded() {
  queue_of --max-deliveries 1
  push 1 2 3
  bury_all 3
  expect "$done" "$sapbuf" queue retry "$(jobs)" --count 2
  said "2 dead letters handed out again by $(jobs)"
  equal "$(pop_all | tr '\n' ' ')" '1 2 ' 'what was handed out again'
  expect "$done" "$sapbuf" queue discard "$(jobs)"
  said "1 dead letter of $(jobs) discarded"
  expect "$done" "$sapbuf" queue dead "$(jobs)"
  said "no dead letters in $(jobs)"
  status_holds '[.facilities[] | select(.kind == "queue") | .came == 3 and .left == 3] | all' || die 'not counted'
  expect "$no_segment" "$sapbuf" queue retry "$stream/none"
}

test_dead_letters_elsewhere_are_retried_or_discarded() {
  queue_of --max-deliveries 1 --dead-letters failed
  push 1 2 3
  bury_all 3
  expect "$done" "$sapbuf" queue retry "$(jobs)" --count 1
  equal "$(pop_all)" 1 'what was handed out again'
  expect "$done" "$sapbuf" queue discard "$(jobs)" --count 1
  equal "$("$sapbuf" queue pop "$stream/failed" --idle-exit 0 2>/dev/null)" 3 'what is left'
}

# The pool of its own counts in, another one does not.
test_how_large_a_queue_is_says_whose_pool_counts() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:2KiB:1024
  expect "$done" "$sapbuf" queue create "$stream/own" --slots 64 --block-bytes 1024
  local -r bytes=$(status '[.facilities[] | select(.name == "own" or .name == "own.blocks").bytes] | add')
  said "of its own, $(numfmt --to=iec-i --format=%.0f --round=nearest "$bytes" | sed 's/\(.i\)$/ \1B/') in all$"
  expect "$done" "$sapbuf" queue create "$stream/shared" --pool frames
  said 'of pool frames, .* in all, without its pool$'
}

run_cases
