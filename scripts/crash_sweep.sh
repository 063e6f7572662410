#!/usr/bin/env bash
# Kills a participant at every moment of every operation, alone and beside live ones that are stopped, lets recovery run (and kills that
# too), and checks what is left: the long version of the test crash_sweep. Takes hours (a quarter of one with --beside 0); name operations for less.
#   scripts/crash_sweep.sh [OPTION...] [OPERATION...]    --list names them; more, once it is built: build/tests/crash_sweep --help
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

"$root/scripts/setup.sh"
configure "$build_dir" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
build "$build_dir" crash_sweep
exec "$build_dir/tests/crash_sweep" "$@"
