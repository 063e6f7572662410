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

test_wrong_arguments() {
  expect "$usage" "$sapbuf" dump
  expect "$usage" "$sapbuf" dump "$stream" --no-such-option
  expect "$no_segment" "$sapbuf" dump "$stream"
}

run_cases
