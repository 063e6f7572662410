#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

log_has() { grep --quiet --no-messages -- "$1" "$directory/watchdog.err"; }

# start_watching OPTION...: and waits until this case's stream is looked at
start_watching() {
  start watchdog "$watchdog" "$@"
  eventually log_has "$stream: watching"
}

start_holder() {
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
}

test_takes_back_by_its_interval_and_tells_in_one_line() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_watching "$stream" --interval 10
  start_holder
  local pid=${process[holder]}
  kill_hard holder
  eventually status_holds '.journal | length == 1'
  eventually log_has "holder (pid $pid, slot .*proof"
  status_holds '.participants == [] and .journal[0].name == "holder"' || die "the holder is still there"
}

test_learns_of_a_death_through_a_pidfd() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --interval 3600000
  kill_hard holder
  eventually status_holds '.journal | length == 1'
}

test_waits_for_a_stream_that_is_not_there_yet() {
  start watchdog "$watchdog" "$stream" --interval 10
  eventually log_has waiting
  expect "$done" "$sapbuf" create "$stream"
  eventually log_has "$stream: watching"
}

test_all_takes_up_streams_that_appear_later() {
  start watchdog "$watchdog" --all --dry-run --interval 10
  eventually log_has 'every stream'
  expect "$done" "$sapbuf" create "$stream"
  eventually log_has "$stream: watching"
  expect "$done" "$sapbuf" rm "$stream"
  eventually log_has "$stream: removed"
  expect "$done" "$sapbuf" create "$stream"
  seen_twice() { (($(grep --count "$stream: watching" "$directory/watchdog.err") == 2)); }
  eventually seen_twice
}

test_dry_run_tells_and_leaves() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --dry-run --interval 10
  kill_hard holder
  eventually log_has 'holder (pid'
  equal "$(status '.participants[0].state')" dead state
  equal "$(status '.journal | length')" 0 'entries in the journal'
}

test_dry_run_changes_no_byte() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_holder
  local before
  "$sapbuf" pub "$stream" --timeout 20 <(seq 100000) 2>/dev/null || true  # as much as fits: a slab is sealed
  kill_hard holder
  before=$(sha256sum <"/dev/shm/sapbuf.$stream")
  start_watching "$stream" --dry-run --interval 1 --hung-after 1 --on-hung kill
  eventually log_has "$stream: reader holder .*is dead: .*1 slab to reclaim"
  start again "$watchdog" "$stream" --dry-run --interval 1
  looked_again() { grep --quiet 'is dead' "$directory/again.err"; }
  eventually looked_again
  signal TERM watchdog
  ends watchdog "$done"
  equal "$(sha256sum <"/dev/shm/sapbuf.$stream")" "$before" 'the segment'
}

# What is taken away under the watchdog's hands is let go, and what comes in its place is taken up.
test_follows_a_name_whose_segment_is_replaced_in_use() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached old "$sapbuf" sub "$stream" --name old
  start watchdog "$watchdog" --all --interval 10
  eventually log_has "$stream: watching"
  expect "$done" "$sapbuf" rm "$stream" --force
  expect "$done" "$sapbuf" create "$stream"
  start_attached new "$sapbuf" sub "$stream" --name new
  kill_hard new
  eventually log_has 'reader new .*died'
  eventually status_holds '(.journal | length) == 1'
  ! has_ended old || die 'who was inside has ended'
}

test_json_tells_of_each_event() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --json --interval 10
  kill_hard holder
  told() { jq --exit-status '.segments[0].dead[0].name == "holder"' "$directory/watchdog.out" >/dev/null 2>&1; }
  eventually told
}

test_kills_the_hung_when_told_to() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null  # more than a slab
  start_holder
  signal STOP holder
  start_watching "$stream" --interval 10 --hung-after 50 --on-hung kill
  ends holder 137
  eventually status_holds '.participants == [] and (.journal | length) == 1'
}

test_ends_when_asked() {
  local signal
  expect "$done" "$sapbuf" create "$stream"
  for signal in INT TERM; do
    start_watching "$stream"
    signal "$signal" watchdog
    ends watchdog "$done"
  done
}

run_cases
