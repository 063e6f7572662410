#!/usr/bin/env bash
# Kills a participant after every instruction of every operation, lets recovery run, and checks what is left: the long version of the test
# step_sweep. Takes hours; name operations, or give --stride or --points, for less (see --help).
#   scripts/crash_sweep.sh [OPTION...] [OPERATION...]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh"
configure "$root/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
build "$root/build" step_sweep
exec "$root/build/tests/step_sweep" "$@"
