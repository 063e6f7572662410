#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

test_json_has_what_the_contract_names() {
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
  expect "$done" "$sapbuf" status "$stream" --json
  equal "$(wc -l <"$directory/out")" 1 lines
  json_holds '.schema_version == 2'
  json_holds ".name == \"$stream\""
  json_holds '["abi", "bytes", "departed", "generation", "journal", "name", "on_full", "order", "participants",
               "reclaimed_slabs", "retain", "awaits_first_reader", "schema_version", "slabs"] - keys == []'
  json_holds '["capacity_bytes", "generation", "held_by", "index", "state", "used_bytes"] - (.slabs[0] | keys) == []'
  json_holds '["aborted", "abandoned", "committed", "committed_bytes", "delivered", "dropped", "heartbeat_age_ms",
               "lost", "name", "pid", "role", "skipped", "slot", "state"] - (.participants[0] | keys) == []'
  json_holds '["aborted", "abandoned", "committed", "delivered", "dropped", "lost", "participants"]
              - (.departed | keys) == []'
  json_holds '.participants[0] | .role == "reader" and .state == "alive" and .name == "holder"'
  json_holds ".participants[0].pid == ${process[holder]}"
  json_holds '.departed | .participants == 1 and .committed == 10'
  json_holds '.slabs | length == 2'
}

test_text_is_for_people() {
  expect "$done" "$sapbuf" create "$stream"
  seq 10000 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached a-name-to-find "$sapbuf" sub "$stream" --name a-name-to-find
  expect "$done" "$sapbuf" status "$stream"
  printed "$stream"
  printed a-name-to-find
  printed 'active'
  printed 'MiB'
  printed '10,000'
}

test_a_killed_process_is_dead() {
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  kill_hard holder
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.participants[0].state == "dead"'
  json_holds '.journal == []'
}

test_a_stopped_process_that_is_in_the_way_hangs_but_is_not_dead() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null  # more than a slab
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
  signal STOP holder
  hangs() { "$sapbuf" status "$stream" --json --hung-after 1 | jq --exit-status '.participants[0].state == "hung"'; }
  eventually hangs >/dev/null
  expect "$done" "$sapbuf" status "$stream" --json --hung-after 0
  json_holds '.participants[0].state == "alive"'
}

test_looking_attaches_nobody() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" status "$stream" --json
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.participants == [] and .departed.participants == 0'
}

test_the_ledger_outlives_the_participants() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader --count 10
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  ends reader "$done"
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.departed | .committed == 10 and .delivered == 10 and .lost == 0 and .participants == 2'
}

test_no_such_segment() {
  expect "$no_segment" "$sapbuf" status "$stream"
  said "$stream"
}

test_what_is_no_segment() {
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream"
  expect "$no_segment" "$sapbuf" status "$stream"
  head -c 100000 /dev/urandom >"/dev/shm/sapbuf.$stream"
  expect "$no_segment" "$sapbuf" status "$stream"
}

test_a_truncated_segment() {
  expect "$done" "$sapbuf" create "$stream"
  truncate --size=1M "/dev/shm/sapbuf.$stream"
  expect "$no_segment" "$sapbuf" status "$stream"
  expect "$no_segment" "$sapbuf" sub "$stream"
  expect "$no_segment" "$sapbuf" dump "$stream"
}

test_wrong_arguments() {
  expect "$usage" "$sapbuf" status
  expect "$usage" "$sapbuf" status "$stream" --no-such-option
}

run_cases
