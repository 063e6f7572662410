#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# A watchdog and participants in different pid and time namespaces, as containers have them.

# needs UNSHARE-COMMAND...
needs() { "$@" true 2>/dev/null || skip "may not make the namespaces that are needed: $*"; }

# A stream with a reader that holds the oldest slab, started by what the arguments say.
stream_with_holder() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached holder "$@" "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
}

in_pid_namespace=(unshare --pid --fork --kill-child)

test_a_hung_holder_in_another_pid_namespace_is_told_and_not_killed() {
  needs "${in_pid_namespace[@]}"
  stream_with_holder "${in_pid_namespace[@]}"
  hangs() {
    "$sapbuf" status "$stream" --json --hung-after 1 | jq --exit-status '.participants[0].state == "hung"' >/dev/null
  }
  eventually hangs
  expect "$problems" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream"
  json_holds '.segments[0].hung[0] | .name == "holder" and .pid == 1 and (.action | contains("pid namespace"))'
  ! has_ended holder || die "it was killed"
}

# No pidfd tells of it there.
test_a_death_in_another_pid_namespace_is_seen_at_the_interval() {
  needs "${in_pid_namespace[@]}"
  stream_with_holder "${in_pid_namespace[@]}"
  start watchdog "$watchdog" "$stream" --interval 10
  eventually status_holds '.participants | length == 1'
  kill_hard holder
  eventually status_holds '.journal | length == 1'
  equal "$(status '.journal[0].name')" holder 'who died'
}

test_a_watchdog_in_a_pid_namespace_serves_those_outside() {
  needs "${in_pid_namespace[@]}" --mount-proc
  stream_with_holder env
  expect "$done" "${in_pid_namespace[@]}" --mount-proc "$watchdog" --once "$stream"
  status_holds '.participants[0].state == "alive"' || die "the living were recovered"
  kill_hard holder
  expect "$done" "${in_pid_namespace[@]}" --mount-proc "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead[0].name == "holder"'
}

# Its clock is behind: by its heartbeat it has stood still for longer than this machine could tell.
test_nobody_is_killed_by_a_clock_that_cannot_be_compared() {
  local -a behind=(unshare --time --fork --kill-child "--monotonic=-$(($(cut -d. -f1 /proc/uptime) / 2))")
  needs "${behind[@]}"
  stream_with_holder "${behind[@]}"
  expect "$done" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream"
  json_holds '.segments[0].hung == []'
  ! has_ended holder || die "it was killed"
  kill_hard holder
  died() { "$watchdog" --once --json "$stream" 2>/dev/null | jq --exit-status '.segments[0].dead != []' >/dev/null; }
  eventually died
}

run_cases
