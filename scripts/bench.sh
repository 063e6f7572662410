#!/usr/bin/env bash
# Builds sapbuf-bench with all peers that Debian has, and measures: figures on stdout, pictures and a page with everything
# (report.html) into build/bench. Give it a quiet machine, and a quarter of an hour.
#   scripts/bench.sh [--update-docs] [OPTION|SCENARIO...]    --list names the scenarios; --quick to see that it works; more, once
#                    it is built: build/bench/tools/sapbuf_bench/sapbuf-bench --help
#   --update-docs    its pictures in shm/docs/figures.md, one of which README shows, become this machine's
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"
cd "$root"

pictures=(--pictures "$build_dir/bench") report=(--report "$build_dir/bench/report.html")
if [[ ${1-} == --update-docs ]]; then
  pictures=(--pictures shm/docs)
  shift
fi
if [[ " $* " == *" --pictures"[\ =]* ]]; then pictures=(); fi
if [[ " $* " == *" --report"[\ =]* ]]; then report=(); fi

scripts/setup.sh --bench
configure "$build_dir/bench" -DSAPBUF_TESTS=OFF >/dev/null
build "$build_dir/bench" sapbuf_bench sapbuf_watchdog
"$build_dir/bench/tools/sapbuf_bench/sapbuf-bench" "${pictures[@]}" "${report[@]}" "$@"
