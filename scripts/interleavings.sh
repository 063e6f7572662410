#!/usr/bin/env bash
# Takes two and three participants through their operations in every order that a few preemptions make, and checks what comes of it: the
# long version of the test interleavings. Takes hours; name stages, or give --sample, for less.
#   scripts/interleavings.sh [OPTION...] [STAGE...]    --list names them; more, once it is built: build/tests/interleavings --help
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

"$root/scripts/setup.sh"
configure "$build_dir" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
build "$build_dir" interleavings
exec "$build_dir/tests/interleavings" "$@"
