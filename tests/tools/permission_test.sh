#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Whoever may not open a segment is told so, with exit status 4. Root may open anything: then another user is tried.

as_other_user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

# The one who must not open the segment.
choose_user() {
  if ((EUID != 0)); then
    as_user=()
    expect "$done" "$sapbuf" create "$stream"
    chmod 0000 "/dev/shm/sapbuf.$stream"
    return
  fi
  as_user=(as_other_user)
  as_other_user "$sapbuf" --version >/dev/null 2>&1 || skip "another user cannot run the tools from where they are"
  expect "$done" "$sapbuf" create "$stream"
}

test_no_permission() {
  choose_user
  expect "$permission" "${as_user[@]}" "$sapbuf" status "$stream"
  said "$stream"
  expect "$permission" "${as_user[@]}" "$sapbuf" dump "$stream"
  expect "$permission" "${as_user[@]}" "$sapbuf" pub "$stream"
  expect "$permission" "${as_user[@]}" "$sapbuf" sub "$stream" --count 1
  expect "$permission" "${as_user[@]}" "$watchdog" --once "$stream"
}

test_another_user_cannot_remove_it() {
  if ((EUID != 0)); then skip "needs a second user"; fi
  choose_user
  expect "$permission" "${as_user[@]}" "$sapbuf" rm "$stream" --force
  [[ -e /dev/shm/sapbuf.$stream ]] || die "removed all the same"
}

test_mode_lets_others_in() {
  if ((EUID != 0)); then skip "needs a second user"; fi
  as_other_user "$sapbuf" --version >/dev/null 2>&1 || skip "another user cannot run the tools from where they are"
  expect "$done" "$sapbuf" create "$stream" --mode 0666
  expect "$done" as_other_user "$sapbuf" pub "$stream"
  expect "$done" as_other_user "$sapbuf" sub "$stream" --idle-exit 0
}

test_who_may_read_may_look() {
  if ((EUID != 0)); then skip "needs a second user"; fi
  as_other_user "$sapbuf" --version >/dev/null 2>&1 || skip "another user cannot run the tools from where they are"
  expect "$done" "$sapbuf" create "$stream"
  chmod 0644 "/dev/shm/sapbuf.$stream"
  expect "$done" "$sapbuf" map create "$stream/config"
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  printf 'a value' | "$sapbuf" map put "$stream/config" k 2>/dev/null
  printf 'a job\n' | "$sapbuf" queue push "$stream/jobs" 2>/dev/null
  expect "$done" as_other_user "$sapbuf" dump "$stream"
  expect "$done" as_other_user "$sapbuf" dump "$stream/config"
  printed 'a value$'
  expect "$done" as_other_user "$sapbuf" dump "$stream/jobs"
  printed 'a job$'
  expect "$done" as_other_user "$sapbuf" queue peek "$stream/jobs"
}

run_cases
