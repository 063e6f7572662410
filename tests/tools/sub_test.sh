#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

stream_with() {
  expect "$done" "$sapbuf" create "$stream" "${@:2}"
  seq "$1" >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
}

test_begins_with_the_oldest_that_stands_there() {
  stream_with 1000
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  cmp "$directory/in" "$directory/out"
}

test_from_newest_skips_what_stands_there() {
  stream_with 10
  start_attached reader "$sapbuf" sub "$stream" --name reader --from newest --count 2
  printf 'new\nnewer\n' | "$sapbuf" pub "$stream" 2>/dev/null
  ends reader "$done"
  printf 'new\nnewer\n' | cmp - "$directory/reader.out"
}

test_count_ends_it() {
  stream_with 1000
  expect "$done" "$sapbuf" sub "$stream" --count 7
  seq 7 | cmp - "$directory/out"
  expect "$done" "$sapbuf" sub "$stream" --count 0
  printed_nothing
}

test_a_stream_that_is_truncated_meanwhile_ends_it() {
  stream_with 10
  start_attached reader "$sapbuf" sub "$stream" --name reader
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder
  eventually grep --quiet 10 "$directory/reader.out"
  truncate --size 0 "/dev/shm/sapbuf.$stream"
  ends reader "$no_segment"
  ends recorder "$no_segment"
  cmp "$directory/in" "$directory/reader.out"
}

test_idle_exit_ends_it_when_nothing_comes() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 50
  printed_nothing
}

test_what_came_is_flushed_before_it_waits() {
  stream_with 3
  start_attached reader "$sapbuf" sub "$stream" --name reader
  eventually cmp --silent "$directory/in" "$directory/reader.out"
  equal "$(has_ended reader || echo runs)" runs reader
  echo 4 | "$sapbuf" pub "$stream" 2>/dev/null
  seq 4 >"$directory/wanted"
  eventually cmp --silent "$directory/wanted" "$directory/reader.out"
}

test_two_readers_get_everything_while_writers_flip() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached reader-a "$sapbuf" sub "$stream" --name reader-a --count 300000
  start_attached reader-b "$sapbuf" sub "$stream" --name reader-b --count 300000
  local name
  for name in w1 w2 w3; do
    seq --format="$name:%.0f" 100000 >"$directory/$name"
    start "$name" "$sapbuf" pub "$stream" --name "$name" "$directory/$name"
  done
  for name in w1 w2 w3 reader-a reader-b; do ends "$name" "$done"; done
  for name in w1 w2 w3; do
    grep "^$name:" "$directory/reader-a.out" | cmp - "$directory/$name"
    grep "^$name:" "$directory/reader-b.out" | cmp - "$directory/$name"
  done
}

test_total_order_is_the_same_for_all() {
  expect "$done" "$sapbuf" create "$stream" --order total --slab-bytes 64KiB
  start_attached reader-a "$sapbuf" sub "$stream" --name reader-a --count 40000
  start_attached reader-b "$sapbuf" sub "$stream" --name reader-b --count 40000
  local name
  for name in w1 w2; do
    seq --format="$name:%.0f" 20000 >"$directory/$name"
    start "$name" "$sapbuf" pub "$stream" --name "$name" "$directory/$name"
  done
  for name in w1 w2 reader-a reader-b; do ends "$name" "$done"; done
  cmp "$directory/reader-a.out" "$directory/reader-b.out"
  grep '^w1:' "$directory/reader-a.out" | cmp - "$directory/w1"
  grep '^w2:' "$directory/reader-a.out" | cmp - "$directory/w2"
}

test_says_how_much_was_overwritten() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --on-full overwrite
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  seq 200000 >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  signal CONT reader
  eventually status_holds '.participants[0] | .delivered + .lost == 200000'
  local lost
  lost=$(status '.participants[0].lost')
  signal TERM reader
  ends reader "$done"
  equal "$((200000 - $(wc -l <"$directory/reader.out")))" "$lost" 'lines that are missing'
  grep --quiet lost "$directory/reader.err" || die "not a word about the loss"
}

test_hold_keeps_the_oldest_slab() {
  stream_with 10
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
  seq 1000000 >"$directory/more"
  expect "$failure" "$sapbuf" pub "$stream" --timeout 50 "$directory/more"
  signal TERM holder
  ends holder "$done"
  expect "$done" "$sapbuf" pub "$stream" --timeout 60000 "$directory/more"
}

test_ends_when_nobody_reads_its_output() {
  stream_with 50000
  local -a codes
  set +o pipefail
  "$sapbuf" sub "$stream" 2>"$directory/err" | head -n 1 >"$directory/out"
  codes=("${PIPESTATUS[@]}")
  set -o pipefail
  equal "${codes[0]}" "$done" 'exit status behind a closed pipe'
  equal "$(cat "$directory/out")" 1 'first line'
}

test_notices_a_closed_pipe_while_it_waits() {
  stream_with 1
  mkfifo "$directory/pipe"
  "$sapbuf" sub "$stream" --name reader >"$directory/pipe" 2>/dev/null &
  process[reader]=$!
  head -n 1 "$directory/pipe" >"$directory/out"
  ends reader "$done"
}

test_says_how_many_went_before_it_came() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 100000 >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  local gone
  gone=$((100000 - $(wc -l <"$directory/out")))
  ((gone > 0)) || die 'nothing was overwritten'
  said "warning: $(sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$gone") messages were gone before"
  expect "$done" "$sapbuf" sub "$stream" --from newest --idle-exit 0
  if grep --quiet 'gone before' "$directory/err"; then die 'it was told to leave them out'; fi
}

test_newest_only_skips_what_is_older() {
  stream_with 1000
  expect "$done" "$sapbuf" sub "$stream" --newest-only --idle-exit 0
  equal "$(cat "$directory/out")" 1000 'what is shown'
  said '1 message .*999 skipped'
  equal "$(status .departed.skipped)" 999 'skipped'
}

test_takes_what_stands_in_a_removed_stream_and_ends() {
  stream_with 3
  mkfifo "$directory/input"
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  exec {input}>"$directory/input"
  expect "$done" "$sapbuf" rm "$stream" --force
  expect "$done" "$sapbuf" create "$stream"
  echo last >&"$input"
  exec {input}>&-
  ends feed "$done"
  signal CONT reader
  ends reader "$no_segment"
  { seq 3; echo last; } | cmp - "$directory/reader.out"
  grep --quiet 'warning.*removed, and made anew' "$directory/reader.err" || die 'not told'
}

# A writer that died in a removed stream is nobody to wait for.
test_does_not_wait_for_the_dead_in_a_removed_stream() {
  stream_with 1
  mkfifo "$directory/input"
  exec {input}<>"$directory/input"
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  expect "$done" "$sapbuf" rm "$stream" --force
  told() { grep --quiet 'warning.*removed' "$directory/reader.err"; }
  eventually told
  equal "$(has_ended reader || echo runs)" runs reader
  kill_hard feed
  ends reader "$no_segment"
  exec {input}>&-
}

# Everything of the old one, then everything of the new one.
test_follows_a_name_to_the_next_stream() {
  stream_with 3
  start_attached reader "$sapbuf" sub "$stream" --name reader --follow --count 6
  expect "$done" "$sapbuf" rm "$stream" --force
  told() { grep --quiet 'warning.*removed' "$directory/reader.err"; }
  eventually told
  expect "$done" "$sapbuf" create "$stream" --slabs 4
  seq 4 6 | "$sapbuf" pub "$stream" 2>/dev/null
  ends reader "$done"
  seq 6 | cmp - "$directory/reader.out"
  grep --quiet '6 messages' "$directory/reader.err" || die 'not all were counted'
}

test_a_signal_or_idleness_ends_it_while_there_is_no_stream_to_follow() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader --follow
  start_attached impatient "$sapbuf" sub "$stream" --name impatient --follow --idle-exit 3000
  expect "$done" "$sapbuf" rm "$stream" --force
  ends impatient "$done"
  equal "$(has_ended reader || echo runs)" runs reader
  signal TERM reader
  ends reader "$done"
}

# Messages of many sizes and types, which no line could hold.
any_messages() {
  for size in 0 1 3 5 8 13 300 3000; do
    head -c "$size" /dev/urandom >"$directory/payload"
    prefix "$size" "$((RANDOM * 2 + 1))"
    cat "$directory/payload"
  done
  prefix 4 65535
  printf '\n\0\r\n'
}

# prefix SIZE TYPE: as --length-prefix has it
prefix() {
  local at word=$(($2 << 32 | $1))
  for at in 0 8 16 24 32 40; do
    # shellcheck disable=SC2059  # the format is the byte
    printf "\\x$(printf %02x $((word >> at & 255)))"
  done
}

test_any_bytes_and_types_come_through_the_pipe_unharmed() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" create "$stream/copy"
  any_messages >"$directory/in"
  "$sapbuf" pub "$stream" --length-prefix <"$directory/in" 2>/dev/null
  "$sapbuf" sub "$stream" --length-prefix --idle-exit 0 2>/dev/null |
    "$sapbuf" pub "$stream/copy" --length-prefix 2>/dev/null
  expect "$done" "$sapbuf" sub "$stream/copy" --length-prefix --idle-exit 0
  cmp "$directory/in" "$directory/out"
}

test_a_length_prefix_is_size_and_type_in_little_endian() {
  expect "$done" "$sapbuf" create "$stream"
  echo abc | "$sapbuf" pub "$stream" --type 258 2>/dev/null
  expect "$done" "$sapbuf" sub "$stream" --length-prefix --idle-exit 0
  printf '\x03\0\0\0\x02\x01abc' | cmp - "$directory/out"
}

test_a_byte_0_ends_each_message() {
  expect "$done" "$sapbuf" create "$stream"
  printf 'one\ntwo\0\0last' >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" --null "$directory/in"
  said '3 messages'
  expect "$done" "$sapbuf" sub "$stream" -0 --idle-exit 0
  printf 'one\ntwo\0\0last\0' | cmp - "$directory/out"
}

test_json_has_position_type_and_payload_of_each_message() {
  expect "$done" "$sapbuf" create "$stream"
  printf 'caf\xc3\xa9 "x"\0\xff\x01\n' >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" --null --type 7 "$directory/in"
  expect "$done" "$sapbuf" sub "$stream" --json --idle-exit 0
  equal "$(wc -l <"$directory/out")" 2 lines
  json 'select(.payload) | .payload' >"$directory/payload"
  printf 'caf\xc3\xa9 "x"\n' | cmp - "$directory/payload"
  equal "$(json 'select(.payload_hex) | .payload_hex')" ff010a 'payload_hex'
  equal "$(json '"\(.type) \(.size)"' | paste -sd ,)" '7 9,7 3' 'types and sizes'
  json '"\(.generation) \(.offset)"' >"$directory/positions"
  "$sapbuf" dump "$stream" --json 2>/dev/null | jq --raw-output 'select(.kind == "message") | "\(.generation) \(.offset)"' |
    cmp - "$directory/positions"
}

test_waits_for_a_stream_that_is_not_there_yet() {
  start reader "$sapbuf" sub "$stream" --name reader --wait --count 1
  start impatient "$sapbuf" sub "$stream" --wait --idle-exit 50
  ends impatient "$done"
  start stopped "$sapbuf" sub "$stream" --wait
  waits() { grep --quiet "waiting for $stream" "$directory/stopped.err"; }
  eventually waits
  signal TERM stopped
  ends stopped "$done"
  equal "$(has_ended reader || echo runs)" runs reader
  expect "$done" "$sapbuf" create "$stream" --retain
  echo late | "$sapbuf" pub "$stream" 2>/dev/null
  ends reader "$done"
  equal "$(cat "$directory/reader.out")" late 'what it got'
}

test_waits_for_a_stream_of_a_segment_that_is_there() {
  expect "$done" "$sapbuf" create "$stream"
  start reader "$sapbuf" sub "$stream/orders" --wait --count 1
  expect "$done" "$sapbuf" create "$stream/orders"
  echo late | "$sapbuf" pub "$stream/orders" 2>/dev/null
  ends reader "$done"
  equal "$(cat "$directory/reader.out")" late 'what it got'
}

test_ends_when_a_writer_has_finished_and_all_is_read() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  start_attached reader "$sapbuf" sub "$stream" --name reader --until-finished
  exec {input}>"$directory/input"
  seq 3 | "$sapbuf" pub "$stream" --finish 2>/dev/null
  equal "$(status .finished_writers)" 1 'writers that finished'
  echo 4 >&"$input"
  arrived() { [[ $(wc -l <"$directory/reader.out") == 4 ]]; }
  eventually arrived
  equal "$(has_ended reader || echo runs)" runs reader
  exec {input}>&-
  ends feed "$done"
  ends reader "$done"
  seq 4 | cmp - "$directory/reader.out"
}

test_wrong_arguments() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$usage" "$sapbuf" sub
  expect "$usage" "$sapbuf" sub "$stream" --from yesterday
  expect "$usage" "$sapbuf" sub "$stream" --count few
  expect "$usage" "$sapbuf" sub "$stream" --idle-exit -1
  expect "$usage" "$sapbuf" sub "$stream" --hold --count 1
  expect "$usage" "$sapbuf" sub "$stream" --hold --follow
  expect "$usage" "$sapbuf" sub "$stream" --json --null
  expect "$usage" "$sapbuf" sub "$stream" --null --length-prefix
  expect "$usage" "$sapbuf" sub "$stream" --no-such-option
  expect "$no_segment" "$sapbuf" sub "$stream.missing"
}

run_cases
