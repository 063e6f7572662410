#!/usr/bin/env bash
# A 32-bit build is refused by name, and not by whatever goes wrong first. The headers of such a system may not be installed:
# three of them are put in their place, with as much as the first of sapbuf's headers wants.
set -euo pipefail

source_tree=$1
compiler=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

cat >"$directory/cstddef" <<'END'
#pragma once
namespace std {
using size_t = decltype(sizeof 0);
enum class byte : unsigned char {};
}
END
cat >"$directory/cstdint" <<'END'
#pragma once
namespace std {
using uint32_t = unsigned;
using uint64_t = unsigned long long;
}
END
cat >"$directory/atomic" <<'END'
#pragma once
namespace std {
template <class T>
struct alignas(sizeof(T)) atomic {
  static constexpr bool is_always_lock_free = true;
  T value;
};
}
END
printf '#include "%s/shm/layout/word.hpp"\n' "$source_tree" >"$directory/user.cpp"

compile() { "$compiler" -std=c++20 -nostdinc -nostdinc++ -I"$directory" -I"$source_tree/shm/include" -fsyntax-only "$@" "$directory/user.cpp"; }

if ! compile 2>"$directory/err"; then
  printf 'the header does not compile at all:\n%s\n' "$(cat "$directory/err")"
  exit 1
fi
printf 'int main() {}\n' >"$directory/empty.cpp"
if ! "$compiler" -m32 -fsyntax-only "$directory/empty.cpp" 2>/dev/null; then
  printf 'skipped: this compiler has no 32-bit target\n'
  exit 77
fi
if compile -m32 2>"$directory/err"; then
  printf 'a 32-bit build is accepted\n'
  exit 1
fi
grep --quiet 'sapbuf needs a 64-bit build' "$directory/err" || {
  printf 'not refused by name:\n%s\n' "$(cat "$directory/err")"
  exit 1
}
