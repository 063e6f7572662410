#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Several streams in one segment: NAME is its stream `main`, NAME/STREAM another one, in every command.

orders() { printf '%s/orders' "$stream"; }

# A segment with its stream `main`, and another one.
two_streams() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  expect "$done" "$sapbuf" create "$(orders)" --slab-bytes 64KiB "$@"
}

# A reader that holds the oldest slab of that other stream, which its writers have left.
start_holder_of_orders() {
  seq 5000 | "$sapbuf" pub "$(orders)" 2>/dev/null
  start_attached_to "$(orders)" holder "$sapbuf" sub "$(orders)" --name holder --hold
  eventually status_of_holds "$(orders)" 'any(.slabs[].held_by[]; . == "holder")'
}

names_in_segment() { status '[.facilities[].name] | join(",")'; }

# ---- create

test_create_makes_a_stream_in_a_segment() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" create "$(orders)" --slabs 3 --slab-bytes 128KiB --order total --on-full drop
  said "created $stream/orders: 3 slabs of 128 KiB, total order"
  expect "$done" "$sapbuf" status "$(orders)" --json
  json_holds '.stream == "orders" and .order == "total" and .on_full == "drop"'
  json_holds '[.slabs[].capacity_bytes] == [131072, 131072, 131072]'
  equal "$(status '[.stream, .order, (.slabs | length)] | @csv')" '"main","per-writer",2' 'the stream main'
}

test_create_wants_a_segment_to_make_a_stream_in() {
  expect "$no_segment" "$sapbuf" create "$(orders)"
  said "sapbuf create --no-stream $stream"
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die 'it made one'
}

test_create_refuses_for_a_stream_what_concerns_the_segment() {
  local option
  expect "$done" "$sapbuf" create "$stream"
  for option in '--participants 3' '--mode 0660' '--fences full' '--no-stream'; do
    # shellcheck disable=SC2086
    expect "$usage" "$sapbuf" create "$(orders)" $option
    said "${option%% *} is for a segment"
  done
  equal "$(names_in_segment)" main 'what is in it'
}

test_create_refuses_names_that_no_stream_can_have() {
  local name
  expect "$done" "$sapbuf" create "$stream"
  for name in "$stream/" "$stream/a/b" "$stream//" "/orders" "$stream/with space" "$stream/$(printf 'x%.0s' {1..64})"; do
    expect "$usage" "$sapbuf" create "$name"
  done
  equal "$(names_in_segment)" main 'what is in it'
}

test_create_can_leave_the_first_stream_out() {
  expect "$done" "$sapbuf" create "$stream" --no-stream --participants 7
  said 'without a stream'
  equal "$(names_in_segment)" '' 'what is in it'
  local command
  for command in pub sub dump; do
    expect "$no_segment" "$sapbuf" "$command" "$stream"
    said "has no stream 'main'"
  done
  expect "$done" "$sapbuf" create "$stream/main" --slabs 3
  equal "$(status '.slabs | length')" 3 'slabs'
  expect "$usage" "$sapbuf" create "$stream.2" --no-stream --slabs 3
  said '--slabs is for a stream, and --no-stream makes none'
}

test_create_fails_if_there_is_such_a_stream() {
  two_streams
  expect "$failure" "$sapbuf" create "$(orders)"
  said "sapbuf rm $stream/orders removes it"
}

test_if_absent_leaves_a_stream_as_it_is_and_says_what_differs() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" create "$stream" --no-stream --if-absent
  said 'stays as it is$'
  expect "$done" "$sapbuf" create "$stream" --if-absent
  said 'main stream none, not one'
  expect "$done" "$sapbuf" create "$(orders)" --slabs 3 --if-absent
  said 'created'
  expect "$done" "$sapbuf" create "$(orders)" --slabs 3 --if-absent
  said 'stays as it is$'
  expect "$done" "$sapbuf" create "$(orders)" --slabs 4 --if-absent
  said 'slabs 3, not 4'
  equal "$(status_of "$(orders)" '.slabs | length')" 3 slabs
}

# ---- pub, sub, dump

test_messages_stay_in_their_stream() {
  two_streams
  printf 'for main\n' | "$sapbuf" pub "$stream" 2>/dev/null
  printf 'for orders\n' | "$sapbuf" pub "$(orders)" 2>/dev/null
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  equal "$(cat "$directory/out")" 'for main' 'messages of main'
  expect "$done" "$sapbuf" sub "$(orders)" --idle-exit 0
  equal "$(cat "$directory/out")" 'for orders' 'messages of orders'
  expect "$done" "$sapbuf" dump "$(orders)"
  printed 'for orders'
  ! grep --quiet 'for main' "$directory/out" || die 'frames of another stream'
}

test_pub_is_not_deceived_by_the_readers_of_another_stream() {
  two_streams
  start_attached reader "$sapbuf" sub "$stream" --name reader
  echo line >"$directory/in"
  expect "$done" "$sapbuf" pub "$(orders)" "$directory/in"
  said "nobody reads $stream/orders"
  said 'nobody has read the 1 message'
}

test_pub_says_who_keeps_the_stream_full() {
  two_streams
  start_holder_of_orders
  seq 100000 >"$directory/in"
  start feed "$sapbuf" pub "$(orders)" "$directory/in"
  told() { grep --quiet "waiting for room in $stream/orders: .*by holder" "$directory/feed.err"; }
  eventually told
  expect "$failure" "$sapbuf" pub "$(orders)" --timeout 20 "$directory/in"
  said "sapbuf status $stream/orders"
}

test_sub_ends_when_the_segment_is_gone_whoever_writes_to_its_other_streams() {
  two_streams
  mkfifo "$directory/input"
  start_attached other "$sapbuf" pub "$stream" --name other "$directory/input"
  exec {input}>"$directory/input"
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  expect "$done" "$sapbuf" rm "$stream" --force
  ends reader "$no_segment"
  exec {input}>&-
}

test_sub_follows_to_the_next_stream_of_that_name() {
  two_streams
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader --follow --count 1
  expect "$done" "$sapbuf" rm "$stream" --force
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" create "$(orders)"
  eventually status_of_holds "$(orders)" '.participants | length == 1'
  echo line | "$sapbuf" pub "$(orders)" 2>/dev/null
  ends reader "$done"
  equal "$(cat "$directory/reader.out")" line 'what came'
}

test_what_is_not_there() {
  local command
  expect "$done" "$sapbuf" create "$stream"
  for command in pub sub dump status rm; do
    expect "$no_segment" "$sapbuf" "$command" "$(orders)"
    said "'$stream' has no stream 'orders'"
    expect "$usage" "$sapbuf" "$command" "$stream/a/b"
    said 'more than one slash'
    expect "$usage" "$sapbuf" "$command" "$stream/"
    said 'nothing stands behind the slash'
  done
  expect "$usage" "$watchdog" --once "$(orders)"
  said "name $stream\$"
}

# ---- rm

test_rm_removes_a_stream_and_leaves_the_others() {
  two_streams
  expect "$done" "$sapbuf" rm "$(orders)"
  said "removed $stream/orders"
  equal "$(names_in_segment)" main 'what is in it'
  expect "$no_segment" "$sapbuf" rm "$(orders)"
  expect "$no_segment" "$sapbuf" rm "$(orders)" --force
  expect "$done" "$sapbuf" rm "$stream/main"
  equal "$(names_in_segment)" '' 'what is in it'
  expect "$done" "$sapbuf" rm "$stream"
}

test_rm_takes_no_stream_from_those_who_use_it() {
  two_streams
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  expect "$failure" "$sapbuf" rm "$(orders)"
  said "$stream/orders is in use by reader reader (pid ${process[reader]}"
  expect "$failure" "$sapbuf" rm "$(orders)" --force
  said "'reader'.*--force does not take a stream from those who use it"
  expect "$failure" "$sapbuf" rm "$stream"
  said "reader reader (pid ${process[reader]}, in orders)"
  equal "$(names_in_segment)" main,orders 'what is in it'
  expect "$done" "$sapbuf" rm "$stream/main"  # which nobody uses
  kill_hard reader
  expect "$done" "$sapbuf" rm "$(orders)"
}

# ---- ls, status

test_ls_shows_what_is_in_a_segment() {
  two_streams --slabs 3 --order total --on-full overwrite
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  expect "$done" "$sapbuf" ls
  ! grep --quiet orders "$directory/out" || die 'it was not asked what is in it'
  expect "$done" "$sapbuf" ls --long
  cp "$directory/out" "$directory/long"
  expect "$done" "$sapbuf" ls -l
  printed '^NAME  *KIND  *SIZE  *ORDER'
  printed "^$stream  *segment "
  grep --after-context=2 "^$stream " "$directory/out" >"$directory/lines"
  grep --quiet '^  main  *stream .* per-writer  *block  *2 x 64 KiB  *1  *0  *0  *0  *0$' "$directory/lines" || die 'no line for main'
  grep --quiet '^  orders  *stream .* total  *overwrite  *3 x 64 KiB  *1  *0  *1  *0  *0$' "$directory/lines" ||
    die 'no line for orders'
  grep --quiet '^  orders ' "$directory/long" || die '--long means something else'
}

test_ls_tells_programs_what_is_in_a_segment() {
  two_streams --slabs 3
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  expect "$done" "$sapbuf" ls --json
  json ".segments[] | select(.name == \"$stream\")" >"$directory/segment"
  mv "$directory/segment" "$directory/out"
  json_holds '.slabs == 2 and .readers == 1'
  json_holds '[.facilities[] | [.kind, .name, .slabs, .readers]] == [["stream", "main", 2, 0], ["stream", "orders", 3, 1]]'
  json_holds 'all(.facilities[]; .bytes > 0 and .offset > 0 and .most_bytes >= .bytes)'
}

test_ls_shows_a_segment_without_a_stream() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" ls
  printed "^$stream .* -  *-  *-  *-  *0  *0  *0  *0$"
  expect "$done" "$sapbuf" ls --json
  json_holds ".segments[] | select(.name == \"$stream\") | .order == null and .slabs == null and .facilities == []"
}

test_status_shows_main_and_a_line_for_each_other_stream() {
  two_streams --order total --on-full drop
  seq 10 | "$sapbuf" pub "$(orders)" --name feed 2>/dev/null
  expect "$done" "$sapbuf" status "$stream"
  printed "^$stream: per-writer order"
  printed '^ALSO IN THIS SEGMENT'
  printed "^stream $stream/orders: total order, on full: drop; 2 slabs of 64 KiB, generation 1; 0 writers, 0 readers$"
  expect "$done" "$sapbuf" status "$(orders)"
  printed "^$stream/orders: total order, on full: drop"
  ! grep --quiet 'per-writer' "$directory/out" || die 'something of another stream'
  expect "$done" "$sapbuf" rm "$stream/main"
  expect "$done" "$sapbuf" status "$stream"
  printed "^$stream: no stream 'main'"
  printed '^IN THIS SEGMENT'
}

test_status_json_has_all_facilities() {
  two_streams --slabs 3 --order total
  seq 10 | "$sapbuf" pub "$(orders)" 2>/dev/null
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  start_attached other "$sapbuf" sub "$stream" --name other
  kill_hard other
  expect "$done" "$watchdog" --once "$stream"
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.schema_version == 2 and .stream == "main" and .participants == [] and .departed.participants == 1'
  json_holds '[.facilities[].name] == ["main", "orders"] and all(.facilities[]; .kind == "stream")'
  json_holds 'all(.facilities[]; ["kind", "name", "offset", "bytes", "most_bytes", "created_ns", "recoveries",
              "released", "journal", "order", "on_full", "retain", "awaits_first_reader", "generation", "slabs",
              "participants", "departed", "reclaimed_slabs"] - keys == [])'
  # shellcheck disable=SC2016
  json_holds '. as $top | .facilities[0] | .slabs == $top.slabs and .departed == $top.departed
              and .journal == $top.journal and .recoveries == 1 and .journal[0].name == "other"'
  json_holds '.facilities[1] | .order == "total" and (.slabs | length) == 3 and .departed.committed == 10
              and [.participants[].name] == ["reader"] and .journal == []'
  expect "$done" "$sapbuf" status "$(orders)" --json
  json_holds '.stream == "orders" and .order == "total" and [.participants[].name] == ["reader"]'
}

test_status_json_of_a_segment_without_main_says_nothing_of_it() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" create "$(orders)"
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '["abi", "bytes", "departed", "generation", "journal", "name", "on_full", "order", "participants",
               "reclaimed_slabs", "retain", "awaits_first_reader", "schema_version", "slabs"] - keys == []'
  json_holds '.stream == null and .order == null and .slabs == [] and .participants == [] and .journal == []'
}

# ---- doctor, watchdog

test_doctor_looks_at_every_stream() {
  two_streams --on-full overwrite --slabs 2
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
  json_holds ".checks[] | select(.check == \"stream $stream/orders\") | .finding | test(\"overwrites, with 2 slabs\")"
}

test_the_watchdog_names_the_stream() {
  two_streams
  start_holder_of_orders
  kill_hard holder
  expect "$done" "$watchdog" --once --json "$stream"
  said "$stream/orders: reader holder .*died"
  json_holds '.segments[0].dead[0] | .facility == "orders" and .name == "holder"'
  equal "$(status_of "$(orders)" '.journal[0].name')" holder 'who died'
  equal "$(status '.journal | length')" 0 'entries in the journal of main'
  start_attached reader "$sapbuf" sub "$stream" --name reader
  kill_hard reader
  expect "$done" "$watchdog" --once "$stream"
  said "^[^/]*$stream: reader reader .*died"
}

test_the_watchdog_finds_the_hung_of_all_streams() {
  two_streams
  start_holder_of_orders
  signal STOP holder
  hangs() { "$sapbuf" status "$(orders)" --json --hung-after 1 | jq --exit-status '.participants[0].state == "hung"'; }
  eventually hangs >/dev/null
  expect "$problems" "$watchdog" --once --json --hung-after 1 "$stream"
  said "$stream/orders: reader holder .*hangs"
  json_holds '.segments[0].hung[0] | .facility == "orders" and .name == "holder"'
  expect "$done" "$watchdog" --once --hung-after 1 --on-hung kill "$stream"
  ends holder 137
}

# What others took back while it was not looking: in a stream that was there before, and in one that was made since.
test_the_watchdog_reads_the_journals_of_all_streams() {
  log_has() { grep --quiet --no-messages -- "$1" "$directory/watchdog.err"; }
  # dies_in STREAM NAME: and is settled
  dies_in() {
    start_attached_to "$1" "$2" "$sapbuf" sub "$1" --name "$2"
    kill_hard "$2"
    expect "$done" "$watchdog" --once "$stream"
  }
  two_streams
  dies_in "$(orders)" history
  start watchdog "$watchdog" "$stream" --interval 1000
  eventually log_has "$stream: watching"
  sleep 0.3  # until it has looked once, and sleeps: what stands there by then is history
  signal STOP watchdog
  dies_in "$(orders)" early
  expect "$done" "$sapbuf" create "$stream/late" --slab-bytes 64KiB
  dies_in "$stream/late" later
  signal CONT watchdog
  eventually log_has "$stream/orders: reader early .*died: another process took back"
  eventually log_has "$stream/late: reader later .*died: another process took back"
  ! log_has 'reader history' || die 'it tells what was long over'
  signal TERM watchdog
  ends watchdog "$done"
}

# Slots and numbers of one stream's journal are no other one's.
test_the_daemon_tells_of_each_death_once() {
  log_count() { grep --count --no-messages -- "$1" "$directory/watchdog.err" || true; }
  local name
  two_streams
  start watchdog "$watchdog" "$stream" --interval 10 --json
  for name in main orders; do
    start_attached_to "$stream/$name" "in-$name" "$sapbuf" sub "$stream/$name" --name "in-$name"
    kill_hard "in-$name"
    eventually status_of_holds "$stream/$name" '.journal | length == 1 and .[0].finished_ns != 0'
  done
  sleep 0.3  # some more looks
  equal "$(log_count died)" 2 'lines about the dead'
  equal "$(log_count "$stream: reader in-main")" 1 'lines about the one in main'
  equal "$(log_count "$stream/orders: reader in-orders")" 1 'lines about the one in orders'
  cp "$directory/watchdog.out" "$directory/out"
  equal "$(json '.segments[].dead[].facility' | tr '\n' ' ')" 'main orders ' 'as JSON'
  signal TERM watchdog
  ends watchdog "$done"
}

# ---- where everything is

test_dump_shows_where_everything_is() {
  two_streams
  expect "$done" "$sapbuf" create "$stream/log" --order total --slab-bytes 16K
  expect "$done" "$sapbuf" dump "$stream" --layout
  printed '^ *0 *4096  - *header$'
  printed '^ *4096 *12288  - *directory$'
  printed '  main *extent tables$'
  printed '  orders *slab 1$'
  printed '  log *journal and counts of recoveries$'
  expect "$done" "$sapbuf" dump "$stream" --layout --json
  # One behind the other, up to the end of the file.
  equal "$(jq --slurp 'reduce .[] as $part (0; if . == $part.offset then . + $part.bytes else -1 end)' "$directory/out")" \
    "$(stat --format %s "/dev/shm/sapbuf.$stream")" 'end of the last part'
  expect "$done" "$sapbuf" dump "$stream/log" --layout
  equal "$(grep --count orders "$directory/out" || true)" 0 'lines about another stream'
  printed '  log *slab 0$'
  expect "$no_segment" "$sapbuf" dump "$stream/none" --layout
  said "no stream 'none'"
}

# ---- what another version made

# The second entry of the directory, as the next version might have made it.
make_kind_of_orders_unknown() {
  printf '\x63' | dd of="/dev/shm/sapbuf.$stream" bs=1 seek=$((4096 + 192 + 8)) conv=notrunc status=none
}

test_what_this_version_does_not_know_is_shown_and_left_alone() {
  two_streams
  start_attached_to "$(orders)" reader "$sapbuf" sub "$(orders)" --name reader
  kill_hard reader
  make_kind_of_orders_unknown
  expect "$done" "$sapbuf" ls -l
  printed '^  orders  *unknown .* -  *-  *-  *-  *0  *0  *0  *1$'
  expect "$done" "$sapbuf" status "$stream"
  printed "^unknown $stream/orders: "
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.facilities[1] | .kind == "unknown" and .name == "orders" and .bytes > 0 and .order == null and
                 .participants[0].name == "reader" and .participants[0].state == "dead"'
  expect "$no_segment" "$sapbuf" status "$(orders)"
  expect "$no_segment" "$sapbuf" rm "$(orders)"
  said 'of a kind that this library does not know'
  expect "$problems" "$watchdog" --once "$stream"
  said "$stream: left alone.*1 dead participant"
  start watchdog "$watchdog" "$stream" --interval 1
  eventually grep --quiet 'left alone' "$directory/watchdog.err"
  sleep 0.1  # some more looks
  equal "$(grep --count 'left alone' "$directory/watchdog.err")" 1 'messages about it'
  signal TERM watchdog
  ends watchdog "$done"
}

test_a_segment_of_the_first_abi_is_refused_with_what_to_do() {
  expect "$done" "$sapbuf" create "$stream"
  printf '\x01' | dd of="/dev/shm/sapbuf.$stream" bs=1 seek=8 conv=notrunc status=none
  local command
  for command in status dump pub sub rm; do
    expect "$no_segment" "$sapbuf" "$command" "$stream"
    said 'ABI version 1, this library 2: use the version that made it, or remove it and make it anew'
  done
  expect "$no_segment" "$sapbuf" create "$(orders)"
  said 'ABI version 1'
  expect "$no_segment" "$watchdog" --once "$stream"
  said 'ABI version 1'
  expect "$done" "$sapbuf" ls -l
  printed "^$stream  cannot be read: .*ABI version 1"
  expect "$done" "$sapbuf" rm "$stream" --force
}

run_cases
