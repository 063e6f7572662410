#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

test_shows_the_frames() {
  expect "$done" "$sapbuf" create "$stream"
  printf 'first line\nsecond line\n' | "$sapbuf" pub "$stream" 2>/dev/null
  expect "$done" "$sapbuf" dump "$stream"
  printed 'first line'
  printed 'second line'
  equal "$(status '[(.participants | length), .departed.participants] | @csv')" 0,1 'attached, departed'
}

test_works_when_everybody_is_dead() {
  expect "$done" "$sapbuf" create "$stream"
  mkfifo "$directory/input"
  start_attached writer "$sapbuf" pub "$stream" --name writer "$directory/input"
  exec {input}>"$directory/input"
  printf 'last words\n' >&"$input"
  eventually status_holds '.participants[0].committed == 1'
  kill_hard writer
  exec {input}>&-
  expect "$done" "$sapbuf" dump "$stream"
  printed 'last words'
  equal "$(status '.participants[0].state')" dead state
}

test_an_empty_stream_has_no_messages() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" dump "$stream"
}

test_payloads_steer_no_terminal() {
  expect "$done" "$sapbuf" create "$stream"
  printf 'tab\t cr\r esc\033[2J del\177 \\x \303\251 \233 %%\n' | "$sapbuf" pub "$stream" 2>/dev/null
  local shown='tab\t cr\r esc\x1b[2J del\x7f \\x \xc3\xa9 \x9b %'
  expect "$done" "$sapbuf" dump "$stream"
  grep --quiet --fixed-strings -- "$shown" "$directory/out" || die "not shown so: $(cat "$directory/out")"
  if LC_ALL=C grep --quiet '[^ -~]' "$directory/out"; then die 'not all is printable ASCII'; fi
}

test_ends_when_nobody_reads_its_output() {
  expect "$done" "$sapbuf" create "$stream"
  seq 50000 | "$sapbuf" pub "$stream" 2>/dev/null
  local -a codes
  set +o pipefail
  "$sapbuf" dump "$stream" 2>/dev/null | head -n 1 >/dev/null
  codes=("${PIPESTATUS[@]}")
  set -o pipefail
  equal "${codes[0]}" "$done" 'exit status behind a closed pipe'
}

config() { printf '%s/config' "$stream"; }
put() { printf '%s' "$2" | "$sapbuf" map put "$(config)" "$1" 2>"$directory/err" || die "not put: $*"; }

# A segment without a stream, and a map in it.
map_of() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" map create "$(config)" --value-bytes 128
}

test_shows_a_maps_entries() {
  map_of
  expect "$done" "$sapbuf" dump "$(config)"
  said '0 entries'
  put limits one
  put limits three
  put "$(printf 'esc\033[2J')" "$(printf 'x%.0s' {1..70})"
  expect "$done" "$sapbuf" dump "$(config)"
  said '2 entries'
  printed '^ *ENTRY  *LIFE  STATE  *VERSION  *SIZE  *BUFFER  CLAIMED BY  *KEY  *VALUE$'
  printed '^ *0  *1  used  *2  *5  *[0-9]*  -  *limits  *three$'
  printed '^ *1  *1  used  *1  *70  *[0-9]*  -  *esc\\x1b\[2J  *x*\.\.\.$'
  expect "$done" "$sapbuf" dump "$(config)" --json
  equal "$(jq --compact-output '[.entry, .life, .state, .key, .version, .size, .excerpt, .claimed_by]' "$directory/out" | head -n 1)" \
    '[0,1,"used","limits",2,5,"three",null]' 'first entry'
  equal "$(status '[.facilities[].participants[]?] | length')" 0 attached
}

test_shows_who_has_a_maps_entry_claimed() {
  [[ -n ${SAPBUF_MAP_USER:-} ]] || skip 'needs the program map_user: SAPBUF_MAP_USER'
  map_of
  put k one
  start owner "$SAPBUF_MAP_USER" "$stream" config k owner
  eventually grep --quiet --no-messages mine "$directory/owner.out"
  kill_hard owner  # with the key
  expect "$done" "$sapbuf" dump "$(config)"
  printed '  slot [0-9]* owner  *k  *one$'
  expect "$done" "$sapbuf" dump "$(config)" --json
  json_holds '.key == "k" and .claimed_by.name == "owner" and .excerpt == "one"'
  expect "$done" "$watchdog" --once "$stream"
  expect "$done" "$sapbuf" dump "$(config)"
  printed '  -  *k  *one$'
}

test_shows_a_queues_blocks() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  printf 'first job\nsecond job\n' | "$sapbuf" queue push "$stream/jobs" 2>/dev/null
  expect "$done" "$sapbuf" dump "$stream/jobs"
  printed '^ *[0-9,]*  *0  queued .* first job$'
  expect "$done" "$sapbuf" dump "$stream/jobs" --json
  equal "$(jq --raw-output .content "$directory/out")" $'first job\nsecond job' contents
}

test_says_what_it_does_not_show() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:4KiB:4
  expect "$failure" "$sapbuf" dump "$stream/frames"
  said "$stream/frames is a pool: 'sapbuf status $stream/frames' shows it"
  expect "$no_segment" "$sapbuf" dump "$stream/none"
  said "has no stream 'none'"
  expect "$no_segment" "$sapbuf" dump "$stream.2/none"
}

test_wrong_arguments() {
  expect "$usage" "$sapbuf" dump
  expect "$usage" "$sapbuf" dump "$stream" --no-such-option
  expect "$no_segment" "$sapbuf" dump "$stream"
}

run_cases
