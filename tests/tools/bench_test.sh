#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

: "${SAPBUF_BENCH:?the path of sapbuf-bench}"

test_names_its_scenarios() {
  expect "$done" "$SAPBUF_BENCH" --list
  local scenario
  for scenario in calls one-to-one latency recovery pool-hits waste memory; do printed "^$scenario "; done
}

# The page's examples name scenarios that there are.
test_its_manual_page_is_true() {
  local -a names
  mapfile -t names < <(sed --quiet 's/\\//g; s/^sapbuf-bench \(--quick \)\?\([a-z][a-z-]*\).*/\2/p' \
    "$(dirname "$0")/../../tools/sapbuf_bench/sapbuf-bench.man")
  ((${#names[@]} > 0)) || die 'no examples'
  expect "$done" "$SAPBUF_BENCH" --list
  local name
  for name in "${names[@]}"; do printed "^${name}[ -]"; done
}

test_tells_figures_and_goals_to_programs() {
  expect "$done" "$SAPBUF_BENCH" --quick --json memory recovery
  jq --slurp --exit-status 'map(select(.scenario == "recovery" and .what == "with watchdog" and .median > 0)) | length == 1' \
    "$directory/out" >/dev/null || die "no recovery with the watchdog"
  jq --slurp --exit-status 'map(select(.goal != null and .unit == "MiB" and .met)) | length == 1' "$directory/out" \
    >/dev/null || die "a default segment is too big"
}

test_says_which_share_of_a_slab_holds_no_message() {
  expect "$done" "$SAPBUF_BENCH" --quick --json waste
  waste_holds() { jq --slurp --exit-status "$1" "$directory/out" >/dev/null || die "not so: $1"; }
  local at
  for at in 8 4096 8192 61440; do
    waste_holds "def of(\$what): map(select(.scenario == \"waste\" and .at == $at and .what == \$what)) | first.median;
      of(\"limit: whole messages\") as \$least |
      [of(\"sapbuf per_writer\"), of(\"sapbuf total\")] | all(. >= \$least and . < 100)"
  done
  # In total order, messages stand back to back.
  waste_holds 'map(select(.scenario == "waste-beyond" and .what == "sapbuf total")) | first.median < 1'
  local order
  for order in per_writer 'per_writer batch 32' total 'total batch 32'; do
    waste_holds "map(select(.goal == \"waste of a slab, $order, any size, beyond whole messages\" and .bound == 5)) | length == 1"
  done
}

test_says_how_far_apart_the_cores_were() {
  expect "$done" "$SAPBUF_BENCH" --quick --json one-to-one
  if (($(nproc) > 1)); then
    jq --slurp --exit-status 'map(select(.what)) | all(.cache_line_ns > 0)' "$directory/out" >/dev/null ||
      die "a figure without the distance of its cores"
    jq --slurp --exit-status 'map(select(.goal)) | all(.cores | IN("near", "far", "mixed"))' "$directory/out" >/dev/null ||
      die "a goal without the distance of its cores"
  fi
  jq --slurp --exit-status 'map(select(.what == "limit")) | length == 5 and
    all(.note | IN("stores in place", "memcpy", "rep movsb", "streaming stores"))' "$directory/out" >/dev/null ||
    die "no limit, or nobody knows which"
  local goal
  for goal in 'one to one, 64 B, against the limit>=0.95' 'one to one, 4096 B, against the limit>=0.95' \
    'one to one, 16 B, batches of 32 against single messages>=1' \
    'total order, 16 B, batches of 32 against single messages>=1'; do
    jq --slurp --exit-status --arg goal "${goal%>=*}" --argjson bound "${goal#*>=}" \
      'map(select(.goal == $goal and .bound == $bound and .at_least)) | length >= 1' "$directory/out" >/dev/null ||
      die "no such goal: $goal"
  done
  # Where DPDK is installed.
  jq --slurp --exit-status 'any(.what == "DPDK rte_ring") | not' "$directory/out" >/dev/null && return
  for goal in 'one to one, 16 B, against rte_ring>=6' 'one to one, 64 B, against rte_ring bulk 32>=1.8' \
    'total order, one to one, 16 B, against rte_ring>=2'; do
    jq --slurp --exit-status --arg goal "${goal%>=*}" --argjson bound "${goal#*>=}" \
      'map(select(.goal == $goal and .bound == $bound and .at_least)) | length >= 1' "$directory/out" >/dev/null ||
      die "no such goal: $goal"
  done
}

test_measures_a_pool_beside_its_peers() {
  expect "$done" "$SAPBUF_BENCH" --quick --json pool
  holds() { jq --slurp --exit-status "$@" "$directory/out" >/dev/null || die "not so: $*"; }
  local name
  for name in singly bursts sizes hand-over hand-over-alone adopt adopt-at-once at-once starving death growth memory; do
    holds --arg name "pool-$name" 'map(select(.scenario == $name)) | length >= 1 and all(.median > 0)'
  done
  holds 'map(.scenario // "pool-") | all(startswith("pool-"))'
  local at
  for at in 64 4096 1048576; do
    holds --argjson at "$at" 'map(select(.scenario == "pool-singly" and .at == $at) | .what) as $all |
      ["sapbuf pool, 2 users", "sapbuf pool, 64 users", "malloc", "boost::lockfree::stack",
        "Boost managed_shared_memory"] | all(. as $one | $all | index($one))'
  done
  local goal
  for goal in 'buffer of 64 B, singly, 64 users against 2<=1.05' 'adopt + release, 16 holders, against a mask<=0.1' \
    'acquire here, release there, against Boost managed_shared_memory<=0.05' \
    'acquire + release, two processes at once against one>=1.9' 'starving, owners stopped -> served<=100' \
    'end of one who holds 100,000 buffers -> all free<=2'; do
    holds --arg goal "${goal%[<>]=*}" --argjson bound "${goal#*=}" \
      'map(select(.goal == $goal and .bound == $bound)) | length >= 1'
  done
  holds 'map(select(.goal == "memory of a pool beside its buffers" and .bound == 10)) | length == 1'
  # Where their packages are installed.
  for name in 'DPDK rte_mempool, cache:rte_mempool with cache<=0.4' 'mimalloc:mimalloc<=1'; do
    jq --slurp --exit-status --arg name "${name%%:*}" 'any(.what == $name) | not' "$directory/out" >/dev/null && continue
    goal=${name#*:}
    holds --arg goal "buffer of 64 B, in bursts, against ${goal%<=*}" --argjson bound "${goal#*<=}" \
      'map(select(.goal == $goal and .bound == $bound and (.at_least | not))) | length == 1'
  done
}

test_measures_maps_and_queues_beside_their_peers() {
  expect "$done" "$SAPBUF_BENCH" --quick --json map queue
  holds() { jq --slurp --exit-status "$@" "$directory/out" >/dev/null || die "not so: $*"; }
  # measures SCENARIO "AT..." "PEER..."
  measures() {
    holds --arg scenario "$1" --argjson ats "[$2]" --argjson peers "[$3]" 'map(select(.scenario == $scenario)) as $all |
      $ats | all(. as $at | $all | map(select(.at == $at and .median > 0) | .what) as $there |
        $peers | all(. as $one | $there | index($one)))'
  }
  local -r maps='"sapbuf map", "rwlock", "Boost managed map", "seqlock (limit)"'
  measures map-read '16, 64, 4096, 65536' "$maps, \"sapbuf map, by key\""
  measures map-keys 1000 "$maps"
  measures map-keys-skewed 1000 "$maps"
  measures map-readers '1, 8' "$maps, \"sapbuf map, a writer\", \"sapbuf map, two writers\""
  measures map-recovery 0 '"with watchdog", "without watchdog"'
  local -r queues='"sapbuf queue", "sapbuf queue batch 32", "sapbuf queue batch 42", "boost::lockfree", "mutex and condition"'
  local ends
  for ends in queue queue-2 queue-4; do measures "$ends" '64, 65536' "$queues"; done
  local goal
  for goal in 'map: 64 B read, against a seqlock<=1.5' 'map: read beside a writer that never stops, against alone>=0.8'; do
    holds --arg goal "${goal%[<>]=*}" --argjson bound "${goal#*=}" \
      'map(select(.goal == $goal and .bound == $bound)) | length >= 1'
  done
}

test_writes_pictures_and_a_page() {
  expect "$done" "$SAPBUF_BENCH" --quick recovery --pictures "$directory/pictures" --report "$directory/page.html"
  printed 'without watchdog'
  grep --quiet '</svg>' "$directory/pictures/recovery.svg" || die "no picture"
  grep --quiet 'without watchdog' "$directory/page.html" || die "no figures on the page"
}

test_leaves_no_stream_behind() {
  expect "$done" "$SAPBUF_BENCH" --quick upkeep idleness waking --watchdog ''
  local left
  left=$(compgen -G '/dev/shm/sapbuf.bench.*' || true)
  equal "$left" '' 'streams left behind'
}

# ends_cleanly_in SCENARIO [FILE]: when there is a file of that name
ends_cleanly_in() {
  "$SAPBUF_BENCH" "$1" &>"$directory/out" &
  local -r bench=$!
  eventually compgen -G "${2-/dev/shm/sapbuf.bench.*}" >/dev/null
  kill -TERM "$bench"
  local status=0
  wait "$bench" || status=$?
  equal "$status" "$failure" 'exit code'
  grep --quiet 'ended before it was done' "$directory/out" || die "it does not say so"
  equal "$(compgen -G '/dev/shm/sapbuf?bench*' || true)" '' 'left behind'
}

test_ends_cleanly_when_it_is_asked_to() { ends_cleanly_in one-to-one; }
test_ends_cleanly_with_pools() { ends_cleanly_in pool-starving; }
test_ends_cleanly_with_peers_of_maps() {
  [[ $(ldd "$SAPBUF_BENCH") == *lmdb* ]] || skip 'it was built without LMDB'
  ends_cleanly_in map-read '/dev/shm/sapbuf-bench.lmdb*'
}

# children PID: those of its first thread
children() { cat "/proc/$1/task/$1/children" 2>/dev/null || true; }

test_does_not_wait_for_ever_for_a_peer_that_delivers_nothing() {
  "$SAPBUF_BENCH" one-to-one --longest 2 &>"$directory/out" &
  local -r bench=$!
  local run process
  local -r deadline=$((SECONDS + patience_s))
  # Whoever is to write, read or answer in a run is stopped: then its figure never comes.
  while kill -0 "$bench" 2>/dev/null; do
    for run in $(children "$bench"); do
      for process in $(children "$run"); do kill -STOP "$process" 2>/dev/null || true; done
    done
    if ((SECONDS > deadline)); then die "it waits for ever"; fi
    sleep 0.02
  done
  local status=0
  wait "$bench" || status=$?
  equal "$status" "$failure" 'exit code'
  printed 'one to one, 16 bytes, .*: nothing came of it for 2 s'
  equal "$(compgen -G '/dev/shm/sapbuf.bench.*' || true)" '' 'streams left behind'
}

test_wrong_arguments() {
  expect "$usage" "$SAPBUF_BENCH" no-such-scenario
  said '--list'
  expect "$usage" "$SAPBUF_BENCH" --rounds 0 memory
  expect "$usage" "$SAPBUF_BENCH" --longest 0 memory
  expect "$failure" "$SAPBUF_BENCH" memory --report "$directory/no/such/folder/page.html"
  said 'cannot write'
}

run_cases
