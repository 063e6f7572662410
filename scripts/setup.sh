#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need, if they are missing; says what it is doing.
#   scripts/setup.sh             what scripts/test.sh and scripts/demo.sh need
#   scripts/setup.sh --ci        also what .ci/run needs: clang, its sanitizer runtimes, clang-format, abidiff, ccache
#   scripts/setup.sh --aarch64   also what scripts/test_aarch64.sh needs: a cross compiler and qemu-user
#   scripts/setup.sh --bench     also what scripts/bench.sh needs: the peers that it measures
#   scripts/setup.sh --packages  also what scripts/package.sh needs, and the tests of what it makes
#   scripts/setup.sh --models    only what scripts/check_models.sh needs: spin and a C compiler
set -euo pipefail

packages=(g++ cmake ninja-build libboost-dev libboost-test-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev
          libbenchmark-dev libcpp-httplib-dev libzstd-dev zlib1g-dev pkg-config jq tmux
          pybind11-dev python3-dev python3-pytest python3-numpy)
ci_packages=(abigail-tools ccache clang clang-format libclang-rt-14-dev prometheus)
aarch64_packages=(g++-aarch64-linux-gnu qemu-user)
bench_packages=(libdpdk-dev liblmdb-dev libmimalloc-dev libzmq3-dev)
package_packages=(doxygen dpkg-dev file lintian man-db meson)
model_packages=(spin gcc libc6-dev)
tell_every_s=5

fail() {
  printf 'setup.sh: %s\n' "$*" >&2
  exit 1
}

parse_arguments() {
  case "${1-}" in
    '') ;;
    --ci) packages+=("${ci_packages[@]}") ;;
    --aarch64) packages+=("${aarch64_packages[@]}") ;;
    --bench) packages+=("${bench_packages[@]}") ;;
    --packages) packages+=("${package_packages[@]}") ;;
    --models) packages=("${model_packages[@]}") ;;
    --help | -h)
      sed --quiet '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) fail "unknown option $1 (known: --ci, --aarch64, --bench, --packages, --models)" ;;
  esac
}

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# The latest line of $log, every few seconds.
tell_progress() {
  local line
  while sleep "$tell_every_s" &>/dev/null; do
    line=$(tail -n 1 "$log" | tr -cd '[:print:]' | cut -c 1-100)
    printf 'setup: %3d s: %s\n' "$SECONDS" "${line:-waiting for an answer}"
  done
}

clean_up() {
  if [[ -n $teller ]]; then kill "$teller" 2>/dev/null || true; fi
  rm -f "$log"
}

# as_root COMMAND...: its output goes to $log
as_root() {
  local -a become_root=()
  local status=0
  if ((EUID != 0)); then become_root=(sudo); fi
  tell_progress &
  teller=$!
  "${become_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null || status=$?
  { kill "$teller" && wait "$teller"; } 2>/dev/null || true
  teller=
  return "$status"
}

fail_with_log() {
  tail -n 20 "$log" >&2
  fail "$1"
}

# apt-get takes lists that it could not fetch for no error, unless it is told otherwise.
fetch_lists() {
  printf 'setup: fetching the lists of packages (apt-get update)\n'
  as_root apt-get update --error-on=any ||
    fail_with_log "apt-get update failed: no network, or /etc/apt names an archive that cannot be reached; missing: ${missing[*]}"
}

install_packages() {
  printf 'setup: installing %s (apt-get install; a minute or two)\n' "${missing[*]}"
  as_root apt-get install --yes --no-install-recommends "${missing[@]}" || fail_with_log "apt-get install failed"
}

main() {
  parse_arguments "$@"
  if ! command -v apt-get >/dev/null; then
    fail "this is no Debian system; install what corresponds to: ${packages[*]}"
  fi
  missing=()
  local package
  for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    printf 'setup: nothing is missing\n'
    return
  fi
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then fail "needs root, or sudo, to install: ${missing[*]}"; fi
  log=$(mktemp)
  teller=
  trap clean_up EXIT
  fetch_lists
  install_packages
  printf 'setup: done in %d s\n' "$SECONDS"
}

main "$@"
