#!/usr/bin/env bash
# Builds sapbuf-bench with all peers that Debian has, and measures: figures on stdout, the pictures of the README into
# shm/docs, a page with everything into build/bench/report.html. Give it a quiet machine, and a quarter of an hour.
#   scripts/bench.sh [OPTION|SCENARIO...]    as sapbuf-bench --help says; --quick to see that it works
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

scripts/setup.sh --bench
configure "$build_dir/bench" -DSAPBUF_TESTS=OFF >/dev/null
build "$build_dir/bench" sapbuf_bench sapbuf_watchdog
"$build_dir/bench/tools/sapbuf_bench/sapbuf-bench" --pictures shm/docs --report "$build_dir/bench/report.html" "$@"
