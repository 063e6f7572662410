#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Publishes by the arguments given, and leaves in $directory/got what a reader that was there before gets.
publish_and_read() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  expect "$done" "$sapbuf" pub "$stream" "$@"
  eventually status_holds '.departed.committed == .participants[0].delivered'
  signal TERM reader
  ends reader "$done"
  mv "$directory/reader.out" "$directory/got"
}

test_each_line_is_a_message() {
  printf 'one\n\n  three  \nfour' >"$directory/in"
  publish_and_read "$directory/in"
  printf 'one\n\n  three  \nfour\n' | cmp - "$directory/got"
  said '4 messages'
  printed_nothing
}

test_any_bytes_are_a_line() {
  printf 'a\0b\xff\r\n\tc\x1b[1m\n' >"$directory/in"
  publish_and_read "$directory/in"
  cmp "$directory/in" "$directory/got"
}

test_files_come_one_after_the_other_and_again() {
  printf 'a\nb\n' >"$directory/in.1"
  printf 'c\n' >"$directory/in.2"
  publish_and_read --repeat 2 "$directory/in.1" "$directory/in.2"
  printf '%s\n' a b c a b c | cmp - "$directory/got"
}

test_no_file_or_a_dash_is_standard_input() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader --count 2
  printf 'first\n' | "$sapbuf" pub "$stream" 2>/dev/null
  printf 'second\n' | "$sapbuf" pub "$stream" - 2>/dev/null
  ends reader "$done"
  printf '%s\n' first second | cmp - "$directory/reader.out"
}

test_a_stream_that_is_truncated_meanwhile_ends_it() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/in"
  start_attached writer "$sapbuf" pub "$stream" --name writer "$directory/in"
  truncate --size 0 "/dev/shm/sapbuf.$stream"
  yes 2>/dev/null >"$directory/in" || true
  ends writer "$no_segment"
}

test_nothing_to_publish_is_no_failure() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" pub "$stream"
  said '0 messages'
}

test_without_a_reader_nobody_waits() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 100000 >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  equal "$(status .departed.committed)" 100000 committed
  equal "$(status .departed.dropped)" 0 dropped
}

test_its_name_is_seen() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached feed-a "$sapbuf" pub "$stream" --name feed-a "$directory/input"
  equal "$(status '.participants[0].role')" writer role
  signal TERM feed-a
  ends feed-a "$failure"
}

test_gives_up_when_there_is_no_room_for_too_long() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  seq 100000 >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" --timeout 50 "$directory/in"
  said 'no room'
  (($(status .departed.committed) > 0)) || die "nothing was committed before"
  signal CONT reader
}

# Once for each wait of more than a second; a short wait is nothing to tell of.
test_says_who_keeps_it_waiting_and_when_it_goes_on() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached archiver "$sapbuf" sub "$stream" --name archiver
  signal STOP archiver
  seq 100000 >"$directory/in"
  start feed "$sapbuf" pub "$stream" "$directory/in"
  told() { grep --quiet "waiting for room in $stream: .*generation 1 by archiver" "$directory/feed.err"; }
  eventually told
  signal CONT archiver
  ends feed "$done"
  # On a busy machine the archiver may be slow again.
  equal "$(grep --count 'goes on after' "$directory/feed.err")" "$(grep --count 'waiting for room' "$directory/feed.err")" \
    'lines about the end of a wait'
}

test_a_signal_ends_a_wait_that_was_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached archiver "$sapbuf" sub "$stream" --name archiver
  signal STOP archiver
  seq 100000 >"$directory/in"
  start feed "$sapbuf" pub "$stream" "$directory/in"
  told() { grep --quiet 'waiting for room' "$directory/feed.err"; }
  eventually told
  signal TERM feed
  ends feed "$failure"
  if grep --quiet 'goes on' "$directory/feed.err"; then die 'it went on without room'; fi
  signal CONT archiver
}

test_drops_and_says_how_many() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --on-full drop
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  seq 100000 >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  said 'dropped'
  equal "$(status '.departed.committed + .departed.dropped')" 100000 'committed + dropped'
  (($(status .departed.dropped) > 0)) || die "nothing was dropped"
  signal CONT reader
}

test_a_line_that_can_never_fit_is_left_out_and_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 4KiB
  { echo before; head -c 10000 /dev/zero | tr '\0' x; echo; echo after; } >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" "$directory/in"
  said 'too large'
  equal "$(status .departed.committed)" 2 committed
}

test_input_that_ends_within_a_message_is_a_failure() {
  expect "$done" "$sapbuf" create "$stream"
  printf '\x02\0\0\0\x07\0ab' >"$directory/whole"
  local cut
  for cut in 1 5 7; do
    { cat "$directory/whole"; head -c "$cut" "$directory/whole"; } >"$directory/in"
    expect "$failure" "$sapbuf" pub "$stream" --length-prefix "$directory/in"
    said "in:2: the input ends within"
    said 'published 1 message'
  done
}

test_a_prefixed_message_that_can_never_fit_is_left_out_and_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 4KiB
  { printf '\x10\x27\0\0\0\0'; head -c 10000 /dev/zero; printf '\x02\0\0\0\x07\0ab'; } >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" --length-prefix "$directory/in"
  said 'the message is too large'
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  equal "$(cat "$directory/out")" ab 'what is published'
}

test_a_file_that_cannot_be_read_is_a_failure_but_the_others_are_published() {
  expect "$done" "$sapbuf" create "$stream"
  echo line >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" "$directory/missing" "$directory/in"
  said missing
  equal "$(status .departed.committed)" 1 committed
}

test_warns_when_nobody_reads() {
  expect "$done" "$sapbuf" create "$stream"
  seq 5 >"$directory/in"
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  said 'warning: nobody reads'
  said 'warning: nobody has read the 5 messages'
  start_attached reader "$sapbuf" sub "$stream" --name reader
  expect "$done" "$sapbuf" pub "$stream" "$directory/in"
  if grep --quiet warning "$directory/err"; then die 'a warning with a reader there'; fi
  signal TERM reader
  ends reader "$done"
}

test_waits_for_the_first_reader_of_a_stream_that_retains() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --retain
  seq 100000 >"$directory/in"
  start feed "$sapbuf" pub "$stream" "$directory/in"
  told() { grep --quiet 'waiting for room.*until a first reader comes' "$directory/feed.err"; }
  eventually told
  start reader "$sapbuf" sub "$stream" --name reader --count 100000
  ends feed "$done"
  ends reader "$done"
  cmp "$directory/in" "$directory/reader.out"
  grep --quiet 'warning: nobody reads.*first reader' "$directory/feed.err" || die 'not told before'
}

test_says_when_the_last_reader_has_left() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached reader "$sapbuf" sub "$stream" --name reader --count 1
  start feed "$sapbuf" pub "$stream" "$directory/input"
  exec {input}>"$directory/input"
  echo line >&"$input"
  ends reader "$done"
  echo line >&"$input"
  exec {input}>&-
  ends feed "$done"
  if grep --quiet 'nobody reads' "$directory/feed.err"; then die 'there was a reader'; fi
  grep --quiet 'warning: no reader is left' "$directory/feed.err" || die "not a word about it"
}

test_goes_on_in_a_removed_stream_while_somebody_reads() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  exec {input}>"$directory/input"
  expect "$done" "$sapbuf" rm "$stream" --force
  told() { grep --quiet "warning: $stream was removed" "$directory/$1.err"; }
  eventually told feed
  eventually told reader
  echo line >&"$input"
  arrived() { [[ $(cat "$directory/reader.out") == line ]]; }
  eventually arrived
  equal "$(has_ended feed || echo runs)" runs feed
  exec {input}>&-
  ends feed "$done"
  ends reader "$no_segment"  # nobody is left to write
}

# It waits for input, which nobody could read.
test_ends_when_nobody_is_left_in_a_removed_stream() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  exec {input}<>"$directory/input"
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  signal STOP feed  # so that it does not see the moment in between
  expect "$done" "$sapbuf" rm "$stream" --force
  expect "$done" "$sapbuf" create "$stream"
  signal CONT feed
  ends feed "$no_segment"
  grep --quiet 'removed, and made anew' "$directory/feed.err" || die 'not told why'
  exec {input}>&-
}

test_a_message_that_is_too_large_is_told_once_where_the_input_ends_in_it() {
  expect "$done" "$sapbuf" create "$stream"
  printf '\377\377\377\377\0\0abc' >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" --length-prefix "$directory/in"
  said 'in:1: the message is too large'
  if grep --quiet 'in:2' "$directory/err"; then die 'there is no second message'; fi
}

test_wrong_arguments() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$usage" "$sapbuf" pub
  expect "$usage" "$sapbuf" pub "$stream" --repeat 0
  expect "$usage" "$sapbuf" pub "$stream" --repeat 2 -
  expect "$usage" "$sapbuf" pub "$stream" --timeout soon
  expect "$usage" "$sapbuf" pub "$stream" --type 65536
  expect "$usage" "$sapbuf" pub "$stream" --null --length-prefix
  expect "$usage" "$sapbuf" pub "$stream" --type 7 --length-prefix
  expect "$usage" "$sapbuf" pub "$stream" --no-such-option
  expect "$no_segment" "$sapbuf" pub "$stream.missing"
}

run_cases
