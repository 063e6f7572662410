#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# A stream with a reader that holds the oldest slab, which the writers have left.
stream_with_holder() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
}

holder_hangs() {
  "$sapbuf" status "$stream" --json --hung-after 1 | jq --exit-status '.participants[0].state == "hung"' >/dev/null
}

stream_with_dead_holder() {
  stream_with_holder
  holder_pid=${process[holder]}
  kill_hard holder
}

test_a_healthy_stream() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds ". == {schema_version: 1,
                    segments: [{name: \"$stream\", dead: [], hung: [], reclaimed_slabs: 0}]}"
}

test_takes_back_what_a_dead_reader_held() {
  stream_with_dead_holder
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead | length == 1'
  json_holds '["held_bytes", "held_generations", "name", "pid", "proof", "repaired_bytes", "repaired_frames", "role", "slot"]
              - (.segments[0].dead[0] | keys) == []'
  json_holds '.segments[0].dead[0] | .name == "holder" and .role == "reader" and .held_generations[0] == 1'
  json_holds ".segments[0].dead[0].pid == $holder_pid"
  json_holds '.segments[0].dead[0].proof | length > 0'
  said holder
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.participants == []'
  json_holds 'all(.slabs[]; .held_by == [])'
  json_holds '.journal | length == 1'
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead == []'
}

test_counts_the_slabs_that_only_the_dead_kept() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  seq 100000 >"$directory/in"
  expect "$failure" "$sapbuf" pub "$stream" --timeout 20 "$directory/in"
  kill_hard reader
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].reclaimed_slabs == 1'
  equal "$(status .reclaimed_slabs)" 1 'reclaimed slabs'
  expect "$done" "$sapbuf" pub "$stream" --timeout 60000 "$directory/in"
}

test_closes_what_a_dead_writer_left_open() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached writer "$sapbuf" pub "$stream" --name writer "$directory/input"
  exec {input}>"$directory/input"
  printf 'one\ntwo\n' >&"$input"
  eventually status_holds '.participants[0].committed == 2'
  kill_hard writer
  exec {input}>&-
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead[0] | .name == "writer" and .role == "writer" and .repaired_frames >= 1'
  equal "$(status .departed.committed)" 2 committed
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  printf 'one\ntwo\n' | cmp - "$directory/out"
}

test_dry_run_changes_nothing() {
  stream_with_dead_holder
  local before after
  before=$(sha256sum <"/dev/shm/sapbuf.$stream")
  expect "$problems" "$watchdog" --once --dry-run --json "$stream"
  json_holds '.segments[0].dead[0] | .name == "holder" and .held_generations[0] == 1'
  after=$(sha256sum <"/dev/shm/sapbuf.$stream")
  equal "$after" "$before" 'the segment'
  equal "$(status '.participants[0].state')" dead state
}

test_several_streams_at_once() {
  stream_with_dead_holder
  expect "$done" "$sapbuf" create "$stream.2"
  expect "$done" "$watchdog" --once --json "$stream" "$stream.2"
  json_holds '[.segments[] | .dead | length] == [1, 0]'
}

test_all_knows_every_stream() {
  stream_with_dead_holder
  local status=0  # other streams of the machine may have problems of their own
  "$watchdog" --once --all --dry-run --json >"$directory/out" 2>"$directory/err" || status=$?
  equal "$status" "$problems" 'exit status'
  json_holds ".segments[] | select(.name == \"$stream\") | .dead | length == 1"
}

test_a_hung_reader_is_reported_and_left_alone() {
  stream_with_holder
  signal STOP holder
  eventually holder_hangs
  expect "$problems" "$watchdog" --once --json --hung-after 1 "$stream"
  json_holds '.segments[0] | .dead == [] and .hung[0].name == "holder"'
  ! has_ended holder || die "it was killed"
  status_holds 'any(.slabs[].held_by[]; . == "holder")' || die "its slab was taken"
  signal CONT holder
}

test_a_stopped_reader_is_not_dead() {
  stream_with_holder
  signal STOP holder
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0] | .dead == [] and .hung == []'
  status_holds 'any(.slabs[].held_by[]; . == "holder")' || die "its slab was taken"
  signal CONT holder
}

test_on_hung_kill_does_what_it_was_told() {
  stream_with_holder
  signal STOP holder
  eventually holder_hangs
  expect "$done" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream"
  json_holds '.segments[0].hung[0].name == "holder"'
  ends holder 137
  eventually status_holds '.participants == []'
}

# hangs STREAM NAME: each of the participants of that name
hangs() {
  "$sapbuf" status "$1" --json --hung-after 1 |
    jq --exit-status "[.facilities[].participants[] | select(.name == \"$2\") | .state] | length > 0 and all(. == \"hung\")" >/dev/null
}

# Who has several participants dies once, for all of them.
test_a_process_that_hangs_in_several_streams_is_killed_once() {
  start_pinning_readers holder
  eventually hangs "$stream" pinning
  expect "$done" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream"
  json_holds '.segments[0] | (.hung | map(.action)) == ["killed", "killed"] and (.dead | length) == 2'
  ends holder 137
  status_holds '[.facilities[].participants[]] == []' || die 'its readers are there still'
}

# Its end may be seen in one segment before it is found to hang there.
test_a_process_that_hangs_in_several_segments_is_killed_once() {
  start_pinning_readers holder
  eventually hangs "$stream" pinning
  eventually hangs "$stream.2" pinning
  expect "$done" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream" "$stream.2"
  json_holds 'all(.segments[].hung[]; .action == "killed") and [.segments[].dead | length] == [2, 1]'
  ends holder 137
}

test_dry_run_kills_nobody() {
  stream_with_holder
  signal STOP holder
  eventually holder_hangs
  expect "$problems" "$watchdog" --once --dry-run --hung-after 1 --on-hung kill "$stream"
  ! has_ended holder || die "it was killed"
  signal CONT holder
}

# The segment must not get the number of a descriptor that is printed to.
test_runs_without_standard_descriptors() {
  local status=0
  stream_with_dead_holder
  "$watchdog" --once "$stream" <&- >&- 2>&- || die "exit status $?"
  equal "$(status '.journal[0].name')" holder 'who died'
  echo line | "$sapbuf" pub "$stream" >&- 2>&- || die "exit status $?"
  equal "$(status .departed.committed)" 5001 committed
  # Nothing was done where nothing could be read, or printed.
  "$sapbuf" status "$stream" >&- 2>"$directory/err" || status=$?
  equal "$status" "$failure" 'nowhere to print to'
  said 'cannot write to standard output'
  status=0
  "$sapbuf" pub "$stream" <&- 2>"$directory/err" || status=$?
  equal "$status" "$failure" 'nowhere to read from'
}

test_no_such_segment() {
  expect "$no_segment" "$watchdog" --once "$stream"
  said "$stream"
}

test_wrong_arguments() {
  expect "$usage" "$watchdog"
  expect "$usage" "$watchdog" --once
  expect "$usage" "$watchdog" --once --all "$stream"
  expect "$usage" "$watchdog" --once --interval soon "$stream"
  expect "$usage" "$watchdog" --once --on-hung kill "$stream"
  expect "$usage" "$watchdog" --once --hung-after 1 --on-hung frown "$stream"
  expect "$usage" "$watchdog" --no-such-option "$stream"
}

# A queue of three blocks, of which a consumer has one.
queue_with_holder() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  seq 3 | "$sapbuf" queue push "$stream/jobs" 2>/dev/null
  start holder "$sapbuf" queue pop "$stream/jobs" --name holder --exec 'exec sleep 1000 # {}'
  eventually blocks_are held 1
}

blocks_are() { status_holds "[.facilities[] | select(.name == \"jobs\") | .groups[0].$1 == $2] | all"; }

pops_all_blocks() {
  equal "$("$sapbuf" queue pop "$stream/jobs" --idle-exit 0 2>/dev/null | tr '\n' ' ')" '1 2 3 ' 'what the next consumer gets'
}

consumer_hangs() {
  "$sapbuf" status "$stream" --json --hung-after 1 |
    jq --exit-status '[.facilities[] | select(.name == "jobs") | .participants[0].state == "hung"] | all' >/dev/null
}

# Nobody takes anything meanwhile: it is the watchdog that returns them.
test_returns_the_blocks_of_a_dead_consumer() {
  queue_with_holder
  kill_hard holder
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead | length == 1 and .[0].name == "holder" and .[0].role == "consumer"'
  blocks_are returned 1 || die 'the block is not returned'
  pops_all_blocks
}

test_returns_the_blocks_of_a_consumer_that_hangs_once_it_is_killed() {
  queue_with_holder
  signal STOP holder
  eventually consumer_hangs
  expect "$problems" "$watchdog" --once --json --hung-after 1 "$stream"
  json_holds '.segments[0] | .dead == [] and .hung[0].name == "holder"'
  blocks_are held 1 || die 'its block was taken'
  expect "$done" "$watchdog" --once --json --hung-after 1 --on-hung kill "$stream"
  ends holder 137
  eventually blocks_are returned 1
  pops_all_blocks
}

run_cases
