#!/usr/bin/env bash
# Builds the library and its tests for aarch64 and runs them on this machine under qemu-user. That shows that the code is
# right for another instruction set, libc and compiler back end. It shows nothing about weaker memory order when this
# machine is an x86: qemu's loads and stores are then as ordered as those of the machine.
#   scripts/test_aarch64.sh [FOLDER...]    of tests/; all that qemu-user can run, if none is named
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

folders=(layout platform segment stream threads)
directory=$build_dir-aarch64
emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
fills_memory=creation/a_segment_that_does_not_fit_is_refused_and_leaves_nothing_behind
patience_s=900  # for one folder; the emulator is many times slower than the machine

# Only Boost's headers: the others in /usr/include are this machine's.
link_boost_headers() {
  mkdir -p "$directory/headers"
  ln -sfn /usr/include/boost "$directory/headers/boost"
}

build_tests() {
  configure "$directory" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DBoost_NO_BOOST_CMAKE=ON -DBoost_INCLUDE_DIR="$directory/headers" \
    -DSAPBUF_BOOST_TEST_INCLUDED=ON -DSAPBUF_TOOLS=OFF -DSAPBUF_BENCH=OFF
  local -a targets=("${folders[@]/#/test_}")
  cmake --build "$directory" --parallel 1 --target "${targets[@]}"
}

# succeeds SOURCE: whether a small program for aarch64 ends with 0 under the emulator
succeeds() {
  aarch64-linux-gnu-g++ -std=c++20 -x c++ - -o "$directory/probe" <<<"$1" && "${emulator[@]}" "$directory/probe"
}

readonly needs_ofd_locks='
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
int main() {
  char path[] = "/tmp/sapbuf-probe.XXXXXX";
  const int one = mkstemp(path), other = open(path, O_RDWR);
  unlink(path);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  if (fcntl(one, F_OFD_SETLK, &lock) != 0) return 1;
  return fcntl(other, F_OFD_SETLK, &lock) == 0;
}'
readonly needs_membarrier='
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
int main() {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0 ||
         syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) != 0;
}'

probe_emulator() {
  succeeds "$needs_ofd_locks" || fail "this qemu-user has no OFD locks: nothing can be tested"
  succeeds "$needs_membarrier" || fail "this qemu-user has no membarrier: nothing can be tested with the default fences"
}

run_folder() {
  local -a filter=()
  if [[ $1 == segment ]]; then
    printf 'left out: %s (it fills /dev/shm, and says nothing about another architecture)\n' "$fills_memory"
    filter=(--run_test="!$fills_memory")
  fi
  local status=0
  timeout "$patience_s" "${emulator[@]}" "$directory/tests/test_$1" "${filter[@]}" --log_level=message --report_level=short ||
    status=$?
  ((status == 0 || status == 77))  # 77: some of it is skipped, and said so
}

if (($# > 0)); then folders=("$@"); fi
"$root/scripts/setup.sh" --aarch64
link_boost_headers
build_tests
probe_emulator
failed=()
for folder in "${folders[@]}"; do
  printf '\n==== [%d s] %s\n' "$SECONDS" "$folder"
  run_folder "$folder" || failed+=("$folder")
done
if ((${#failed[@]} > 0)); then fail "failed: ${failed[*]}"; fi
printf '\ntest_aarch64: %s: all passed in %d s\n' "${folders[*]}" "$SECONDS"
