#!/usr/bin/env bash
# What find_package(sapbuf) gives: sapbuf::sapbuf is the shared library, or the static one if sapbuf_USE_STATIC_LIBS says so.
#   find_kinds_test.sh PREFIX EXAMPLES CXX
set -euo pipefail
prefix=$1 examples=$2 cxx=$3
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

cat >"$directory/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES CXX)
set(sapbuf_USE_STATIC_LIBS \${STATIC})
find_package(sapbuf 0.1 REQUIRED)
add_executable(program $examples/first_program.cpp)
target_link_libraries(program PRIVATE sapbuf::sapbuf)
END

# build STATIC
build() {
  { cmake -S "$directory" -B "$directory/$1" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" -DSTATIC="$1" &&
    cmake --build "$directory/$1"; } >"$directory/log" 2>&1 || { cat "$directory/log"; exit 1; }
}
is_shared() { [[ $(ldd "$directory/$1/program") == *libsapbuf.so.* ]]; }

build OFF && is_shared OFF || { printf 'sapbuf::sapbuf is not the shared library\n'; exit 1; }
build ON && ! is_shared ON || { printf 'sapbuf_USE_STATIC_LIBS does not hold\n'; exit 1; }
"$directory/ON/program" ticks.kinds >/dev/null
