# shellcheck shell=bash
# For the tests of the tools: each one sources this, defines functions that say what ought to be, and ends with
# `run_cases`. A case runs in a shell of its own, with a stream name ($stream) and a directory ($directory) of its own;
# both are gone after it, and so is every process that it started with `start`.

set -euo pipefail
unset COLUMNS LINES  # of whose terminal this is run in

: "${SAPBUF:?the path of sapbuf}" "${SAPBUF_WATCHDOG:?the path of sapbuf-watchdog}"
sapbuf=$SAPBUF
watchdog=$SAPBUF_WATCHDOG

patience_s=60  # for what happens at once on an idle machine

# Exit codes of the tools.
done=0 failure=1 usage=2 no_segment=3 permission=4 problems=5
# Read by the tests that source this file.
: "$done" "$failure" "$usage" "$no_segment" "$permission" "$problems" "$watchdog"

# ---- claims; each ends the case if it does not hold

die() {
  printf '  FAILED in line %s: %s\n' "${BASH_LINENO[-5]}" "$*" >&2
  if [[ -s $directory/err ]]; then sed 's/^/    stderr: /' "$directory/err" >&2; fi
  exit 1
}

# expect CODE COMMAND...: runs it; leaves its output in $directory/out and $directory/err
expect() {
  local status=0
  "${@:2}" >"$directory/out" 2>"$directory/err" </dev/null || status=$?
  if ((status != $1)); then die "exit status $status instead of $1: ${*:2}"; fi
}

# equal FOUND WANTED [WHAT]
equal() {
  if [[ $1 != "$2" ]]; then die "${3-value}: found '$1', wanted '$2'"; fi
}

said() { grep --quiet --ignore-case -- "$1" "$directory/err" || die "nothing about '$1' on stderr"; }
printed() { grep --quiet -- "$1" "$directory/out" || die "nothing like '$1' on stdout: $(cat "$directory/out")"; }
printed_nothing() { [[ ! -s $directory/out ]] || die "something on stdout: $(cat "$directory/out")"; }

# json FILTER: of what the last command printed
json() { jq --raw-output "$1" "$directory/out"; }
# json_holds FILTER: it is true
json_holds() { jq --exit-status "$1" "$directory/out" >/dev/null || die "not so: $1 in $(cat "$directory/out")"; }

# Of the stream as it is now.
status() { "$sapbuf" status "$stream" --json | jq --raw-output "$1"; }
status_holds() { [[ $(status "$1" 2>/dev/null) == true ]]; }

# status_of STREAM FILTER: the same of any stream
status_of() { "$sapbuf" status "$1" --json | jq --raw-output "$2"; }
status_of_holds() { [[ $(status_of "$1" "$2" 2>/dev/null) == true ]]; }

# eventually COMMAND...: waits until it succeeds
eventually() {
  local deadline=$((SECONDS + patience_s))
  until "$@"; do
    if ((SECONDS > deadline)); then die "never: $*"; fi
    sleep 0.02
  done
}

# ---- processes

declare -A process

# start NAME COMMAND...: in the background; output in $directory/NAME.out and .err
start() {
  rm -f "$directory/$1.out" "$directory/$1.err"  # nobody may take an earlier one's words for its own
  "${@:2}" >"$directory/$1.out" 2>"$directory/$1.err" </dev/null &
  process[$1]=$!
}

# start_attached NAME COMMAND...: and waits until a participant of that name is there
start_attached() {
  start "$@"
  eventually status_holds "any(.participants[]; .name == \"$1\")"
}

# start_attached_to STREAM NAME COMMAND...: the same, where the stream is another one
start_attached_to() {
  start "${@:2}"
  eventually status_of_holds "$1" "any(.participants[]; .name == \"$2\")"
}

# start_pinning_readers NAME: one process with readers of two streams of $stream, and of $stream.2, each of which has pinned what
# is there
start_pinning_readers() {
  [[ -n ${SAPBUF_PINNING_READERS:-} ]] || skip 'needs the program pinning_readers: SAPBUF_PINNING_READERS'
  local name
  for name in "$stream" "$stream/orders" "$stream.2"; do
    "$sapbuf" create "$name" --slab-bytes 64KiB 2>/dev/null
    seq 5000 | "$sapbuf" pub "$name" 2>/dev/null
  done
  start "$1" "$SAPBUF_PINNING_READERS" "$stream/main" "$stream/orders" "$stream.2/main"
  eventually grep --quiet --no-messages pinned "$directory/$1.out"
}

signal() { kill "-$1" "${process[$2]}"; }

has_ended() { ! kill -0 "${process[$1]}" 2>/dev/null; }

# ends NAME CODE: waits for it, and claims its exit status
ends() {
  local status=0
  eventually has_ended "$1"
  { wait "${process[$1]}" || status=$?; } 2>/dev/null
  unset "process[$1]"
  equal "$status" "$2" "exit status of $1"
}

kill_hard() {
  signal KILL "$1"
  { wait "${process[$1]}" || true; } 2>/dev/null
  unset "process[$1]"
}

end_all() {
  local pid
  for pid in "${process[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  { wait || true; } 2>/dev/null
}

# Whether this process may see what processes of other users have mapped: CAP_SYS_PTRACE, which containers seldom give.
may_see_all_processes() { (((0x$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status) >> 19) & 1)); }

# ---- cases

clean_up() {
  local status=$?
  trap - EXIT
  end_all
  rm -rf "/dev/shm/sapbuf.$stream" "/dev/shm/sapbuf.$stream".* "/dev/shm/sapbuf.-$stream"
  rm -rf "$directory"
  exit "$status"
}

run_case() (
  set -e
  case=$1
  stream=test.tools.$BASHPID
  directory=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 1' INT TERM
  "$1"
)

# Runs every function test_* of the file, in its order. Exit status 77 (skipped) if any case said so and none failed.
run_cases() {
  local -a names
  local name status result=0
  mapfile -t names < <(grep --only-matching '^test_[a-z0-9_]*' "$0")
  for name in "${names[@]}"; do
    printf '%s\n' "$name"
    set +e
    run_case "$name"
    status=$?
    set -e
    if ((status == 77 && result == 0)); then result=77; fi
    if ((status != 0 && status != 77)); then result=1; fi
  done
  exit "$result"
}

skip() {
  printf '  skipped: %s: %s\n' "$case" "$*"
  exit 77
}
