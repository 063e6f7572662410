#!/usr/bin/env bash
# A program is built with what pkg-config says, shared and static, wherever the library was installed.
#   pkg_config_test.sh PREFIX EXAMPLES CXX VERSION
set -euo pipefail
prefix=$1 examples=$2 cxx=$3 version=$4
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

command -v pkg-config >/dev/null || { printf 'skipped: pkg-config is not installed\n'; exit 77; }
libraries=$(dirname "$(find "$prefix" -name libsapbuf.so)")
export PKG_CONFIG_PATH=$libraries/pkgconfig

[[ $(pkg-config --modversion sapbuf) == "$version" ]]
read -ra flags <<<"$(pkg-config --cflags --libs sapbuf)"
"$cxx" -std=c++20 -Wall -Wextra -Werror "$examples/first_program.cpp" "${flags[@]}" -o "$directory/shared"
LD_LIBRARY_PATH=$libraries "$directory/shared" ticks.shared | grep --count 'a chart of 1048576' | grep --line-regexp 3
[[ $(LD_LIBRARY_PATH=$libraries ldd "$directory/shared") == *"$libraries/libsapbuf.so.1"* ]]

read -ra flags <<<"$(pkg-config --cflags --libs --static sapbuf)"
"$cxx" -std=c++20 "$examples/first_program.cpp" "${flags[@]/#-lsapbuf/-l:libsapbuf.a}" -o "$directory/static"
"$directory/static" ticks.static | grep --count 'a chart of 1048576' | grep --line-regexp 3
[[ $(ldd "$directory/static") != *libsapbuf* ]]
