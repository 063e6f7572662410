# shellcheck shell=bash
# What the scripts share. Source it; it changes nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where everything is built: BUILD_DIR, if the environment says so (the source tree may then be read-only), or else build/.
# shellcheck disable=SC2034  # those who source this use it
build_dir=$(realpath --canonicalize-missing "${BUILD_DIR:-$root/build}")

# help_if_asked ARGUMENT...: shows what stands at the script's head, and ends, if --help or -h is the first one
help_if_asked() {
  if [[ ${1-} != --help && ${1-} != -h ]]; then return; fi
  sed --quiet '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
  exit 0
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# A bare chroot may lack what sapbuf finds processes by.
need_proc() {
  if [[ ! -r /proc/self/stat ]]; then fail "needs /proc: mount -t proc proc /proc"; fi
}

# alone DIRECTORY COMMAND...: while no other script builds there; says so if it has to wait
alone() {
  local directory=$1 lock status=0
  if ! { mkdir -p "$directory" && [[ -w $directory ]]; } 2>/dev/null; then
    fail "cannot write to $directory: set BUILD_DIR to a directory to build in"
  fi
  exec {lock}>>"$directory/.lock"
  if ! flock --nonblock "$lock"; then
    printf '%s: waiting for another build in %s\n' "${0##*/}" "$directory" >&2
    flock "$lock"
  fi
  "${@:2}" {lock}>&- || status=$?
  exec {lock}>&-
  return "$status"
}

# configure DIRECTORY [CMAKE-OPTION...]
configure() {
  alone "$1" cmake -S "$root" -B "$1" -G Ninja "${@:2}"
}

# build DIRECTORY [TARGET...]: everything if no target is named
build() {
  local -a targets=()
  if (($# > 1)); then targets=(--target "${@:2}"); fi
  alone "$1" cmake --build "$1" --parallel "$(nproc)" "${targets[@]}"
}

# run_tests DIRECTORY [PRESET]: all that was built there, or what a preset names of it; says at the end what the surroundings did not allow
# to be tried. Two tests at a time, but only where each has a /dev/shm of its own: one may fill it. Without those whose names match the
# regular expression SKIP_TESTS, if the environment says so.
run_tests() {
  local jobs=1 status=0
  if "$root/tests/support/own_shm.sh" --possible; then jobs=2; fi
  local -a which=(--test-dir "$1")
  if (($# > 1)); then which=(--preset "$2"); fi
  if [[ -n ${SKIP_TESTS-} ]]; then which+=(--exclude-regex "$SKIP_TESTS"); fi
  ctest "${which[@]}" --parallel "$jobs" --output-on-failure --no-tests=error || status=$?
  tell_skipped "$1"
  return "$status"
}

# tell_skipped DIRECTORY: what the tests that ran there last say that they skipped
tell_skipped() {
  local skipped
  skipped=$(awk '/^[0-9]+\/[0-9]+ Testing: / { test = $3 }
                 sub(/^ *skipped: /, "") { print "  " test ": " $0 }' "$1/Testing/Temporary/LastTest.log" |
    sed --regexp-extended 's|/_[0-9]+: |: |' | sort --unique)
  if [[ -n $skipped ]]; then printf '\nSkipped, since the surroundings do not allow it:\n%s\n' "$skipped"; fi
}
