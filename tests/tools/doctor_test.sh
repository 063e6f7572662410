#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# What doctor says about this case's stream; other streams of the machine are none of its business.
about_stream() {
  local status=0
  "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || status=$?
  if ((status != done && status != problems)); then die "exit status $status"; fi
  equal "$(json .healthy)" "$( ((status == done)) && echo true || echo false)" 'healthy, by the exit status'
  json ".checks[] | select(.check == \"stream $stream\").state"
}

test_looks_at_the_system() {
  local status=0
  "$sapbuf" doctor >"$directory/out" 2>"$directory/err" || status=$?
  if ((status != done && status != problems)); then die "exit status $status"; fi
  printed '/dev/shm'
  printed RemoveIPC
  printed 'OFD locks'
  printed membarrier
}

test_says_what_bounds_a_new_stream() {
  (
    ulimit -f 1024
    "$sapbuf" doctor --json >"$directory/out" || (($? == problems)) || die "doctor failed"
  )
  json_holds '.checks[] | select(.check == "space") | .state == "bad"'
  json_holds '.checks[] | select(.check == "space") | (.finding | test("1 MiB by .*ulimit -f")) and (.remedy | test("ulimit"))'
  (
    ulimit -f 1048576
    "$sapbuf" doctor --json >"$directory/out" || (($? == problems)) || die "doctor failed"
  )
  json_holds '.checks[] | select(.check == "space") | .finding | test("1 GiB by .*ulimit -f")'
}

test_a_stream_in_order_is_ok() {
  expect "$done" "$sapbuf" create "$stream"
  equal "$(about_stream)" ok state
}

test_the_dead_are_a_problem_until_they_are_recovered() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  kill_hard reader
  equal "$(about_stream)" bad state
  expect "$problems" "$sapbuf" doctor
  printed 'sapbuf-watchdog'
  expect "$done" "$watchdog" --once "$stream"
  equal "$(about_stream)" ok state
}

test_garbage_is_a_problem() {
  head -c 100000 /dev/urandom >"/dev/shm/sapbuf.$stream"
  equal "$(about_stream)" bad state
}

test_wrong_arguments() {
  expect "$usage" "$sapbuf" doctor --no-such-option
}

run_cases
