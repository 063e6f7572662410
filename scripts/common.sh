# shellcheck shell=bash
# What the scripts share. Source it; it changes nothing by itself.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# configure DIRECTORY [CMAKE-OPTION...]
configure() {
  cmake -S "$root" -B "$1" -G Ninja "${@:2}"
}

# build DIRECTORY [TARGET...]: everything if no target is named
build() {
  local -a targets=()
  if (($# > 1)); then targets=(--target "${@:2}"); fi
  cmake --build "$1" --parallel "$(nproc)" "${targets[@]}"
}

# run_tests DIRECTORY [CTEST-OPTION...]
run_tests() {
  ctest --test-dir "$1" --parallel 2 --output-on-failure --no-tests=error "${@:2}"
}
