#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need, if they are missing.
#   scripts/setup.sh             what scripts/test.sh and scripts/demo.sh need
#   scripts/setup.sh --ci        also what .ci/run needs: clang, its sanitizer runtimes, clang-format
#   scripts/setup.sh --aarch64   also what scripts/test_aarch64.sh needs: a cross compiler and qemu-user
#   scripts/setup.sh --bench     also what scripts/bench.sh needs: the peers that it measures
#   scripts/setup.sh --models    only what scripts/check_models.sh needs: spin and a C compiler
set -euo pipefail

packages=(g++ cmake ninja-build libboost-dev libboost-test-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev
          libbenchmark-dev jq)
ci_packages=(clang clang-format libclang-rt-14-dev)
aarch64_packages=(g++-aarch64-linux-gnu qemu-user)
bench_packages=(pkg-config libdpdk-dev libzmq3-dev)
model_packages=(spin gcc libc6-dev)

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
    --models) packages=("${model_packages[@]}") ;;
    *) fail "unknown option $1 (known: --ci, --aarch64, --bench, --models)" ;;
  esac
}

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Runs a command as root, without a word unless it fails.
quietly_as_root() {
  local -a as_root=()
  local output
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "needs root, or sudo, to install: ${missing[*]}"
    as_root=(sudo)
  fi
  if ! output=$("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@" 2>&1 </dev/null); then
    printf '%s\n' "$output" >&2
    fail "failed: $*"
  fi
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
  printf 'setup: installing %s\n' "${missing[*]}"
  quietly_as_root apt-get update
  quietly_as_root apt-get install --yes --no-install-recommends "${missing[@]}"
}

main "$@"
