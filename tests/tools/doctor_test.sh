#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# What doctor says about this case's stream; other streams of the machine are none of its business.
about_stream() {
  local status=0
  "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || status=$?
  if ((status != done && status != problems)); then die "exit status $status"; fi
  equal "$(json .healthy)" "$( ((status == done)) && echo true || echo false)" 'healthy, by the exit status'
  json ".checks[] | select(.check == \"segment $stream\").state"
}

test_looks_at_the_system() {
  local status=0
  "$sapbuf" doctor >"$directory/out" 2>"$directory/err" || status=$?
  if ((status != done && status != problems)); then die "exit status $status"; fi
  printed '/dev/shm'
  printed RemoveIPC
  printed 'OFD locks'
  printed membarrier
}

test_no_line_is_wider_than_the_screen() {
  local width
  expect "$done" "$sapbuf" create "$stream"
  for width in 80 120; do
    COLUMNS=$width "$sapbuf" doctor >"$directory/out" || (($? == problems)) || die 'doctor failed'
    (($(wc --max-line-length <"$directory/out") <= width)) || die "wider than $width: $(cat "$directory/out")"
  done
}

test_says_what_bounds_a_new_stream() {
  (
    ulimit -f 1024
    "$sapbuf" doctor --json >"$directory/out" || (($? == problems)) || die "doctor failed"
  )
  json_holds '.checks[] | select(.check == "space") | .state == "bad"'
  json_holds '.checks[] | select(.check == "space") | (.finding | test("1 MiB by .*ulimit -f")) and (.remedy | test("ulimit"))'
  (
    ulimit -f 1048576
    "$sapbuf" doctor --json >"$directory/out" || (($? == problems)) || die "doctor failed"
  )
  json_holds '.checks[] | select(.check == "space") | .finding | test("1 GiB by .*ulimit -f")'
}

test_says_whether_a_watchdog_runs() {
  expect "$done" "$sapbuf" create "$stream"
  start watchdog "$watchdog" "$stream"
  seen() {
    "$sapbuf" doctor --json 2>/dev/null |
      jq --exit-status ".checks[] | select(.check == \"watchdog\").finding | test(\"runs .*\\\\b${process[watchdog]}\\\\b\")" >/dev/null
  }
  eventually seen
  local pid=${process[watchdog]}
  signal TERM watchdog
  ends watchdog "$done"
  process[watchdog]=$pid
  if seen; then die 'it was still seen'; fi
  unset 'process[watchdog]'
}

test_a_stream_in_order_is_ok() {
  expect "$done" "$sapbuf" create "$stream"
  equal "$(about_stream)" ok state
}

test_the_dead_are_a_problem_until_they_are_recovered() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  kill_hard reader
  equal "$(about_stream)" bad state
  expect "$problems" "$sapbuf" doctor
  printed 'sapbuf-watchdog'
  expect "$done" "$watchdog" --once "$stream"
  equal "$(about_stream)" ok state
}

test_garbage_is_a_problem() {
  head -c 100000 /dev/urandom >"/dev/shm/sapbuf.$stream"
  equal "$(about_stream)" bad state
}

# `sapbuf rm` leaves it alone, also with --force.
test_what_is_no_file_is_told_without_a_remedy_that_cannot_work() {
  mkfifo "/dev/shm/sapbuf.$stream"
  equal "$(about_stream)" bad state
  json_holds "all(.checks[] | select(.check == \"segment $stream\"); .remedy | tostring | contains(\"sapbuf rm\") | not)"
}

# What a finding says to do ends with a command that can be pasted, whatever the stream is called.
test_remedies_are_safe_to_paste() {
  local name remedy
  PATH=$(dirname "$sapbuf"):$PATH
  for name in "$stream.; touch ran" "$stream.\$(touch ran)" "$stream.'; touch ran; '" "-$stream" \
    "$stream."$'\n; touch ran\n\x1b\'; touch ran; \''; do
    printf 'this is no segment' >"/dev/shm/sapbuf.$name"
    "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
    remedy=$(json ".checks[] | select(.finding | contains(\"this is no segment\") | not)
                   | select(.check | contains(\"$stream\")).remedy")
    equal "$(wc -l <<<"$remedy")" 1 'lines of the remedy'
    (cd "$directory" && eval "${remedy##*: }") 2>"$directory/err" || die "cannot be pasted: $remedy"
    [[ ! -e /dev/shm/sapbuf.$name ]] || die "not removed by: $remedy"
    [[ ! -e $directory/ran ]] || die "ran what the name says: $remedy"
  done
}

test_a_mode_that_lets_others_read_alone_is_a_warning() {
  about_mode() {
    "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
    json ".checks[] | select(.check == \"segment $stream\" and (.finding | contains(\"read locks\"))).remedy"
  }
  local mode
  expect "$done" "$sapbuf" create "$stream"
  chmod 0644 "/dev/shm/sapbuf.$stream"
  equal "$(about_mode)" "chmod 0600 /dev/shm/sapbuf.$stream" remedy
  expect "$done" "$sapbuf" status "$stream"
  said "read locks.*chmod 0600 /dev/shm/sapbuf.$stream"
  for mode in 0600 0660 0666; do
    chmod "$mode" "/dev/shm/sapbuf.$stream"
    equal "$(about_mode)" '' "remedy for $mode"
  done
  expect "$done" "$sapbuf" status "$stream"
  [[ ! -s $directory/err ]] || die 'something to warn of'
}

test_more_readers_than_an_overwriting_stream_has_slabs_for_are_a_warning() {
  about_slabs() {
    "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
    json "any(.checks[]; .check == \"stream $stream\" and .state == \"warn\" and (.remedy | contains(\"--slabs 4\")))"
  }
  expect "$done" "$sapbuf" create "$stream" --on-full overwrite --slabs 3 --slab-bytes 64KiB
  start_attached one "$sapbuf" sub "$stream" --name one
  equal "$(about_slabs)" false 'a warning with one reader'
  start_attached two "$sapbuf" sub "$stream" --name two
  equal "$(about_slabs)" true 'a warning with two'
}

test_those_who_keep_a_removed_stream_are_found() {
  about_removed() {
    "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
    json ".checks[] | select(.check == \"removed segment $stream\") | .state, .finding"
  }
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  signal STOP reader
  equal "$(about_removed)" '' 'what is said before'
  expect "$done" "$sapbuf" rm "$stream" --force
  [[ $(about_removed) == warn$'\n'"was removed, "*"(pid ${process[reader]})"* ]] || die "$(about_removed)"
  expect "$done" "$sapbuf" create "$stream"
  [[ $(about_removed) == warn$'\n'*"made anew"*"(pid ${process[reader]})"* ]] || die "$(about_removed)"
  kill_hard reader
  equal "$(about_removed)" '' 'what is said after it ended'
}

# A name that looks like what the system says of removed files.
test_a_stream_that_is_there_was_not_removed() {
  expect "$done" "$sapbuf" create "$stream. (deleted)"
  start reader "$sapbuf" sub "$stream. (deleted)" --name reader
  attached() { [[ $("$sapbuf" status "$stream. (deleted)" --json | jq '.participants | length') == 1 ]]; }
  eventually attached
  "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
  json_holds "all(.checks[]; .check != \"removed segment $stream.\")"
}

# Whoever may read the file can do that to the lock that all others need.
test_who_stops_a_stream_is_named() {
  local lock=$(((1 << 60) + 1))  # layout::kMaintenanceLocks: that of the stream main
  # shellcheck disable=SC2016  # perl's variables
  local lock_and_stay='open(F, "<", $ARGV[0]) or die; my $lock = pack("ssx4qqix4", 0, 0, $ARGV[1], 1, 0);
    fcntl(F, 37, $lock) or die; $| = 1; print "locked"; sleep'
  expect "$done" "$sapbuf" create "$stream" --slabs 2 --slab-bytes 4KiB
  start_attached archiver "$sapbuf" sub "$stream" --name archiver
  start locker perl -e "$lock_and_stay" "/dev/shm/sapbuf.$stream" "$lock"
  eventually test -s "$directory/locker.out"
  "$sapbuf" doctor --json >"$directory/out" 2>"$directory/err" || true
  json_holds "any(.checks[]; .check == \"segment $stream\" and .state == \"bad\" and
    (.finding | contains(\"main stands still\") and contains(\"pid ${process[locker]}, perl, a lock for reading\")) and
    (.remedy | endswith(\"kill ${process[locker]}\")))"
  kill_hard archiver
  expect "$problems" "$watchdog" --once "$stream"
  said "left for later: its lock is held by pid ${process[locker]}, perl, a lock for reading"
  kill_hard locker
  expect "$done" "$watchdog" --once "$stream"
  equal "$(about_stream)" ok state
}

test_wrong_arguments() {
  expect "$usage" "$sapbuf" doctor --no-such-option
}

run_cases
