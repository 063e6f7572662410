#!/usr/bin/env bash
# Builds everything and runs the tests, from any directory; needs nothing but Debian 12. What the surroundings do not allow (another user,
# mounts, ...) is skipped, and named at the end with the reason.
#   scripts/test.sh [CMAKE-OPTION...]    for instance -DSAPBUF_WERROR=ON
#   BUILD_DIR=/some/where scripts/test.sh [...]   builds there, and not in build/: the source tree may be read-only
#   SKIP_TESTS=REGEX scripts/test.sh [...]        leaves those tests out
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

need_proc
"$root/scripts/setup.sh"
configure "$build_dir" -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@"
build "$build_dir"
run_tests "$build_dir"
