#!/usr/bin/env bash
# Lets libFuzzer damage segments while they are in use, one target after the other, and prints what came of it. Fails on a find.
#   scripts/fuzz.sh [--grow] [SECONDS-PER-TARGET [TARGET...]]    10 seconds unless said otherwise; targets: see tests/fuzz
#   --grow    put new inputs into the committed corpus (tests/fuzz/corpus), and keep the smallest set that reaches as much
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

directory=$build_dir/fuzz
finds=$directory/finds
grow=false
seconds=10
targets=()
failed=false

parse_arguments() {
  if [[ ${1-} == --grow ]]; then
    grow=true
    shift
  fi
  if (($# > 0)); then
    seconds=$1
    targets=("${@:2}")
  fi
  [[ $seconds =~ ^[0-9]+$ ]] || fail "$seconds is no number of seconds"
  if ((${#targets[@]} == 0)); then targets=(open inspect recover reader writer live named pool queue map); fi
}

build_targets() {
  configure "$directory" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1 -DNDEBUG" -DCMAKE_CXX_COMPILER=clang++ -DSAPBUF_FUZZ=ON \
    -DSAPBUF_TOOLS=OFF -DSAPBUF_BENCH=OFF >/dev/null
  build "$directory" "${targets[@]/#/fuzz_}" >/dev/null
}

# statistic NAME LOG: what libFuzzer says of itself at its end
statistic() { sed --quiet "s/^stat::$1: *//p" "$2"; }

# fuzz TARGET: one line of the table
fuzz() {
  local target=$1 corpus=$directory/corpus/$1 log=$directory/$1.log
  local -a committed=()
  local folder edges found=0
  for folder in "$root/tests/fuzz/corpus/$target" "$root/tests/fuzz/regressions/$target"; do
    if [[ -d $folder ]]; then committed+=("$folder"); fi
  done
  mkdir -p "$corpus" "$finds"
  if ! "$directory/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -max_len=600 -print_final_stats=1 \
    -artifact_prefix="$finds/$target-" "$corpus" "${committed[@]}" >"$log" 2>&1; then
    found=1
    failed=true
  fi
  edges=$(sed --quiet 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  printf '%-8s %12s %8s %8s %6s\n' "$target" "$(statistic number_of_executed_units "$log")" \
    "$(statistic average_exec_per_sec "$log")" "${edges:-?}" "$found"
  if ((found)); then
    printf '  the log:   %s\n  again:     %s FILE\n' "$log" "$directory/tests/fuzz/fuzz_$target"
    sed --quiet 's/.*Test unit written to /  the input: /p' "$log"
  fi
}

# The corpus is replaced by the smallest set of inputs, old and new, that reaches the same edges as all of them.
keep_smallest() {
  local target=$1 kept=$root/tests/fuzz/corpus/$1 merged
  merged=$(mktemp -d)
  mkdir -p "$kept"
  "$directory/tests/fuzz/fuzz_$target" -set_cover_merge=1 -use_counters=0 -timeout=10 "$merged" "$kept" \
    "$directory/corpus/$target" >/dev/null 2>&1
  rm -rf "$kept"
  mv "$merged" "$kept"
  chmod 755 "$kept"
}

parse_arguments "$@"
"$root/scripts/setup.sh" --ci
build_targets
printf '%-8s %12s %8s %8s %6s\n' target executions exec/s edges finds
for target in "${targets[@]}"; do
  fuzz "$target"
  if $grow; then keep_smallest "$target"; fi
done
if $failed; then fail "something was found; what was written to $finds belongs into tests/fuzz/regressions once it is mended"; fi
