#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=../tools/support.sh
source "$(dirname "$0")/../tools/support.sh"

# In what surroundings a test runs: a /dev/shm of its own where that can be, and no watchdog of the machine.

: "${SAPBUF_SOURCE:?the source directory}"
own_shm=$SAPBUF_SOURCE/tests/support/own_shm.sh

needs_own() { "$own_shm" --possible || skip "this process may not have a /dev/shm of its own"; }

watches_all() { grep --quiet --no-messages 'every segment' "$directory/$1.err"; }

# As root in a container: it may not mount.
without_mounts() { setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"; }

test_a_test_meets_no_stream_of_the_machine() {
  needs_own
  expect "$done" "$sapbuf" create "$stream"
  expect "$no_segment" "$own_shm" "$sapbuf" status "$stream"
  expect "$done" "$sapbuf" status "$stream"
}

test_its_shm_is_as_large_as_that_of_the_machine() {
  needs_own
  local -a room=(stat --file-system --format='%b * %S' /dev/shm)
  expect "$done" "$own_shm" "${room[@]}"
  equal "$(cat "$directory/out")" "$("${room[@]}")"
}

test_what_a_test_leaves_behind_fails_it() {
  needs_own
  expect "$failure" "$own_shm" "$sapbuf" create "$stream"
  printed "left behind in /dev/shm: sapbuf.$stream"
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die 'it appeared outside'
}

test_the_exit_status_is_the_tests() {
  local status
  for status in 0 1 77; do expect "$status" "$own_shm" bash -c "exit $status"; done
}

test_a_test_may_no_more_than_before() {
  expect "$done" "$own_shm" bash -c 'id -u; sed -n s/^CapEff://p /proc/self/status'
  equal "$(cat "$directory/out")" "$(id -u; sed -n s/^CapEff://p /proc/self/status)"
}

test_where_nothing_can_be_mounted_it_runs_in_the_common_one() {
  if ((EUID != 0)); then skip 'only root can give up the power to mount'; fi
  expect "$failure" without_mounts "$own_shm" --possible
  expect "$done" without_mounts "$own_shm" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" status "$stream"
}

test_beside_a_watchdog_of_everything_it_is_skipped_and_says_so() {
  if ((EUID != 0)); then skip 'only root can give up the power to mount'; fi
  start watchdog "$watchdog" --all
  eventually watches_all watchdog
  expect 77 without_mounts "$own_shm" true
  printed "skipped: .*(pid ${process[watchdog]})"
  kill_hard watchdog
  start harmless "$watchdog" --all --dry-run
  eventually watches_all harmless
  expect "$done" without_mounts "$own_shm" true
}

# It may not look into that process, but sees what is mounted there.
test_a_watchdog_of_another_shm_is_no_reason() {
  if ((EUID != 0)); then skip 'only root can give up the power to mount'; fi
  needs_own
  start watchdog "$watchdog" --all
  eventually watches_all watchdog
  expect "$done" unshare --mount --propagation private bash -c 'mount -t tmpfs none /dev/shm; "$@"' . \
    setpriv --bounding-set=-sys_admin,-sys_ptrace --inh-caps=-all "$own_shm" true
}

run_cases
