#!/usr/bin/env bash
# The main job on real input: producers publish files of this machine, two lossless readers archive them, a watchdog
# looks on; a reader and a producer are killed in mid-stream, others are stopped and continued; in the end the producers
# are told to stop. Then the archives are compared with the input, line by line, as far as each producer says that it
# came. And a camera is killed with buffers of a pool in its hands and in messages: what it sent is read, and each buffer
# comes back. Exit status 1 if anything is off. Nothing depends on how fast this machine is, or how busy.
#   scripts/demo.sh [--quick] [CMAKE-OPTION...]    --quick: a tenth of the lines, for many runs in a row
#   BUILD_DIR=/some/where scripts/demo.sh [...]    builds there, and not in build/: the source tree may be read-only
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

stream=demo.$$
frames=demo.$$.frames  # the segment of the act with a pool
directory=
sapbuf=    # copies: a build that goes on beside this cannot take them away
watchdog=
in_flight=

# Each producer publishes its own files again and again, until it is told to stop; p2 is killed before that.
producers=(p1 p2 p3 p4 p5)
survivors=(p1 p3 p4 p5)
for_ever=1000000000
declare -A published archived  # name -> lines
declare -A process             # name -> pid, of those that run
declare -A may_end             # names of those that were told to
declare -A killed_at           # name -> microseconds since the epoch
declare -A killed_pid

wanted_lines=3000000     # when there are so many, the producers are told to stop
some_lines=150000        # between two things that happen: many slabs full
stopped_ms=1000          # how long a process is stopped
needed_mib=1000          # of space for input and archives
patience_lines=10000000  # that may go by while something is waited for that takes a moment
patience_looks=5000      # at a stream in which nothing moves at all; a minute and more
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
  for name in "$stream" "$frames"; do
    if [[ -e /dev/shm/sapbuf.$name ]]; then
      "$sapbuf" rm --force "$name" 2>/dev/null || rm -f "/dev/shm/sapbuf.$name"
    fi
  done
  if [[ -n $directory ]]; then rm -rf "$directory"; fi
  exit "$status"
}

# ---- the stream, seen from outside

# Takes a look at the stream: $committed and $delivered (to archive-a) messages, $generation, $attached participants,
# $died (finished entries of the journal), $slabs and $participants (as JSON). By the shell itself: jq takes longer to
# start than it takes the producers to publish a hundred thousand lines.
look() {
  local json rest
  json=$("$sapbuf" status "$stream" --json)
  json=${json%%'"facilities"'*}  # where the same stands once more, for each stream of the segment
  slabs=${json%%'"participants"'*}
  participants=${json%%'"departed"'*}
  committed=0
  rest=$json
  while [[ $rest =~ '"committed":'([0-9]+)(.*) ]]; do
    committed=$((committed + BASH_REMATCH[1]))
    rest=${BASH_REMATCH[2]}
  done
  delivered=0
  if [[ $json =~ '"name":"archive-a"'[^}]*'"delivered":'([0-9]+) ]]; then delivered=${BASH_REMATCH[1]}; fi
  [[ $json =~ '"generation":'([0-9]+) ]] && generation=${BASH_REMATCH[1]}
  count_in "$participants" '"role":'
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

# wait_until DESCRIPTION CONDITION...: looks, shows progress, and evaluates the condition, until it holds. It gives up
# when the stream has gone on for long without it, or when nothing moves in it, look after look; and when somebody has
# ended who should run. None of that comes sooner on a slow machine.
wait_until() {
  local begun_at still=0 state before=
  look
  begun_at=$committed
  until "${@:2}"; do
    show_progress
    if ! everybody_runs; then give_up "waited for $1, and $missing has ended by itself"; fi
    if ((committed > begun_at + patience_lines)); then
      give_up "waited in vain for $1, while $((committed - begun_at)) lines were committed"
    fi
    state="$committed $delivered $generation $attached $died"
    if [[ $state == "$before" ]]; then still=$((still + 1)); else still=0; fi
    before=$state
    if ((still > patience_looks)); then give_up "waited in vain for $1: nothing moved in $still looks at the stream"; fi
    sleep 0.01
    look
  done
}

# With what there is to find the cause.
give_up() {
  {
    printf '\n'
    "$sapbuf" status "$stream" || true
    local name
    for name in "${!process[@]}"; do printf '%s: pid %s, state %s\n' "$name" "${process[$name]}" "$(state_of "$name")"; done
    tail -n 5 "$directory"/*.log || true
    printf '\n'
  } >&2
  fail "$1"
}

committed_at_least() { ((committed >= $1)); }
attached_are() { ((attached == $1)); }
archive_a_is_complete() { ((delivered == committed)); }

every_producer_has_committed() {
  local name
  for name in "${producers[@]}"; do
    [[ $participants =~ "\"name\":\"$name\""[^}]*'"committed":'[1-9] ]] || return 1
  done
}

# Nothing was committed or read for a while. That they are out of processor time looks the same, and does no harm.
stands_still() {
  local before="$committed $delivered"
  sleep 0.1
  look
  [[ $before == "$committed $delivered" ]]
}

# As of the last look: the reader keeps a slab that the producers have left.
keeps_a_full_slab() { [[ $slabs =~ '"state":"sealed"'[^]]*"\"$1\"" ]]; }

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
  printf '  %s: %4d files, %6d lines, again and again\n' "$name" "${#files[@]}" "$(wc -l <"$directory/$name.input")"
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

# first_lines PRODUCER COUNT: of what it publishes
first_lines() {
  while cat "$directory/$1.input" 2>/dev/null; do :; done | head -n "$2"
}

# ---- processes

start_reader() {
  "$sapbuf" sub "$stream" --name "$1" >"$directory/$1" 2>"$directory/$1.log" &
  process[$1]=$!
}

start_producer() {
  "$sapbuf" pub "$stream" --name "$1" --repeat "$for_ever" "$directory/$1.input" 2>"$directory/$1.log" &
  process[$1]=$!
}

start_watchdog() {
  "$watchdog" "$stream" 2>"$directory/watchdog.log" &
  process[watchdog]=$!
  wait_until "the watchdog to look at the stream" watchdog_watches
}

watchdog_watches() { grep --quiet "$stream: watching" "$directory/watchdog.log"; }

# R (running), S (sleeping), T (stopped), Z (has ended), ...
state_of() {
  local line
  { read -r line <"/proc/${process[$1]}/stat"; } 2>/dev/null || line=') Z'
  line=${line##*) }
  printf '%s' "${line%% *}"
}

has_ended() { [[ $(state_of "$1") == Z ]]; }

# Sets $missing to the name of one who does not.
everybody_runs() {
  local name
  for name in "${!process[@]}"; do
    if [[ -z ${may_end[$name]-} ]] && has_ended "$name"; then
      missing=$name
      return 1
    fi
  done
}

signal() { kill "-$1" "${process[$2]}"; }

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
  signal KILL "$1"
  reap "$1" || true
}

ask_to_end() {
  may_end[$1]=yes
  signal TERM "$1"
}

# expect_end NAME STATUS: of somebody who was asked to.
expect_end() {
  local status=0
  wait_until "$1 to end" has_ended "$1"
  reap "$1" || status=$?
  if ((status != $2)); then give_up "$1 failed"; fi
}

# ---- what happens

# stop_keeping READER: stops it, at a moment in which it keeps what the producers need. Now and then it is stopped in the
# middle of a step that the others wait for; then it does not.
stop_keeping() {
  signal STOP "$1"
  wait_until "the producers to wait for $1" stands_still
  until keeps_a_full_slab "$1"; do
    signal CONT "$1"
    wait_until "the stream to go on" committed_at_least $((committed + 1))
    signal STOP "$1"
    wait_until "the producers to wait for $1" stands_still
  done
}

stop_for_a_while() {
  wait_until "every producer to commit something" every_producer_has_committed
  wait_until "the stream to run" committed_at_least "$some_lines"
  tell "SIGSTOP archive-a: it is alive, so whatever it did not read yet stays, and the producers wait"
  stop_keeping archive-a
  tell "SIGSTOP p3"
  signal STOP p3
  sleep "$((stopped_ms / 1000)).$(printf %03d $((stopped_ms % 1000)))"
  look
  check "while archive-a and p3 were stopped, nothing was taken from them" is_untouched archive-a
  tell "SIGCONT archive-a: the others go on without p3, or wait for it if it was stopped in the middle of a step"
  signal CONT archive-a
  look
  show_progress
  check "while only p3 was stopped, nothing was taken from it" is "$(journal p3 .number)" ""
  tell "SIGCONT p3"
  signal CONT p3
}

is_untouched() { ((died == 0)) && holds_a_slab "$1"; }

# It is stopped first, so that it is sure to hold what the producers need.
kill_a_reader() {
  wait_until "the stream to go on" committed_at_least $((committed + some_lines))
  tell "SIGSTOP archive-b"
  stop_keeping archive-b
  look
  check "archive-b still holds the slab that the producers need" keeps_a_full_slab archive-b
  tell_holders
  tell "kill -9 archive-b"
  kill_hard archive-b
  wait_until "the producers to go on" committed_at_least $((committed + 1))
  wait_until "archive-b to be in the journal" is_in_journal archive-b
}

# Stops p2 in a moment in which it has a part of a slab for itself, and does not wait for room; where the reader is slow,
# such moments are rare, and it may be killed while it waits.
catch_in_the_act() {
  local try
  for ((try = 0; try < 8; ++try)); do
    signal STOP p2
    look
    if holds_a_slab p2; then return; fi
    signal CONT p2
    wait_until "the stream to go on" committed_at_least $((committed + 1))
  done
}

kill_a_producer() {
  wait_until "the stream to go on" committed_at_least $((committed + some_lines))
  catch_in_the_act
  tell_holders
  tell "kill -9 p2, which is publishing"
  kill_hard p2
  wait_until "p2 to be in the journal" is_in_journal p2
}

finish() {
  local name
  wait_until "enough lines" committed_at_least "$wanted_lines"
  tell "these are enough: SIGTERM to the producers"
  for name in "${survivors[@]}"; do ask_to_end "$name"; done
  for name in "${survivors[@]}"; do expect_end "$name" 1; done  # they had more
  wait_until "archive-a to read the rest" archive_a_is_complete
  tell "all is read: SIGTERM to archive-a and the watchdog"
  "$sapbuf" status "$stream" --json >"$directory/status.json"
  "$sapbuf" status "$stream" >"$directory/status.txt"
  for name in archive-a watchdog; do
    ask_to_end "$name"
    expect_end "$name" 0
  done
}

# ---- buffers

# in_pool FILTER: of the pool, as it is now
in_pool() { "$sapbuf" status "$frames" --json | jq --raw-output ".facilities[] | select(.kind == \"pool\") | $1"; }

wait_for_camera() {
  until [[ -s $directory/camera.log ]]; do
    if has_ended camera; then fail "the camera has ended by itself: $(cat "$directory/camera.err")"; fi
    sleep 0.01
  done
}

# A segment by itself, in which nobody comes to the dead one's help but the watchdog.
kill_a_camera() {
  "$sapbuf" create "$frames" --slab-bytes 64KiB --pool frames:64KiB:16
  "$in_flight" "$frames" send >"$directory/camera.log" 2>"$directory/camera.err" &
  process[camera]=$!
  wait_for_camera
  tell "camera $(cat "$directory/camera.log")"
  check "status: camera holds 5 of 16 buffers" is "$(in_pool '[.holders[] | .name, .buffers, .bytes] | @tsv')" \
    $'camera\t5\t327680'
  check "status: 9 are shared, 3 in use" is "$(in_pool '[.shared, .in_use] | @tsv')" $'9\t3'
  tell "kill -9 camera"
  kill_hard camera
  "$watchdog" --once "$frames" 2>"$directory/frames.log"
  while read -r line; do tell "$line"; done <"$directory/frames.log"
  check "status: nobody holds a buffer; camera had 5" is "$(in_pool '[(.holders | length), .departed.reclaimed] | @tsv')" \
    $'0\t5'
  "$in_flight" "$frames" receive >"$directory/viewer.log" 2>&1 || true
  while read -r line; do tell "viewer $line"; done <"$directory/viewer.log"
  check "the viewer read what was sent before the kill" grep --quiet 'read 5 of 5 ' "$directory/viewer.log"
  check "each of the 16 buffers came back" grep --quiet 'acquired 16 of 16 ' "$directory/viewer.log"
  check "status: acquired and adopted = released and reclaimed" is \
    "$(in_pool '.departed | .acquired + .adopted - .released - .reclaimed')" 0
  "$sapbuf" rm "$frames"
}

# ---- the verdict

# lines_of PRODUCER ARCHIVE
lines_of() { LC_ALL=C grep --text "^$1:" "$directory/$2" || true; }

# has_first_lines PRODUCER ARCHIVE COUNT: these, in their order, and no others of that producer
has_first_lines() { cmp --silent <(lines_of "$1" "$2") <(first_lines "$1" "$3"); }

# Sets $published: what each producer committed; by its own words, and for p2, who did not live to say it, what the
# ledger has beyond that.
count_published() {
  local name said
  published[p2]=$(jq '.departed.committed + ([.participants[].committed] | add)' "$directory/status.json")
  for name in "${survivors[@]}"; do
    said=$(sed --quiet --regexp-extended 's/.*published ([0-9,]+) messages?.*/\1/p' "$directory/$name.log")
    if [[ -z $said ]]; then give_up "$name does not say how much it published"; fi
    published[$name]=${said//,/}
    published[p2]=$((published[p2] - published[$name]))
  done
}

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
  local name who known=0
  count_lines archive-a
  for name in "${producers[@]}"; do
    known=$((known + archived[$name]))
    who=$name
    if [[ $name == p2 ]]; then who="p2, up to its death"; fi
    check "archive-a: the ${published[$name]} lines of $who, in order" \
      has_first_lines "$name" archive-a "${published[$name]}"
  done
  check "archive-a: no other line among its ${archived[all]}" is "$known" "${archived[all]}"
  check "archive-a: $wanted_lines lines or more, of each producer some" has_enough
  archive_a_lines=${archived[all]}
}

has_enough() {
  local name
  for name in "${producers[@]}"; do ((archived[$name] > 0)) || return 1; done
  ((archived[all] >= wanted_lines))
}

# What the killed reader wrote down before it died; the last line may be cut off.
compare_archive_b() {
  local name
  head -n -1 "$directory/archive-b" >"$directory/archive-b.whole"
  count_lines archive-b.whole
  for name in "${producers[@]}"; do
    check "archive-b, until it was killed: the first ${archived[$name]} lines of $name, in order" \
      has_first_lines "$name" archive-b.whole "${archived[$name]}"
  done
  check "archive-b: some lines" test "${archived[all]}" -gt 0
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
      "\(.repaired_frames) repairs (\(.repaired_bytes) bytes), \(.reclaimed_slabs) slabs released"' \
      "$directory/status.json"
  done
}

# ---- main

parse_arguments() {
  if [[ ${1-} == --quick ]]; then
    wanted_lines=300000
    stopped_ms=100
    shift
  fi
  cmake_options=("$@")
}

prepare() {
  need_proc
  "$root/scripts/setup.sh"
  configure "$build_dir" -DCMAKE_BUILD_TYPE=RelWithDebInfo "${cmake_options[@]}" >/dev/null
  build "$build_dir" sapbuf_cli sapbuf_watchdog in_flight
  started_ms=$(now_ms)
  directory=$(mktemp -d "${TMPDIR:-/tmp}/sapbuf-demo.XXXXXX")
  sapbuf=$directory/bin/sapbuf
  watchdog=$directory/bin/sapbuf-watchdog
  in_flight=$directory/bin/in_flight
  mkdir "$directory/bin"
  alone "$build_dir" cp "$build_dir/tools/sapbuf/sapbuf" "$build_dir/tools/sapbuf_watchdog/sapbuf-watchdog" \
    "$build_dir/tools/in_flight" "$directory/bin"
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

  heading "a pool of 16 buffers: a camera is killed with some in its hands, and some in messages"
  kill_a_camera
}

report() {
  heading "ledger and journal"
  cat "$directory/status.txt"
  heading "the watchdog's log"
  cat "$directory/watchdog.log"
  heading "what the dead held"
  tell_reclaim_times
  heading "verdict"
  count_published
  compare_archive_a
  compare_archive_b
  compare_ledger
  compare_journal
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
parse_arguments "$@"
prepare
run
report
tell "done"
if ((problems != 0)); then
  printf 'demo: %d checks FAILED\n' "$problems"
  exit 1
fi
printf 'demo: every check passed\n'
