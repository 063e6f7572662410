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

test_lag_is_what_a_reader_has_not_read() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 1000 1199 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached late "$sapbuf" sub "$stream" --name late --hold
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.participants[0] | .lag_messages == 200 and .lag_bytes == 800'
  json_holds '.facilities[0].participants[0].lag_messages == 200'
  expect "$done" "$sapbuf" status "$stream"
  printed '  LAG  LAG BYTES$'
  printed ' reader  *late .*  200  *800 B$'
  signal TERM late
  ends late "$done"
  start_attached fast "$sapbuf" sub "$stream" --name fast
  eventually status_holds '.participants[0] | .delivered == 200 and .lag_messages == 0 and .lag_bytes == 0'
}

# widest FILE: columns of its widest line
widest() { wc --max-line-length <"$1"; }

# Everything that is shown on a wide screen stands somewhere on a narrow one.
test_fits_a_terminal_of_80_columns() {
  local name=a-reader-with-a-name-that-is-much-longer-than-anybody-needs word
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  seq 12345 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached "$name" "$sapbuf" sub "$stream" --name "$name" --hold
  start_attached feed "$sapbuf" pub "$stream" --name feed "$directory/input"
  expect "$done" "$sapbuf" status "$stream"
  printed "$name"
  (($(widest "$directory/out") > 80)) || die 'there was nothing to be made narrower'
  expect "$done" env COLUMNS=80 "$sapbuf" status "$stream"
  (($(widest "$directory/out") <= 80)) || die "a line of $(widest "$directory/out") columns: $(cat "$directory/out")"
  for word in COMMITTED ABANDONED DELIVERED SKIPPED 'LAG BYTES' 12,345 'a-reader.*needs' feed; do printed "$word"; done
  expect "$done" env COLUMNS=500 "$sapbuf" status "$stream"
  printed "$name"
}

test_takes_the_width_from_the_terminal() {
  command -v script >/dev/null || skip 'needs script(1)'
  expect "$done" "$sapbuf" create "$stream"
  local show
  show=$(printf 'stty cols 80; %q status %q' "$sapbuf" "$stream")
  expect "$done" env --unset=COLUMNS SHELL="$BASH" script --quiet --return --command "$show" /dev/null
  tr -d '\r' <"$directory/out" >"$directory/shown"
  grep --quiet COMMITTED "$directory/shown" || die 'nothing was shown'
  (($(widest "$directory/shown") <= 80)) || die "a line of $(widest "$directory/shown") columns"
}

test_filters_participants() {
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  mkfifo "$directory/input"
  start_attached feed-a "$sapbuf" pub "$stream" --name feed-a "$directory/input"
  start_attached feed-b "$sapbuf" sub "$stream" --name feed-b
  start_attached other "$sapbuf" sub "$stream" --name other --hold
  kill_hard other
  shown() { json '[.participants[].name] | join(" ")'; }
  expect "$done" "$sapbuf" status "$stream" --json --filter 'feed-*'
  equal "$(shown)" 'feed-a feed-b' 'by name'
  expect "$done" "$sapbuf" status "$stream" --json --filter 'feed-*' --filter role=reader
  equal "$(shown)" feed-b 'by name and role'
  expect "$done" "$sapbuf" status "$stream" --json --filter state=dead
  equal "$(shown)" other 'by state'
  expect "$done" "$sapbuf" status "$stream" --filter 'name=feed-?'
  printed feed-a
  printed '^2 of 3 participants$'
  if grep --quiet ' other ' "$directory/out"; then die 'it shows what was not asked for'; fi
  expect "$done" "$sapbuf" status "$stream" --filter nobody
  printed '^0 of 3 participants$'
}

test_sums_up_hundreds_of_participants() {
  : "${SAPBUF_MANY_READERS:?a program that attaches many readers}"
  expect "$done" "$sapbuf" create "$stream" --participants 400
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  start many "$SAPBUF_MANY_READERS" "$stream" 300
  eventually status_holds '.participants | length == 300'
  start_attached slow "$sapbuf" sub "$stream" --name slow --hold
  kill_hard slow
  expect "$done" "$sapbuf" status "$stream"
  printed '^20 of 301 participants (301 readers; 1 dead, 0 hung)'
  printed ' slow .* dead '
  (($(grep --count '  alive  ' "$directory/out") == 19)) || die 'not 19 others'
  expect "$done" "$sapbuf" status "$stream" --all
  (($(grep --count '  alive  ' "$directory/out") == 300)) || die 'not all'
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
  expect "$usage" "$sapbuf" status "$stream" --filter
  expect "$usage" "$sapbuf" status "$stream" --filter rol=reader
  said 'none of name=, role= and state='
  expect "$usage" "$sapbuf" status "$stream" --filter role=readr
  said "'readr' is no role: writer, reader"
  expect "$usage" "$sapbuf" status "$stream" --filter state=daed
  said "'daed' is no state: alive, dead, hung"
  expect "$no_segment" "$sapbuf" status "$stream" --filter 'state=d*'
  expect "$usage" "$sapbuf" status "$stream" --no-such-option
}

run_cases
