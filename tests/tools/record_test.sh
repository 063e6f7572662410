#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# sapbuf record and replay: what comes out is what went in, whatever becomes of the recorder.

# all_of STREAM: what stands there, with types, in $directory/all
all_of() { "$sapbuf" sub "$1" --length-prefix --idle-exit 0 >"$directory/all" 2>/dev/null; }

# info FILTER [OPTION...]: of $directory/file
info() {
  "$sapbuf" replay "$directory/file" --info --json "${@:2}" >"$directory/info" || [[ $? == "$problems" ]] || die 'no info'
  jq --raw-output "$1" "$directory/info"
}

# recorded N: so many messages are in the file by now
recorded() { [[ -e $directory/file && $(info .messages) == "$1" ]]; }

# prefix SIZE TYPE: as --length-prefix has it
prefix() {
  local at word=$(($2 << 32 | $1))
  for at in 0 8 16 24 32 40; do
    # shellcheck disable=SC2059  # the format is the byte
    printf "\\x$(printf %02x $((word >> at & 255)))"
  done
}

# Of many sizes and types, and any bytes.
any_messages() {
  local size
  for size in 0 1 3 8 300 30000; do
    prefix "$size" "$((RANDOM * 2 + 1))"
    head -c "$size" /dev/urandom
  done
}

# recording_of N: lines 1 to N, in $directory/file
recording_of() {
  expect "$done" "$sapbuf" create "$stream"
  seq "$1" | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count "$1"
}

# can_compress
can_compress() { "$sapbuf" record "$stream" "$directory/probe" --compress --count 0 2>/dev/null; }

test_any_bytes_and_types_come_back() {
  expect "$done" "$sapbuf" create "$stream"
  any_messages >"$directory/in"
  "$sapbuf" pub "$stream" --length-prefix <"$directory/in" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count 6 --name archiver
  said 'recorded 6 messages'
  said 'lost nothing'
  expect "$done" "$sapbuf" create "$stream/copy"
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/copy"
  said 'published 6 messages'
  all_of "$stream/copy"
  cmp "$directory/in" "$directory/all"
  equal "$(info '"\(.stream) \(.finished) \(.messages) \(.lost) \(.damaged_places) \(.torn_bytes)"' --verify)" \
    "$stream true 6 0 0 0"
  expect "$done" "$sapbuf" replay "$directory/file" --info
  printed "a recording of $stream"
  printed '^6 messages'
  printed '^finished'
}

test_compressed_it_is_smaller_and_the_same() {
  recording_of 20000
  can_compress || skip 'built without zstd'
  expect "$done" "$sapbuf" record "$stream" "$directory/small" --count 20000 --compress
  (($(stat --format=%s "$directory/small") * 2 < $(stat --format=%s "$directory/file"))) || die 'not smaller'
  expect "$done" "$sapbuf" create "$stream/copy"
  expect "$done" "$sapbuf" replay "$directory/small" "$stream/copy" --as-fast-as-possible
  all_of "$stream"
  mv "$directory/all" "$directory/original"
  all_of "$stream/copy"
  cmp "$directory/original" "$directory/all"
}

# What came more than a quarter of a second before is in the file.
test_a_killed_recorder_leaves_what_it_had_written() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null
  eventually recorded 5000
  equal "$(info .being_recorded)" true
  kill_hard recorder
  equal "$(info '"\(.finished) \(.being_recorded) \(.messages)"')" 'false false 5000'
  printf 'half a block' >>"$directory/file"
  expect "$done" "$sapbuf" create "$stream/copy"
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/copy" --as-fast-as-possible
  said 'warning.*recorder was killed.*last 12 bytes'
  expect "$done" "$sapbuf" sub "$stream/copy" --idle-exit 0
  seq 5000 | cmp - "$directory/out"
}

# Killed while it writes as fast as it can: what is there is a beginning of what was sent, without a gap.
test_killed_in_the_middle_it_leaves_a_beginning() {
  local round
  seq 300000 >"$directory/in"
  for round in 1 2; do
    expect "$done" "$sapbuf" create "$stream" --slab-bytes 1MiB
    start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder
    start feed "$sapbuf" pub "$stream" "$directory/in"
    has_begun() { (($(stat --format=%s "$directory/file") > round * 500000 && $(info .messages) > 0)); }
    eventually has_begun
    kill_hard recorder
    expect "$done" "$watchdog" --once "$stream"
    ends feed "$done"
    expect "$done" "$sapbuf" rm "$stream"
    expect "$done" "$sapbuf" create "$stream" --slabs 8 --slab-bytes 4MiB
    expect "$done" "$sapbuf" replay "$directory/file" "$stream" --as-fast-as-possible
    expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
    head -n "$(wc -l <"$directory/out")" "$directory/in" | cmp - "$directory/out"
    [[ -s $directory/out ]] || die 'nothing was recorded'
    expect "$done" "$sapbuf" rm "$stream"
    rm "$directory/file"
  done
}

test_a_signal_finishes_the_file() {
  local signal
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  for signal in INT TERM; do
    start_attached recorder "$sapbuf" record "$stream" "$directory/file" --force --name recorder
    signal "$signal" recorder
    ends recorder "$done"
    equal "$(info '"\(.finished) \(.messages)"')" 'true 1' "after SIG$signal"
    status_holds '.participants == []' || die 'still attached'
  done
}

test_it_ends_after_a_time_and_where_no_more_comes() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --duration 30
  equal "$(info '"\(.finished) \(.messages)"')" 'true 0'
  seq 3 | "$sapbuf" pub "$stream" --finish 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --until-finished --force --sync-every 1
  equal "$(info .messages)" 3
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --until-finished --force --from newest
  equal "$(info .messages)" 0
}

test_losses_are_in_the_file() {
  expect "$done" "$sapbuf" create "$stream" --on-full overwrite --slab-bytes 64KiB
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder
  signal STOP recorder
  seq 100000 | "$sapbuf" pub "$stream" 2>/dev/null
  signal CONT recorder
  wrote_all() { [[ -n $(info 'select(.messages > 0 and .messages + .lost == 100000) | .lost') ]]; }
  eventually wrote_all
  signal INT recorder
  ends recorder "$done"
  local -r lost=$(info .lost)
  ((lost > 0)) || die 'nothing was lost'
  grep --quiet "warning: lost $(sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$lost") messages" "$directory/recorder.err" || die 'not told'
  expect "$done" "$sapbuf" create "$stream/copy" --slabs 4 --slab-bytes 4MiB
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/copy" --as-fast-as-possible
  said 'had been lost before they were recorded'
}

# Until the recorder, which is the only participant, has so many messages.
has_taken() { status_holds ".participants[0].delivered == $1"; }

# Three messages, with pauses between them that are told by their times.
test_the_pace_is_that_of_the_recording() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder --count 3
  local number begun_ms took_ms span_ms
  for number in 1 2 3; do
    echo "$number" | "$sapbuf" pub "$stream" 2>/dev/null
    if ((number < 3)); then eventually has_taken "$number"; fi
    sleep 0.15
  done
  ends recorder "$done"
  span_ms=$(info '(.last_ns - .first_ns) / 1000000 | floor')
  equal "$(info '.duration_ns == .last_ns - .first_ns')" true
  ((span_ms >= 250)) || die "recorded within $span_ms ms"
  for speed in 1 10; do
    begun_ms=$(date +%s%3N)
    expect "$done" "$sapbuf" replay "$directory/file" "$stream" --speed "$speed"
    took_ms=$(($(date +%s%3N) - begun_ms))
    ((took_ms >= span_ms / speed)) || die "speed $speed took $took_ms ms of $span_ms"
  done
  expect "$done" "$sapbuf" sub "$stream" --idle-exit 0
  printf '%s\n' 1 2 3 1 2 3 1 2 3 | cmp - "$directory/out"
}

test_a_part_of_the_time_can_be_replayed() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder --count 2
  echo early | "$sapbuf" pub "$stream" 2>/dev/null
  eventually has_taken 1
  sleep 0.3
  echo late | "$sapbuf" pub "$stream" 2>/dev/null
  ends recorder "$done"
  local -r first_ms=$(info '.first_ns / 1000000 | floor') last_ms=$(info '.last_ns / 1000000 | floor')
  expect "$done" "$sapbuf" create "$stream/late"
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/late" --from-time $((first_ms + 1))
  expect "$done" "$sapbuf" sub "$stream/late" --idle-exit 0
  equal "$(cat "$directory/out")" late
  expect "$done" "$sapbuf" create "$stream/early"
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/early" --to-time $((last_ms - 1))
  expect "$done" "$sapbuf" sub "$stream/early" --idle-exit 0
  equal "$(cat "$directory/out")" early
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/early" --from-time $((last_ms + 1))
  said 'no messages there'
}

test_info_takes_nothing_that_is_for_publishing() {
  recording_of 3
  local option
  for option in "$stream" --loop --finish --speed=2 --as-fast-as-possible --from-time=1 --to-time=1 --name=x; do
    expect "$usage" "$sapbuf" replay "$directory/file" --info "$option"
  done
}

test_a_loop_ends_with_a_signal() {
  recording_of 3
  expect "$done" "$sapbuf" create "$stream/copy" --on-full overwrite
  start looper "$sapbuf" replay "$directory/file" "$stream/copy" --as-fast-as-possible --loop
  runs_on() { (($("$sapbuf" sub "$stream/copy" --idle-exit 0 2>/dev/null | wc -l) > 6)); }
  eventually runs_on
  signal INT looper
  ends looper "$done"
}

test_a_signal_ends_a_long_wait() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder --count 2
  echo 1 | "$sapbuf" pub "$stream" 2>/dev/null
  eventually has_taken 1
  sleep 0.1
  echo 2 | "$sapbuf" pub "$stream" 2>/dev/null
  ends recorder "$done"
  start_attached player "$sapbuf" replay "$directory/file" "$stream" --name player --speed 0.0001
  signal TERM player
  ends player "$failure"
  grep --quiet 'stopped by a signal: 1 message published, the rest of the input was not' "$directory/player.err" ||
    die 'not told'
}

test_a_flipped_bit_is_told_and_costs_its_block() {
  expect "$done" "$sapbuf" create "$stream"
  echo needle | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count 1
  local -r place=$(grep --only-matching --byte-offset --text needle "$directory/file" | cut -d: -f1)
  printf 'N' | dd of="$directory/file" bs=1 seek="$place" conv=notrunc status=none
  equal "$(info .damaged_places --verify)" 1
  expect "$problems" "$sapbuf" replay "$directory/file" --info --verify
  printed 'damaged in 1 place'
  printed '^missing: 1 of 1 message$'
  expect "$failure" "$sapbuf" replay "$directory/file" "$stream" --as-fast-as-possible
  said 'error.*damaged in 1 place'
}

test_a_last_block_that_is_no_block_is_damage_of_a_finished_recording() {
  local place
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count 10
  place=$(grep --only-matching --byte-offset --text SbBk "$directory/file" | sed -n '2s/:.*//p')
  printf 'X' | dd of="$directory/file" bs=1 seek="$place" conv=notrunc status=none
  equal "$(info '"\(.finished) \(.messages) \(.damaged_places) \(.torn_bytes)"' --verify)" 'true 0 1 0'
  expect "$problems" "$sapbuf" replay "$directory/file" --info --verify
  printed 'damaged in 1 place'
  expect "$failure" "$sapbuf" replay "$directory/file" "$stream" --as-fast-as-possible
  said 'error.*damaged in 1 place'
}

# What a block had whose header is damaged says the index; without one, nobody knows.
test_what_is_missing_is_told_where_it_can_be_known() {
  local place
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count 10
  equal "$(info .missing_messages)" null 'missing by the index alone'
  equal "$(info .missing_messages --verify)" 0 'missing'
  place=$(grep --only-matching --byte-offset --text SbBk "$directory/file" | sed -n '2s/:.*//p')
  printf 'X' | dd of="$directory/file" bs=1 seek="$place" conv=notrunc status=none
  equal "$(info '"\(.messages) \(.damaged_messages) \(.missing_messages)"' --verify)" '0 0 10'
  expect "$problems" "$sapbuf" replay "$directory/file" --info --verify
  printed '^missing: 10 of 10 messages$'
  truncate --size -1 "$directory/file"
  equal "$(info .missing_messages --verify)" null 'missing without an end'
}

test_a_full_disk_is_told_and_leaves_what_has_room() {
  expect "$done" "$sapbuf" create "$stream" --slabs 4 --slab-bytes 4MiB
  seq 200000 | "$sapbuf" pub "$stream" 2>/dev/null
  # shellcheck disable=SC2016  # the inner shell's variables
  expect "$failure" bash -c 'ulimit -f 2500; exec "$0" record "$1" "$2" --until-finished --duration 5000' "$sapbuf" "$stream" "$directory/file"
  said 'error: cannot write to .*file: File too large'
  said 'can be replayed'
  said 'error: .* messages that came last are not in it'
  local -r dropped=$(sed --quiet 's/.*error: \([0-9,]*\) messages that came last.*/\1/p' "$directory/err" | tr --delete ,)
  if grep --quiet 'lost nothing' "$directory/err"; then die 'it lost what came last'; fi
  equal "$(info '"\(.finished) \(.lost)"')" "true $dropped" 'what the file says that it lacks'
  local -r messages=$(info .messages --verify)
  ((messages > 0 && messages < 200000)) || die "$messages messages"
  expect "$done" "$sapbuf" create "$stream/copy" --slabs 4 --slab-bytes 4MiB
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/copy" --as-fast-as-possible
  expect "$done" "$sapbuf" sub "$stream/copy" --idle-exit 0
  seq "$messages" | cmp - "$directory/out"
}

test_what_a_full_disk_kept_out_comes_to_the_next_durable_recorder() {
  expect "$done" "$sapbuf" create "$stream" --slabs 4 --slab-bytes 4MiB --durable-readers 1
  expect "$done" "$sapbuf" record "$stream" "$directory/none" --durable --name audit --count 0
  seq 200000 | "$sapbuf" pub "$stream" --finish 2>/dev/null
  # shellcheck disable=SC2016  # the inner shell's variables
  expect "$failure" bash -c 'ulimit -f 2500; exec "$@"' - \
    "$sapbuf" record "$stream" "$directory/first" --durable --name audit --duration 5000
  said 'are not in it, and come to the next recorder named audit'
  cp "$directory/first" "$directory/file"
  equal "$(info .lost)" 0 'of what comes again'
  expect "$done" "$sapbuf" record "$stream" "$directory/second" --durable --name audit --until-finished
  expect "$done" "$sapbuf" create "$stream/copy" --slabs 8 --slab-bytes 4MiB
  expect "$done" "$sapbuf" replay "$directory/first" "$stream/copy" --as-fast-as-possible
  expect "$done" "$sapbuf" replay "$directory/second" "$stream/copy" --as-fast-as-possible
  expect "$done" "$sapbuf" sub "$stream/copy" --idle-exit 0
  seq 200000 | cmp - "$directory/out"
}

# What fails at its file has not been there, to the stream.
test_a_recorder_without_a_file_leaves_the_stream_as_it_was() {
  expect "$done" "$sapbuf" create "$stream" --durable-readers 1 --retain
  echo precious >"$directory/file"
  expect "$failure" "$sapbuf" record "$stream" "$directory/file" --durable --name audit
  expect "$failure" "$sapbuf" record "$stream" "$directory/missing/file" --durable --name audit
  expect "$failure" "$sapbuf" record "$stream" "$directory/missing/file"
  equal "$(status '.facilities[0] | [.awaits_first_reader, (.durable_readers | length)] | tostring')" '[true,0]'
  # And what fails at the stream leaves no file, and the one that was there.
  expect "$done" "$sapbuf" create "$stream/plain"
  expect "$usage" "$sapbuf" record "$stream/plain" "$directory/new" --durable --name audit
  said 'durable-readers'
  [[ ! -e $directory/new ]] || die 'an empty file was left behind'
  expect "$usage" "$sapbuf" record "$stream/plain" "$directory/file" --force --durable --name audit
  equal "$(cat "$directory/file")" precious
}

test_what_is_there_is_not_written_over() {
  expect "$done" "$sapbuf" create "$stream"
  echo precious >"$directory/file"
  expect "$failure" "$sapbuf" record "$stream" "$directory/file" --count 0
  said 'file exists.*--force'
  equal "$(cat "$directory/file")" precious
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --force --name recorder
  expect "$failure" "$sapbuf" record "$stream" "$directory/file" --force --count 0
  said 'somebody else records to it'
  signal INT recorder
  ends recorder "$done"
  expect "$failure" "$sapbuf" record "$stream" "$directory" --count 0 --force
  expect "$no_segment" "$sapbuf" record "$stream.missing" "$directory/file" --force
  equal "$(info .finished)" true 'what is in the file'
}

test_a_message_that_does_not_fit_is_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 4MiB
  { echo before; head -c 100000 /dev/zero | tr '\0' x; echo; echo behind; } | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --count 3
  expect "$done" "$sapbuf" create "$stream/small" --slab-bytes 64KiB
  expect "$failure" "$sapbuf" replay "$directory/file" "$stream/small" --as-fast-as-possible
  said 'error: the message of 100,000 bytes'
  expect "$done" "$sapbuf" sub "$stream/small" --idle-exit 0
  printf '%s\n' before behind | cmp - "$directory/out"
}

test_a_removed_stream_ends_both() {
  recording_of 3
  start_attached recorder "$sapbuf" record "$stream" "$directory/other" --name recorder
  expect "$done" "$sapbuf" rm "$stream" --force
  ends recorder "$no_segment"
  expect "$done" "$sapbuf" replay "$directory/other" --info --json
  json_holds '.finished and .messages == 3'
  expect "$no_segment" "$sapbuf" replay "$directory/file" "$stream"
}

test_a_durable_recorder_that_is_killed_leaves_nothing_out() {
  expect "$done" "$sapbuf" create "$stream" --durable-readers 1
  start_attached audit "$sapbuf" record "$stream" "$directory/first" --durable --name audit
  # shellcheck disable=SC2016  # the inner shell's variables
  start writing bash -c 'for ((i = 0; i < 50; ++i)); do seq $((i * 100 + 1)) $((i * 100 + 100)); sleep 0.002; done | "$0" pub "$1" --finish' "$sapbuf" "$stream"
  eventually status_holds 'any(.participants[]; .name == "audit" and .delivered > 500)'
  kill_hard audit
  ends writing "$done"
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --durable --name audit --until-finished
  expect "$done" "$sapbuf" create "$stream/copy" --slabs 8
  expect "$done" "$sapbuf" replay "$directory/first" "$stream/copy" --as-fast-as-possible
  expect "$done" "$sapbuf" replay "$directory/file" "$stream/copy" --as-fast-as-possible
  "$sapbuf" sub "$stream/copy" --idle-exit 0 2>/dev/null >"$directory/all"
  sort -n -u "$directory/all" | cmp - <(seq 5000)  # what was under way at the kill may come twice
}

test_what_was_given_up_for_a_durable_recorder_is_lost() {
  expect "$done" "$sapbuf" create "$stream" --slabs 4 --slab-bytes 16KiB --durable-readers 1
  expect "$done" "$sapbuf" record "$stream" "$directory/first" --durable --name audit --keep-bytes 32KiB --duration 1
  seq 20000 | "$sapbuf" pub "$stream" --finish 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --durable --name audit --until-finished
  said 'messages were gone before this reader came, and are not in the recording'
  equal "$(info '.messages + .lost')" 20000
  (($(info .lost) > 0)) || die 'nothing was given up'
  said "lost $(sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$(info .lost)") messages, whose slabs were needed"
}

test_what_a_first_durable_recorder_leaves_out_is_not_lost() {
  expect "$done" "$sapbuf" create "$stream" --durable-readers 1
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" record "$stream" "$directory/file" --durable --name audit --from newest --duration 1
  equal "$(info '"\(.messages) \(.lost)"')" '0 0'
  if grep --quiet 'gone before' "$directory/err"; then die 'it was told to leave them out'; fi
}

test_waits_for_a_stream_that_is_to_come() {
  start waiting "$sapbuf" record "$stream" "$directory/file" --wait --until-finished
  eventually grep --quiet 'waiting for' "$directory/waiting.err"
  expect "$done" "$sapbuf" create "$stream"
  seq 10 | "$sapbuf" pub "$stream" --finish 2>/dev/null
  ends waiting "$done"
  equal "$(info .messages)" 10
  expect "$done" "$sapbuf" record none-there "$directory/none" --wait --duration 50
  said 'there was no none-there, and nothing is recorded'
  [[ ! -e $directory/none ]] || die 'a file of nothing'
}

test_wrong_arguments() {
  recording_of 1
  expect "$usage" "$sapbuf" record "$stream"
  expect "$usage" "$sapbuf" record "$stream" "$directory/new" --from yesterday
  expect "$usage" "$sapbuf" record "$stream" "$directory/new" --sync-every 0
  expect "$usage" "$sapbuf" replay "$directory/file"
  said 'NAME is required'
  expect "$usage" "$sapbuf" replay "$directory/file" "$stream" --speed 0
  expect "$usage" "$sapbuf" replay "$directory/file" "$stream" --speed fast
  expect "$usage" "$sapbuf" replay "$directory/file" "$stream" --speed 2 --as-fast-as-possible
  expect "$usage" "$sapbuf" replay "$directory/file" "$stream" --from-time 2 --to-time 1
  expect "$usage" "$sapbuf" replay "$directory/file" "$stream" --json
  expect "$failure" "$sapbuf" replay "$directory/missing" "$stream"
  said 'no such file'
  echo text >"$directory/text"
  expect "$failure" "$sapbuf" replay "$directory/text" --info
  said 'no recording'
  [[ ! -e $directory/new ]] || die 'a file was made'
}

run_cases
