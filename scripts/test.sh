#!/usr/bin/env bash
# Builds everything and runs the tests, from any directory; needs nothing but Debian 12.
#   scripts/test.sh [CMAKE-OPTION...]    for instance -DSAPBUF_WERROR=ON
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh"
configure "$root/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@"
build "$root/build"
run_tests "$root/build"
