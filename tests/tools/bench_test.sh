#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

: "${SAPBUF_BENCH:?the path of sapbuf-bench}"

test_names_its_scenarios() {
  expect "$done" "$SAPBUF_BENCH" --list
  local scenario
  for scenario in calls one-to-one latency recovery memory; do printed "^$scenario "; done
}

test_tells_figures_and_goals_to_programs() {
  expect "$done" "$SAPBUF_BENCH" --quick --json memory recovery
  jq --slurp --exit-status 'map(select(.scenario == "recovery" and .what == "with watchdog" and .median > 0)) | length == 1' \
    "$directory/out" >/dev/null || die "no recovery with the watchdog"
  jq --slurp --exit-status 'map(select(.goal != null and .unit == "MiB" and .met)) | length == 1' "$directory/out" \
    >/dev/null || die "a default segment is too big"
}

test_writes_pictures_and_a_page() {
  expect "$done" "$SAPBUF_BENCH" --quick recovery --pictures "$directory/pictures" --report "$directory/page.html"
  printed 'without watchdog'
  grep --quiet '</svg>' "$directory/pictures/recovery.svg" || die "no picture"
  grep --quiet 'without watchdog' "$directory/page.html" || die "no figures on the page"
}

test_leaves_no_stream_behind() {
  expect "$done" "$SAPBUF_BENCH" --quick upkeep idleness --watchdog ''
  local left
  left=$(compgen -G '/dev/shm/sapbuf.bench.*' || true)
  equal "$left" '' 'streams left behind'
}

test_ends_cleanly_when_it_is_asked_to() {
  "$SAPBUF_BENCH" one-to-one &>"$directory/out" &
  local -r bench=$!
  eventually compgen -G '/dev/shm/sapbuf.bench.*' >/dev/null
  kill -TERM "$bench"
  local status=0
  wait "$bench" || status=$?
  equal "$status" "$failure" 'exit code'
  grep --quiet 'ended before it was done' "$directory/out" || die "it does not say so"
  equal "$(compgen -G '/dev/shm/sapbuf.bench.*' || true)" '' 'streams left behind'
}

test_wrong_arguments() {
  expect "$usage" "$SAPBUF_BENCH" no-such-scenario
  said '--list'
  expect "$usage" "$SAPBUF_BENCH" --rounds 0 memory
  expect "$failure" "$SAPBUF_BENCH" memory --report "$directory/no/such/folder/page.html"
  said 'cannot write'
}

run_cases
