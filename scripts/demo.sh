#!/usr/bin/env bash
# The main job on real input: producers publish files of this machine, two lossless readers archive them, a watchdog
# looks on; a reader and a producer are killed in mid-stream, others are stopped and continued. In the end the archives
# are compared with the input, line by line. Exit status 1 if anything is off.
#   scripts/demo.sh [CMAKE-OPTION...]
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sapbuf=$root/build/tools/sapbuf/sapbuf
watchdog=$root/build/tools/sapbuf_watchdog/sapbuf-watchdog
stream=demo.$$
directory=

# Each producer publishes its own files again and again. p2 has so much to do that it is in the middle of it when it is
# killed; the others publish more than two million lines by themselves.
producers=(p1 p2 p3 p4 p5)
survivors=(p1 p3 p4 p5)
declare -A wanted_lines=([p1]=700000 [p2]=9000000 [p3]=1000000 [p4]=700000 [p5]=700000)
declare -A input_lines repeat archived
declare -A process     # name -> pid, of those that run
declare -A killed_at   # name -> microseconds since the epoch
declare -A killed_pid
planned=3100000        # lines of the survivors; their last rounds go a little beyond

needed_mib=1000        # of space for input and archives
patience_ms=60000      # for a condition that holds within milliseconds on an idle machine
stopped_ms=1000        # how long a process is stopped
problems=0

# ---- time and words

now_us() { printf '%s' "${EPOCHREALTIME/[^0-9]/}"; }
now_ms() { printf '%s' $(($(now_us) / 1000)); }

started_ms=$(now_ms)

tell() {
  local ms=$(($(now_ms) - started_ms))
  printf '%3d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

heading() {
  printf '\n%s\n' "---- $*"
}

# check DESCRIPTION COMMAND...: a line of the verdict
check() {
  if "${@:2}"; then
    printf '  ok   %s\n' "$1"
  else
    printf '  BAD  %s\n' "$1"
    problems=$((problems + 1))
  fi
}

is() { [[ $1 == "$2" ]]; }

# ---- cleaning up, whatever happens

clean_up() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  local name
  for name in "${!process[@]}"; do
    kill -KILL "${process[$name]}" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  if [[ -e /dev/shm/sapbuf.$stream ]]; then
    "$sapbuf" rm --force "$stream" 2>/dev/null || rm -f "/dev/shm/sapbuf.$stream"
  fi
  if [[ -n $directory ]]; then rm -rf "$directory"; fi
  exit "$status"
}

# ---- the stream, seen from outside

# Takes a look at the stream: $committed and $delivered (to archive-a) messages, $generation, $attached participants,
# $died (finished entries of the journal), $slabs (as JSON). By the shell itself: jq takes longer to start than it takes
# the producers to publish a hundred thousand lines.
look() {
  local json rest
  json=$("$sapbuf" status "$stream" --json)
  slabs=${json%%'"participants"'*}
  committed=0
  rest=$json
  while [[ $rest =~ '"committed":'([0-9]+)(.*) ]]; do
    committed=$((committed + BASH_REMATCH[1]))
    rest=${BASH_REMATCH[2]}
  done
  delivered=0
  if [[ $json =~ '"name":"archive-a"'[^}]*'"delivered":'([0-9]+) ]]; then delivered=${BASH_REMATCH[1]}; fi
  [[ $json =~ '"generation":'([0-9]+) ]] && generation=${BASH_REMATCH[1]}
  count_in "${json%%'"departed"'*}" '"role":'
  attached=$count
  count_in "$json" '"finished_ns":[1-9]'
  died=$count
}

# Sets $count: how often a regular expression matches.
count_in() {
  local rest=$1
  count=0
  while [[ $rest =~ $2(.*) ]]; do
    count=$((count + 1))
    rest=${BASH_REMATCH[1]}
  done
}

shown_ms=0
show_progress() {
  local now
  now=$(now_ms)
  if ((now - shown_ms < 500)); then return; fi
  shown_ms=$now
  tell "$(printf 'committed %9d lines, archive-a has %9d; generation %5d' "$committed" "$delivered" "$generation")"
}

# wait_until DESCRIPTION CONDITION...: looks, shows progress, and evaluates the condition, until it holds
wait_until() {
  local deadline=$(($(now_ms) + patience_ms))
  while true; do
    look
    show_progress
    if "${@:2}"; then return; fi
    if (($(now_ms) > deadline)); then
      "$sapbuf" status "$stream" >&2 || true
      fail "waited ${patience_ms} ms in vain: $1"
    fi
    sleep 0.01
  done
}

committed_at_least() { ((committed >= $1)); }
attached_are() { ((attached == $1)); }
archive_a_is_complete() { ((delivered == committed)); }

# Nothing was committed for a while, and the reader keeps a slab that the producers have left.
producers_wait_for() {
  local before=$committed
  sleep 0.2
  look
  ((committed == before)) && [[ $slabs =~ '"state":"sealed"'[^]]*"\"$1\"" ]]
}

# journal NAME FILTER: of the finished entry for a participant
journal() {
  "$sapbuf" status "$stream" --json |
    jq --raw-output --arg name "$1" "[.journal[] | select(.name == \$name and .finished_ns != 0)] | last // empty | $2"
}

is_in_journal() { [[ -n $(journal "$1" .number) ]]; }

# As of the last look.
holds_a_slab() { [[ $slabs == *"\"$1\""* ]]; }

tell_holders() {
  local name names=
  for name in archive-a archive-b "${producers[@]}"; do
    if holds_a_slab "$name"; then names+=" $name"; fi
  done
  tell "slabs are held by:$names"
}

# ---- input

# Deals the files of this machine to the producers, the largest first, each to whoever has least.
deal_files() {
  find -H /usr/share/common-licenses /var/lib/dpkg/info /var/log/dpkg.log \
    \( -path '/usr/share/common-licenses/*' -o -name '*.list' -o -name dpkg.log \) \
    -type f -readable -size +0 -printf '%s %p\n' 2>/dev/null |
    sort --numeric-sort --reverse |
    awk -v producers="${producers[*]}" -v directory="$directory" '
      BEGIN { count = split(producers, name, " ") }
      { least = 1
        for (i = 2; i <= count; ++i) if (bytes[i] < bytes[least]) least = i
        bytes[least] += $1
        sub(/^[0-9]+ /, "")
        print > (directory "/" name[least] ".files") }'
}

# Every line of a producer's files, marked with the producer and a running number, so that the archives can be taken
# apart again.
mark_lines() {
  local name=$1
  local -a files
  mapfile -t files <"$directory/$name.files"
  LC_ALL=C awk -v name="$name" '{ print name ":" NR ":" $0 }' "${files[@]}" >"$directory/$name.input"
  input_lines[$name]=$(wc -l <"$directory/$name.input")
  repeat[$name]=$(((wanted_lines[$name] + input_lines[$name] - 1) / input_lines[$name]))
  printf '  %s: %4d files, %6d lines, %3d times over\n' "$name" "${#files[@]}" "${input_lines[$name]}" "${repeat[$name]}"
}

check_space() {
  local free_mib
  free_mib=$(($(stat --file-system --format='%a * %S' "$directory") / 1048576))
  if ((free_mib < needed_mib)); then
    fail "${directory%/*} has $free_mib MiB left, $needed_mib are needed; set TMPDIR to a place with more"
  fi
}

prepare_input() {
  local name
  deal_files
  for name in "${producers[@]}"; do
    if [[ ! -s $directory/$name.files ]]; then fail "this machine has too few files to publish"; fi
    mark_lines "$name"
  done
}

# What a producer publishes if nobody kills it; as much of it as somebody reads.
whole_input() {
  local round
  for ((round = 0; round < repeat[$1]; ++round)); do
    cat "$directory/$1.input" 2>/dev/null || return 0
  done
}

# ---- processes

start_reader() {
  "$sapbuf" sub "$stream" --name "$1" >"$directory/$1" 2>"$directory/$1.log" &
  process[$1]=$!
}

start_producer() {
  "$sapbuf" pub "$stream" --name "$1" --repeat "${repeat[$1]}" "$directory/$1.input" 2>"$directory/$1.log" &
  process[$1]=$!
}

start_watchdog() {
  "$watchdog" "$stream" 2>"$directory/watchdog.log" &
  process[watchdog]=$!
  until grep --quiet --no-messages "$stream: watching" "$directory/watchdog.log"; do
    kill -0 "${process[watchdog]}" 2>/dev/null || fail "the watchdog does not run"
    sleep 0.01
  done
}

# The shell's own words about a killed job are of no use here.
reap() {
  local status=0
  { wait "${process[$1]}" || status=$?; } 2>/dev/null
  unset "process[$1]"
  return "$status"
}

kill_hard() {
  killed_pid[$1]=${process[$1]}
  killed_at[$1]=$(now_us)
  kill -KILL "${process[$1]}"
  reap "$1" || true
}

# ---- what happens

# A lossless reader that is stopped stops the stream, so what follows does not depend on how fast this machine is.
stop_for_a_while() {
  wait_until "the stream to run" committed_at_least $((planned / 20))
  tell "SIGSTOP archive-a: it is alive, so whatever it did not read yet stays, and the producers wait"
  kill -STOP "${process[archive-a]}"
  wait_until "the producers to wait for archive-a" producers_wait_for archive-a
  tell "SIGSTOP p3"
  kill -STOP "${process[p3]}"
  sleep "$((stopped_ms / 1000)).$((stopped_ms % 1000))"
  look
  check "while archive-a and p3 were stopped, nothing was taken from them" is_untouched archive-a
  tell "SIGCONT archive-a: the others go on without p3, or wait for it if it was stopped in the middle of a step"
  kill -CONT "${process[archive-a]}"
  look
  show_progress
  check "while only p3 was stopped, nothing was taken from it" is "$(journal p3 .number)" ""
  tell "SIGCONT p3"
  kill -CONT "${process[p3]}"
}

is_untouched() { ((died == 0)) && holds_a_slab "$1"; }

# It is stopped first, so that it is sure to hold what the producers need.
kill_a_reader() {
  wait_until "the stream to go on" committed_at_least $((committed + planned / 20))
  tell "SIGSTOP archive-b"
  kill -STOP "${process[archive-b]}"
  wait_until "the producers to wait for archive-b" producers_wait_for archive-b
  check "archive-b holds a slab that the producers need" producers_wait_for archive-b
  tell_holders
  tell "kill -9 archive-b"
  kill_hard archive-b
  local stood_at=$committed
  wait_until "the producers to go on" committed_at_least $((stood_at + 1))
  wait_until "archive-b to be in the journal" is_in_journal archive-b
}

# Stops p2 at some moment in which it has a part of a slab for itself: not while it happens to wait for room.
catch_in_the_act() {
  local try
  for ((try = 0; try < 20; ++try)); do
    kill -STOP "${process[p2]}"
    look
    if holds_a_slab p2; then return; fi
    kill -CONT "${process[p2]}"
    sleep 0.01
  done
}

kill_a_producer() {
  wait_until "the stream to go on" committed_at_least $((committed + planned / 20))
  catch_in_the_act
  tell_holders
  tell "kill -9 p2, which is publishing"
  kill_hard p2
  wait_until "p2 to be in the journal" is_in_journal p2
}

finish() {
  local name
  wait_until "the producers to come to their end" attached_are 1
  for name in "${survivors[@]}"; do
    reap "$name" || fail "$name failed: $(cat "$directory/$name.log")"
  done
  wait_until "archive-a to read the rest" archive_a_is_complete
  tell "all is read: SIGTERM to archive-a and the watchdog"
  "$sapbuf" status "$stream" --json >"$directory/status.json"
  "$sapbuf" status "$stream" >"$directory/status.txt"
  for name in archive-a watchdog; do
    kill -TERM "${process[$name]}"
    reap "$name" || fail "$name failed: $(tail -n 5 "$directory/$name.log")"
  done
}

# ---- the verdict

# lines_of PRODUCER ARCHIVE
lines_of() { LC_ALL=C grep --text "^$1:" "$directory/$2" || true; }

has_whole_input() { cmp --silent <(lines_of "$1" "$2") <(whole_input "$1"); }

# The archive's lines of a producer are the first so many that it published.
has_prefix_of_input() {
  ((archived[$1] > 0)) &&
    cmp --silent <(lines_of "$1" "$2") <(whole_input "$1" | head -n "${archived[$1]}")
}

is_killed_in_the_middle() { ((archived[$1] < input_lines[$1] * repeat[$1])) && has_prefix_of_input "$1" archive-a; }

# Sets $archived: how many lines an archive has of each producer, and [all].
count_lines() {
  local name count
  archived=()
  for name in "${producers[@]}"; do archived[$name]=0; done
  while read -r name count; do archived[$name]=$count; done < <(
    LC_ALL=C awk -F: '{ ++lines[$1] } END { for (name in lines) print name, lines[name]; print "all", NR }' \
      "$directory/$1")
}

compare_archive_a() {
  local name known=0
  count_lines archive-a
  for name in "${producers[@]}"; do
    known=$((known + archived[$name]))
    if [[ $name == p2 ]]; then
      check "archive-a: the first ${archived[$name]} lines of $name, killed in the middle of its work, in order" \
        is_killed_in_the_middle "$name"
    else
      check "archive-a: all ${archived[$name]} lines of $name, in order" has_whole_input "$name" archive-a
    fi
  done
  check "archive-a: no other line among its ${archived[all]}" is "$known" "${archived[all]}"
  check "archive-a: 2,000,000 lines or more" test "${archived[all]}" -ge 2000000
  archive_a_lines=${archived[all]}
}

# What the killed reader wrote down before it died; the last line may be cut off.
compare_archive_b() {
  local name
  head -n -1 "$directory/archive-b" >"$directory/archive-b.whole"
  count_lines archive-b.whole
  for name in "${producers[@]}"; do
    check "archive-b, until it was killed: the first ${archived[$name]} lines of $name, in order" \
      has_prefix_of_input "$name" archive-b.whole
  done
}

compare_ledger() {
  local committed delivered lost
  committed=$(jq '.departed.committed + ([.participants[].committed] | add)' "$directory/status.json")
  read -r delivered lost < <(jq --raw-output '.participants[] | select(.name == "archive-a") |
                                              [.delivered, .lost] | @tsv' "$directory/status.json")
  check "ledger: $committed committed = $delivered delivered to archive-a + $lost lost" \
    is "$committed 0" "$((delivered + lost)) $lost"
  check "ledger: as many as archive-a has lines" is "$delivered" "$archive_a_lines"
}

compare_journal() {
  local name pids
  for name in archive-b p2; do
    pids=$(jq --raw-output --arg name "$name" '[.journal[] | select(.name == $name).pid] | join(" ")' \
      "$directory/status.json")
    check "journal: $name (pid ${killed_pid[$name]}) once, by proof of death" is "$pids" "${killed_pid[$name]}"
  done
  check "journal: nobody else" is "$(jq '.journal | length' "$directory/status.json")" 2
  check "status: the dead hold no slab" is \
    "$(jq '[.slabs[].held_by[] | select(. == "archive-b" or . == "p2")] | length' "$directory/status.json")" 0
}

# "archive-b: generations 83 to 84 ... 1.2 ms after kill -9"
tell_reclaim_times() {
  local name
  for name in archive-b p2; do
    jq --raw-output --arg name "$name" --argjson killed "${killed_at[$name]}" '
      def ms: . * 10 | round / 10 | tostring + " ms";
      .journal[] | select(.name == $name) |
      "  \($name) (\(.role)): held " +
      (if .held_first == 0 then "no slab"
       elif .held_first == .held_last then "the slab of generation \(.held_first)"
       else "the slabs of generations \(.held_first) to \(.held_last)" end) +
      "; noticed \(.noticed_ns / 1e6 - $killed / 1e3 | ms), taken back \(.finished_ns / 1e6 - $killed / 1e3 | ms) after kill -9; " +
      "\(.repaired_frames) frames (\(.repaired_bytes) bytes) closed, \(.reclaimed_slabs) slabs reclaimed"' \
      "$directory/status.json"
  done
}

# ---- main

prepare() {
  "$root/scripts/setup.sh"
  configure "$root/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >/dev/null
  build "$root/build" sapbuf_cli sapbuf_watchdog
  started_ms=$(now_ms)
  directory=$(mktemp -d "${TMPDIR:-/tmp}/sapbuf-demo.XXXXXX")
}

run() {
  heading "input: real files of this machine"
  check_space
  prepare_input

  heading "the stream: ${#producers[@]} producers, 2 archiving readers, a watchdog"
  "$sapbuf" create "$stream"
  start_reader archive-a
  start_reader archive-b
  wait_until "the readers to attach" attached_are 2
  start_watchdog
  local name
  for name in "${producers[@]}"; do start_producer "$name"; done
  stop_for_a_while
  kill_a_reader
  kill_a_producer
  finish
}

report() {
  heading "ledger and journal"
  cat "$directory/status.txt"
  heading "the watchdog's log"
  cat "$directory/watchdog.log"
  heading "what the dead held"
  tell_reclaim_times
  heading "verdict"
  compare_archive_a
  compare_archive_b
  compare_ledger
  compare_journal
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
prepare "$@"
run
report
tell "done"
if ((problems != 0)); then
  printf 'demo: %d checks FAILED\n' "$problems"
  exit 1
fi
printf 'demo: every check passed\n'
