#!/usr/bin/env bash
# What the headers declare, the library defines, the map names and a C program of the tests calls is one and the same list of functions; and a
# shared library that is linked with the map has each of them in its version.
#   symbols_test.sh STATIC-LIBRARY CXX NM SHM-DIRECTORY TESTS-DIRECTORY
set -euo pipefail
export LC_ALL=C

library=$1 cxx=$2 nm=$3 shm=$4 tests=$5
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# The inlined helpers are no functions of the library. A declaration may have its name on its second line.
sed --quiet '/^SAPBUF_INLINE/d; /^SAPBUF_C_API[^(]*$/{N; s/\n/ /}; s/^\(SAPBUF_C_API.*[ *]\)\(sapbuf_[a-z_]*\)(.*/\2/p' "$shm"/include/sapbuf/c/*.h | sort >"$directory/declared"
"$nm" --defined-only --extern-only --format=posix "$library" 2>/dev/null | sed --quiet 's/^\(sapbuf_[a-z_]*\) T .*/\1/p' | sort >"$directory/defined"
sed --quiet 's/^ *\(sapbuf_[a-z_]*\);$/\1/p' "$shm/capi/sapbuf.map" | sort >"$directory/mapped"
"$cxx" -shared -o "$directory/libsapbuf.so" -Wl,--whole-archive "$library" -Wl,--no-whole-archive \
  -Wl,--version-script="$shm/capi/sapbuf.map"
"$nm" --dynamic --defined-only --with-symbol-versions "$directory/libsapbuf.so" |
  sed --quiet 's/^[0-9a-f]* T \(sapbuf_[a-z_]*\)@@SAPBUF_[0-9.]*$/\1/p' | sort >"$directory/exported"
grep --only-matching --no-filename '\bsapbuf_[a-z_]*(' "$tests"/*.c | tr --delete '(' | sort --unique >"$directory/called"

if [[ ! -s $directory/declared ]]; then
  echo "no declarations in $shm/include/sapbuf/c" >&2
  exit 1
fi
for list in defined mapped exported; do
  diff --unified=0 --label declared --label "$list" "$directory/declared" "$directory/$list"
done
# What only the inlined calls call.
not_called=$(comm -23 "$directory/declared" "$directory/called" | grep --invert-match '_slow$' || true)
if [[ -n $not_called ]]; then
  printf 'no test in C calls:\n%s\n' "$not_called" >&2
  exit 1
fi
printf '%d functions\n' "$(wc --lines <"$directory/declared")"
