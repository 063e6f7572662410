#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# SIGINT and SIGTERM end every tool cleanly: exit status 0, or 1 where something was not done that it was to do, and
# nothing is left attached.

# ends_on_both CODE NAME COMMAND...
ends_on_both() {
  local signal
  for signal in INT TERM; do
    start_attached "${@:2}"
    signal "$signal" "$2"
    ends "$2" "$1"
    status_holds '.participants == []' || die "$2 is still attached after SIG$signal"
  done
  equal "$(status '.journal | length')" 0 'entries in the journal'
}

# told_of_the_rest NAME DONE
told_of_the_rest() {
  grep --quiet "stopped by a signal: [0-9,]* [a-z]* $2, the rest of the input was not" "$directory/$1.err" ||
    die "it says: $(cat "$directory/$1.err")"
}

test_sub_that_waits() {
  expect "$done" "$sapbuf" create "$stream"
  ends_on_both "$done" reader "$sapbuf" sub "$stream" --name reader
}

test_a_hangup_ends_as_well_unless_it_is_ignored() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal HUP reader
  ends reader "$done"
  start_attached recorder "$sapbuf" record "$stream" "$directory/file" --name recorder
  signal HUP recorder
  ends recorder "$done"
  "$sapbuf" replay "$directory/file" --info --json >"$directory/out"
  json_holds .finished
  start_attached steady env --ignore-signal=HUP "$sapbuf" sub "$stream" --name steady
  (((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' "/proc/${process[steady]}/status") & 1) == 1)) || die 'it takes notice'
  signal TERM steady
  ends steady "$done"
}

# limited COMMAND...: to files of 1 KiB; its words go elsewhere
limited() { (ulimit -f 1 && exec "$@" >"$directory/out" 2> >(cat >"$directory/err")); }

test_a_limit_of_a_files_size_is_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 2000 | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" map create "$stream/config" --value-bytes 4KiB
  head -c 4000 /dev/zero | "$sapbuf" map put "$stream/config" key
  local status=0
  limited "$sapbuf" sub "$stream" --from oldest --idle-exit 0 || status=$?
  equal "$status" "$failure" 'exit status of sub'
  eventually grep --quiet 'cannot write to standard output: File too large' "$directory/err"
  status=0
  limited "$sapbuf" map export "$stream/config" || status=$?
  equal "$status" "$failure" 'exit status of map export'
}

test_sub_that_holds() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  ends_on_both "$done" holder "$sapbuf" sub "$stream" --name holder --hold
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
  ends_on_both "$failure" writer "$sapbuf" pub "$stream" --name writer "$directory/input"
  exec {input}>&-
  told_of_the_rest writer 'published'
}

test_pub_that_waits_for_somebody_to_open_its_input() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  ends_on_both "$failure" writer "$sapbuf" pub "$stream" --name writer "$directory/input"
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
    ends writer "$failure"
    told_of_the_rest writer published
  done
  signal CONT holder
}

test_pub_in_full_flight() {
  expect "$done" "$sapbuf" create "$stream"
  seq 100000 >"$directory/in"
  ends_on_both "$failure" writer "$sapbuf" pub "$stream" --name writer --repeat 1000000 "$directory/in"
}

# A map whose pool has not a buffer left for a third value.
map_without_room() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" pool create "$stream/values" --buffer-bytes 128 --count 2
  expect "$done" "$sapbuf" map create "$stream/config" --keys 8 --pool values
  local key
  for key in one two; do "$sapbuf" map put "$stream/config" "$key" <<<value || die "not put: $key"; done
}

somebody_waits_for_a_buffer() { status_holds '.facilities[] | select(.name == "values") | .waiting > 0'; }
nobody_is_attached() { status_holds '[.facilities[].participants[]] == []'; }

# waits_for_a_buffer COMMAND...: with $directory/in as its input; ends on both signals, having failed
waits_for_a_buffer() {
  local signal
  for signal in INT TERM; do
    # shellcheck disable=SC2016  # the inner shell's arguments
    start editor bash -c 'exec "$@" <"$0"' "$directory/in" "$@"
    eventually somebody_waits_for_a_buffer
    signal "$signal" editor
    ends editor "$failure"
    nobody_is_attached || die "still attached after SIG$signal"
  done
}

test_map_put_that_waits_for_a_buffer() {
  map_without_room
  echo value >"$directory/in"
  waits_for_a_buffer "$sapbuf" map put "$stream/config" three --timeout 600000
  [[ ! -s $directory/editor.err ]] || die "it says: $(cat "$directory/editor.err")"
}

test_map_import_that_waits_for_a_buffer() {
  map_without_room
  echo '{"key":"three","value":"value"}' >"$directory/in"
  waits_for_a_buffer "$sapbuf" map import "$stream/config" --timeout 600000
  equal "$(cat "$directory/editor.err")" "sapbuf: imported 0 keys into $stream/config" 'what it says'
}

test_map_rm_that_waits_for_another_editor() {
  [[ -n ${SAPBUF_MAP_USER:-} ]] || skip 'needs the program map_user: SAPBUF_MAP_USER'
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" map create "$stream/config"
  "$sapbuf" map put "$stream/config" key <<<value || die 'not put'
  start owner "$SAPBUF_MAP_USER" "$stream" config key owner
  eventually grep --quiet --no-messages mine "$directory/owner.out"
  local signal
  for signal in INT TERM; do
    start editor "$sapbuf" map rm "$stream/config" key --timeout 600000
    eventually status_holds '.facilities[] | select(.name == "config") | any(.participants[]; .waits > 0)'
    signal "$signal" editor
    ends editor "$failure"
    [[ ! -s $directory/editor.err ]] || die "it says: $(cat "$directory/editor.err")"
  done
  equal "$("$sapbuf" map get "$stream/config" key)" value 'the value'
}

has_been_read() { ! read -r -t 0 -u "$input"; }

# interrupted_at_the_end_of INPUT CODE COMMAND...: by both signals. On the shell's processor, and of the lowest
# priority, it does not run before its input has ended, too: as in a pipeline whose processes all get the signal.
interrupted_at_the_end_of() {
  local signal
  local -r patience_s=300  # beside those who want the processor, too
  chrt --idle 0 true 2>/dev/null || skip 'needs leave to lower a priority'
  local processor
  processor=$(taskset --cpu-list --pid "$BASHPID" | sed 's/.*: //; s/[,-].*//')
  taskset --cpu-list --pid "$processor" "$BASHPID" >"$directory/out"
  mkfifo "$directory/input"
  for signal in INT TERM; do
    exec {input}<>"$directory/input"
    printf '%s' "$1" >&"$input"
    chrt --idle 0 "${@:3}" <"$directory/input" 2>"$directory/tool.err" {input}>&- &
    process[tool]=$!
    eventually has_been_read
    signal "$signal" tool
    exec {input}>&-
    ends tool "$2"
  done
}

test_map_put_whose_input_ends_with_the_signal() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" map create "$stream/config"
  interrupted_at_the_end_of half "$failure" "$sapbuf" map put "$stream/config" key
  expect "$failure" "$sapbuf" map get "$stream/config" key
}

test_map_import_whose_input_ends_with_the_signal() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" map create "$stream/config"
  interrupted_at_the_end_of '{"key":"key","value":"value"}' "$failure" "$sapbuf" map import "$stream/config"
  expect "$failure" "$sapbuf" map get "$stream/config" key
}

test_queue_push_whose_input_ends_with_the_signal() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  interrupted_at_the_end_of $'line\nhalf' "$failure" "$sapbuf" queue push "$stream/jobs"
  equal "$("$sapbuf" queue pop "$stream/jobs" --idle-exit 0 2>/dev/null | tr '\n' ' ')" 'line line ' 'what went in'
}

test_pub_whose_input_ends_with_the_signal() {
  expect "$done" "$sapbuf" create "$stream"
  interrupted_at_the_end_of $'line\nhalf' "$failure" "$sapbuf" pub "$stream"
  equal "$("$sapbuf" sub "$stream" --from oldest --idle-exit 0 2>/dev/null | tr '\n' ' ')" 'line line ' 'what was published'
}

run_cases
