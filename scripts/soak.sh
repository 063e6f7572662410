#!/usr/bin/env bash
# Runs producers, readers and the watchdog over streams of all kinds, kills and stops them at random, and checks every
# message from end to end: the long version of the test soak. Ctrl-C ends it with the report of what was done so far.
#   scripts/soak.sh [MINUTES] [--seed N] [--report DIR] [OPTION...]    5 minutes; build/soak/soak.{md,json,svg};
#                   more, once it is built: build/tests/soak --help
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

minutes=5
if [[ ${1-} =~ ^[0-9]+$ ]]; then
  minutes=$1
  shift
fi
report=(--report "$build_dir/soak")
if [[ " $* " == *" --report"[\ =]* ]]; then report=(); fi

"$root/scripts/setup.sh"
configure "$build_dir" -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
build "$build_dir" soak
exec "$build_dir/tests/soak" --seconds $((minutes * 60)) "${report[@]}" "$@"
