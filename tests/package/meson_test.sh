#!/usr/bin/env bash
# A Meson project uses the installed library.
#   meson_test.sh PREFIX EXAMPLES
set -euo pipefail
prefix=$1 examples=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

command -v meson >/dev/null || { printf 'skipped: meson is not installed\n'; exit 77; }
libraries=$(dirname "$(find "$prefix" -name libsapbuf.so)")
export PKG_CONFIG_PATH=$libraries/pkgconfig LD_LIBRARY_PATH=$libraries
here=$(dirname "${BASH_SOURCE[0]}")
meson setup "$directory/built" "$here/meson" -Dexamples="$examples" >"$directory/log" || { cat "$directory/log"; exit 1; }
meson test -C "$directory/built" --print-errorlogs
[[ $(ldd "$directory/built/first_program") == *"$libraries/libsapbuf.so.1"* ]]
