#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

log_has() { grep --quiet --no-messages -- "$1" "$directory/watchdog.err"; }

# start_watching OPTION...: and waits until this case's stream is looked at
start_watching() {
  start watchdog "$watchdog" "$@"
  eventually log_has "$stream: watching"
}

start_holder() {
  start_attached holder "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
}

test_takes_back_by_its_interval_and_tells_in_one_line() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_watching "$stream" --interval 10
  start_holder
  local pid=${process[holder]}
  kill_hard holder
  eventually status_holds '.journal | length == 1'
  eventually log_has "holder (pid $pid, slot .*proof"
  status_holds '.participants == [] and .journal[0].name == "holder"' || die "the holder is still there"
}

test_learns_of_a_death_through_a_pidfd() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --interval 3600000
  kill_hard holder
  eventually status_holds '.journal | length == 1'
}

test_waits_for_a_stream_that_is_not_there_yet() {
  start watchdog "$watchdog" "$stream" --interval 10
  eventually log_has waiting
  expect "$done" "$sapbuf" create "$stream"
  eventually log_has "$stream: watching"
}

test_all_takes_up_streams_that_appear_later() {
  start watchdog "$watchdog" --all --dry-run --interval 10
  eventually log_has 'every segment'
  expect "$done" "$sapbuf" create "$stream"
  eventually log_has "$stream: watching"
  expect "$done" "$sapbuf" rm "$stream"
  eventually log_has "$stream: removed"
  expect "$done" "$sapbuf" create "$stream"
  seen_twice() { (($(grep --count "$stream: watching" "$directory/watchdog.err") == 2)); }
  eventually seen_twice
}

test_dry_run_tells_and_leaves() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --dry-run --interval 10
  kill_hard holder
  eventually log_has 'holder (pid'
  equal "$(status '.participants[0].state')" dead state
  equal "$(status '.journal | length')" 0 'entries in the journal'
}

test_dry_run_changes_no_byte() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_holder
  local before
  "$sapbuf" pub "$stream" --timeout 20 <(seq 100000) 2>/dev/null || true  # as much as fits: a slab is sealed
  kill_hard holder
  before=$(sha256sum <"/dev/shm/sapbuf.$stream")
  start_watching "$stream" --dry-run --interval 1 --hung-after 1 --on-hung kill
  eventually log_has "$stream: reader holder .*is dead: .*1 slab to release"
  start again "$watchdog" "$stream" --dry-run --interval 1
  looked_again() { grep --quiet 'is dead' "$directory/again.err"; }
  eventually looked_again
  signal TERM watchdog
  ends watchdog "$done"
  equal "$(sha256sum <"/dev/shm/sapbuf.$stream")" "$before" 'the segment'
}

# What is taken away under the watchdog's hands is let go, and what comes in its place is taken up.
test_follows_a_name_whose_segment_is_replaced_in_use() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_attached old "$sapbuf" sub "$stream" --name old --hold
  start watchdog "$watchdog" --all --interval 10
  eventually log_has "$stream: watching"
  expect "$done" "$sapbuf" rm "$stream" --force
  expect "$done" "$sapbuf" create "$stream"
  start_attached new "$sapbuf" sub "$stream" --name new
  kill_hard new
  eventually log_has 'reader new .*died'
  eventually status_holds '(.journal | length) == 1'
  ! has_ended old || die 'who was inside has ended'
}

test_json_tells_of_each_event() {
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start_holder
  start_watching "$stream" --json --interval 10
  kill_hard holder
  told() { jq --exit-status '.segments[0].dead[0].name == "holder"' "$directory/watchdog.out" >/dev/null 2>&1; }
  eventually told
}

test_kills_the_hung_when_told_to() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null  # more than a slab
  start_holder
  signal STOP holder
  start_watching "$stream" --interval 10 --hung-after 50 --on-hung kill
  ends holder 137
  eventually status_holds '.participants == [] and (.journal | length) == 1'
}

test_kills_a_process_that_hangs_in_several_places_once() {
  start_pinning_readers holder
  start_watching "$stream" "$stream.2" --interval 10 --hung-after 50 --on-hung kill
  ends holder 137
  eventually status_holds '[.facilities[].participants[]] == []'
  eventually status_of_holds "$stream.2" '.participants == []'
  signal TERM watchdog
  ends watchdog "$done"
  ! log_has 'not killed' || die "it says: $(cat "$directory/watchdog.err")"
}

test_survives_the_truncation_of_a_stream_and_goes_on_with_the_others() {
  expect "$done" "$sapbuf" create "$stream.2" --slab-bytes 64KiB
  expect "$done" "$sapbuf" create "$stream"
  echo line | "$sapbuf" pub "$stream" 2>/dev/null
  start watchdog "$watchdog" "$stream" "$stream.2" --interval 10
  eventually log_has "$stream: watching"
  eventually log_has "$stream.2: watching"
  truncate --size 0 "/dev/shm/sapbuf.$stream.2"
  eventually log_has "'$stream.2' is corrupt: its file was truncated"
  start_holder
  kill_hard holder
  eventually status_holds '.journal | length == 1'
  equal "$(grep --count "'$stream.2'" "$directory/watchdog.err")" 1 'messages about it'
  expect "$done" "$sapbuf" rm "$stream.2" --force
  expect "$done" "$sapbuf" create "$stream.2" --slab-bytes 64KiB
  watched_again() { (($(grep --count "$stream.2: watching" "$directory/watchdog.err") == 2)); }
  eventually watched_again
  signal TERM watchdog
  ends watchdog "$done"
}

test_all_passes_over_what_is_no_file() {
  mkfifo "/dev/shm/sapbuf.$stream.fifo"
  mkdir "/dev/shm/sapbuf.$stream.directory"
  ln --symbolic /dev/zero "/dev/shm/sapbuf.$stream.link"
  start watchdog "$watchdog" --all --dry-run --interval 10
  expect "$done" "$sapbuf" create "$stream"
  eventually log_has "$stream: watching"
  rmdir "/dev/shm/sapbuf.$stream.directory"
  ! log_has "$stream\\.[fdl]" || die 'it tells of them'
  "$watchdog" --once --all --dry-run --json >"$directory/out" 2>"$directory/err" || (($? == problems))
  json_holds "[.segments[].name | select(startswith(\"$stream.\"))] == []"
  signal TERM watchdog
  ends watchdog "$done"
}

test_all_says_once_what_belongs_to_others() {
  if ((EUID != 0)); then skip 'needs a second user'; fi
  local -a as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  "${as_nobody[@]}" "$sapbuf" --version >/dev/null 2>&1 || skip 'another user cannot run the tools from where they are'
  local number
  for number in 1 2 3; do expect "$done" "$sapbuf" create "$stream.$number" --slab-bytes 64KiB; done
  start watchdog "${as_nobody[@]}" "$watchdog" --all --interval 10
  eventually log_has 'only other users may open them'
  expect "$done" "${as_nobody[@]}" "$sapbuf" create "$stream" --slab-bytes 64KiB
  eventually log_has "$stream: watching"
  equal "$(grep --count 'other users' "$directory/watchdog.err")" 1 'messages about them'
  ! log_has 'no permission' || die 'it complains'
  "${as_nobody[@]}" "$watchdog" --once --all >"$directory/out" 2>"$directory/err" || (($? == problems))
  said 'only other users may open them'
  ! grep --quiet 'no permission' "$directory/err" || die 'it complains'
}

test_gives_up_the_powers_that_it_does_not_need() {
  if ((EUID != 0)); then skip 'needs root'; fi
  expect "$done" "$sapbuf" create "$stream"
  has_capabilities() { grep --quiet "^CapEff:[[:space:]]*0*$1\$" "/proc/${process[watchdog]}/status"; }
  start_watching "$stream"
  has_capabilities 2 || die 'more than CAP_DAC_OVERRIDE'  # bit 1
  signal TERM watchdog
  ends watchdog "$done"
  start_watching "$stream" --hung-after 1000 --on-hung kill
  may_see_all_processes || skip 'what killing takes needs CAP_SYS_PTRACE'
  has_capabilities 80022 || die 'not what killing takes'  # and bits 5 and 19: CAP_KILL, CAP_SYS_PTRACE
}

test_tells_the_journal_how_much_it_matters() {
  : >"$directory/journal"
  local journal
  journal=$(stat --format %d:%i "$directory/journal")
  expect "$done" "$sapbuf" create "$stream"
  start_holder
  JOURNAL_STREAM=$journal "$watchdog" "$stream" --interval 10 2>>"$directory/journal" &
  process[watchdog]=$!
  journal_has() { grep --quiet -- "$1" "$directory/journal"; }
  eventually journal_has "^<6>$stream: watching\$"
  kill_hard holder
  eventually journal_has "^<4>$stream: reader holder .*died"
  JOURNAL_STREAM=$journal "$watchdog" --once "$stream.2" 2>>"$directory/journal" || true
  journal_has '^<3>there is no segment' || die 'an error does not look like one'
  JOURNAL_STREAM=1:1 "$watchdog" --once "$stream" 2>"$directory/err"
  said "^sapbuf-watchdog: $stream: healthy"
}

test_ends_when_asked() {
  local signal
  expect "$done" "$sapbuf" create "$stream"
  for signal in INT TERM; do
    start_watching "$stream"
    signal "$signal" watchdog
    ends watchdog "$done"
  done
}

run_cases
