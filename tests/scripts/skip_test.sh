#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=../tools/support.sh
source "$(dirname "$0")/../tools/support.sh"

# What the surroundings do not allow is not passed over in silence.

: "${SAPBUF_SOURCE:?the source directory}" "${SAPBUF_TEST:?the path of a test with cases for root}"

as_ordinary_user() {
  if ((EUID == 0)); then
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  else
    "$@"
  fi
}

# The cases for root are in the suite users, others in clocks.
test_a_skipped_case_is_told_by_name_and_by_the_exit_status() {
  as_ordinary_user test -x "$SAPBUF_TEST" || skip 'another user cannot run the tests from where they are'
  expect 77 as_ordinary_user "$SAPBUF_TEST" --run_test=users --log_level=message
  printed 'skipped: users/a_group_shares_a_stream: this process may not become another user'
  expect "$done" as_ordinary_user "$SAPBUF_TEST" --run_test=clocks --log_level=message
}

# tests COMMAND...: makes a directory for ctest to run, with one test for each
tests() {
  mkdir "$directory/tests"
  local command number=0
  for command in "$@"; do
    number=$((number + 1))
    printf 'add_test(number_%d bash -c [[%s]])\nset_tests_properties(number_%d PROPERTIES SKIP_RETURN_CODE 77)\n' \
      "$number" "$command" "$number"
  done >"$directory/tests/CTestTestfile.cmake"
}

run_them() { bash -euc "source '$SAPBUF_SOURCE/scripts/common.sh'; run_tests '$directory/tests'"; }

test_the_scripts_name_what_was_skipped_at_the_end() {
  tests 'echo fine' 'echo skipped: suite/case/_0: no reason; exit 77'
  expect "$done" run_them
  equal "$(tail -n 1 "$directory/out")" '  number_2: suite/case: no reason'
}

test_the_scripts_fail_where_a_test_fails() {
  tests 'echo fine' 'exit 1'
  ! run_them &>"$directory/out" || die 'it did not'
}

test_where_nothing_is_skipped_nothing_is_said_of_it() {
  tests 'echo fine'
  expect "$done" run_them
  ! grep --quiet -i skipped "$directory/out" || die 'something is'
}

run_cases
