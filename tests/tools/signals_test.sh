#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# SIGINT and SIGTERM end every tool cleanly: exit status 0, and nothing is left attached.

# ends_on_both NAME COMMAND...
ends_on_both() {
  local signal
  for signal in INT TERM; do
    start_attached "$@"
    signal "$signal" "$1"
    ends "$1" "$done"
    status_holds '.participants == []' || die "$1 is still attached after SIG$signal"
  done
  equal "$(status '.journal | length')" 0 'entries in the journal'
}

test_sub_that_waits() {
  expect "$done" "$sapbuf" create "$stream"
  ends_on_both reader "$sapbuf" sub "$stream" --name reader
}

test_sub_that_holds() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  ends_on_both holder "$sapbuf" sub "$stream" --name holder --hold
}

test_sub_whose_output_takes_nothing() {
  expect "$done" "$sapbuf" create "$stream"
  seq 100000 | "$sapbuf" pub "$stream" 2>/dev/null
  mkfifo "$directory/pipe"
  exec {pipe}<>"$directory/pipe"
  "$sapbuf" sub "$stream" --name reader >"$directory/pipe" 2>/dev/null &
  process[reader]=$!
  eventually status_holds 'any(.participants[]; .name == "reader")'
  signal TERM reader
  eventually has_ended reader
  status_holds '.participants == []' || die "still attached"
  exec {pipe}>&-
}

test_pub_that_waits_for_input() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  exec {input}<>"$directory/input"
  ends_on_both writer "$sapbuf" pub "$stream" --name writer "$directory/input"
  exec {input}>&-
}

test_pub_that_waits_for_somebody_to_open_its_input() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  ends_on_both writer "$sapbuf" pub "$stream" --name writer "$directory/input"
}

test_pub_that_waits_for_room() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 100000 >"$directory/in"
  start_attached holder "$sapbuf" sub "$stream" --name holder
  signal STOP holder
  local signal
  for signal in INT TERM; do
    start_attached writer "$sapbuf" pub "$stream" --name writer "$directory/in"
    eventually status_holds '[.slabs[].state] | all(. != "free")'
    signal "$signal" writer
    ends writer "$done"
  done
  signal CONT holder
}

test_pub_in_full_flight() {
  expect "$done" "$sapbuf" create "$stream"
  seq 100000 >"$directory/in"
  ends_on_both writer "$sapbuf" pub "$stream" --name writer --repeat 1000000 "$directory/in"
}

run_cases
