#!/usr/bin/env bash
# Programs that were compiled with the C interface of the last release go on with this library: functions, structs, and values of enumerations are what
# they were, as far as they were there. What changes on purpose (a field at the end of a struct of options) goes into the dump with --update.
#   abi_test.sh STATIC-LIBRARY CXX SHM-DIRECTORY DUMP [--update]    exit status 77 without abidw and abidiff (abigail-tools)
set -euo pipefail

library=$1 cxx=$2 shm=$3 dump=$4
if ! command -v abidw abidiff >/dev/null; then
  echo 'skipped: abidw and abidiff are not installed (abigail-tools)'
  exit 77
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

# All but the C interface is hidden, and types that are not in its headers are left out. Structs have numbers where an enumeration is meant: a
# function that takes one of each shows their values.
sed 's/^};/    sapbuf_enumerations;\n  local:\n    *;\n};/' "$shm/capi/sapbuf.map" >"$directory/map"
mkdir "$directory/headers"
cp "$shm/include/sapbuf.h" "$shm"/include/sapbuf/c/*.h "$directory/headers"
enumerations=$(sed --quiet 's/^typedef enum \(sapbuf_[a-z_]*\) .*/\1/p' "$shm"/include/sapbuf/c/*.h | sort | paste --serial --delimiters=,)
printf '#include <sapbuf.h>\nextern "C" void sapbuf_enumerations(%s) {}\n' "$enumerations" >"$directory/enumerations.cpp"
"$cxx" -g -fPIC -shared -I "$shm/include" -o "$directory/libsapbuf.so" "$directory/enumerations.cpp" -Wl,--whole-archive "$library" -Wl,--no-whole-archive \
  -Wl,--version-script="$directory/map"
abidw --headers-dir "$directory/headers" --drop-private-types --exported-interfaces-only --type-id-style hash --no-elf-needed \
  --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$directory/now.xml" "$directory/libsapbuf.so"

if ! grep --quiet "class-decl name='sapbuf_segment_options'" "$directory/now.xml"; then
  echo 'skipped: the library was built without the types of its C interface (RelWithDebInfo with g++ has them)'
  exit 77
fi
if [[ ${5-} == --update ]]; then
  cp "$directory/now.xml" "$dump"
  exit
fi
if ! abidiff --no-added-syms "$dump" "$directory/now.xml"; then
  echo "the C interface is not what it was; if that is meant, and programs go on: $0 $library $cxx $shm $dump --update" >&2
  exit 1
fi
