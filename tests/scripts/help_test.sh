#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=../tools/support.sh
source "$(dirname "$0")/../tools/support.sh"

# What the scripts say of themselves.

: "${SAPBUF_SOURCE:?the source directory}"

test_help_is_shown_and_nothing_is_built() {
  local script
  export BUILD_DIR=$directory/build
  for script in "$SAPBUF_SOURCE"/scripts/*.sh; do
    [[ $script != */common.sh ]] || continue
    expect "$done" "$script" --help
    printed "^  scripts/${script##*/}"
    ! grep --quiet '^#\|^set ' "$directory/out" || die "not its head alone: $script"
    [[ ! -e $BUILD_DIR ]] || die "$script builds"
  done
}

run_cases
