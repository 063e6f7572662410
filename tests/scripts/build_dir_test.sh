#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=../tools/support.sh
source "$(dirname "$0")/../tools/support.sh"

# Where the scripts build.

: "${SAPBUF_SOURCE:?the source directory}"

# with_scripts COMMANDS: after scripts/common.sh
with_scripts() { bash -euc "source '$SAPBUF_SOURCE/scripts/common.sh'; $1"; }

# The source tree, mounted read-only where it is.
in_read_only_tree() {
  # shellcheck disable=SC2016  # the inner shell's variables
  unshare --mount --propagation private bash -euc '
    mount --bind "$0" "$0"
    mount -o remount,bind,ro "$0"
    "$@"' "$SAPBUF_SOURCE" "$@"
}

needs_read_only_tree() {
  in_read_only_tree true 2>/dev/null || skip 'this process may not mount'
}

test_a_read_only_tree_is_configured_elsewhere() {
  needs_read_only_tree
  export BUILD_DIR=$directory/build
  expect "$done" in_read_only_tree bash -euc "source '$SAPBUF_SOURCE/scripts/common.sh'
    configure \"\$build_dir\" -DSAPBUF_TESTS=OFF -DSAPBUF_BENCH=OFF"
  [[ -e $directory/build/CMakeCache.txt ]] || die 'it is not there'
}

test_where_one_cannot_build_the_way_out_is_named() {
  needs_read_only_tree
  expect "$failure" in_read_only_tree bash -euc "source '$SAPBUF_SOURCE/scripts/common.sh'
    configure '$SAPBUF_SOURCE/build.of.nobody'"
  said 'set BUILD_DIR'
}

test_a_relative_directory_is_meant_from_where_one_is() {
  cd "$directory"
  export BUILD_DIR=here
  expect "$done" with_scripts "printf '%s\n' \"\$build_dir\""
  equal "$(cat "$directory/out")" "$directory/here"
}

# Two scripts that build in the same place take turns.
test_a_second_build_waits_for_the_first() {
  mkfifo "$directory/go"
  start first with_scripts "alone '$directory/build' bash -c 'echo begun; read -r line <\"$directory/go\"'"
  first_has_begun() { grep --quiet begun "$directory/first.out"; }
  eventually first_has_begun
  start second with_scripts "alone '$directory/build' true"
  second_waits() { grep --quiet 'waiting for another build' "$directory/second.err"; }
  eventually second_waits
  ! has_ended second || die 'it did not wait'
  echo >"$directory/go"
  ends first "$done"
  ends second "$done"
}

run_cases
