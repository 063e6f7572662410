#!/usr/bin/env bash
# The Debian packages, in a tree in which nothing of sapbuf is, and nothing of what it takes to build it: they are installed, programs are
# built with them, the tools run, and when they are purged nothing is left. The tree is this system with a layer over it, which goes with the
# mount namespace.
#   debs_test.sh FOLDER SOURCE-DIRECTORY     the folder that scripts/package.sh put them into
set -euo pipefail
folder=$(realpath "$1") source_tree=$(realpath "$2")

# What the headers and the tools must not need: build dependencies of sapbuf itself.
readonly build_dependencies='^(libboost|libspdlog-dev|libfmt-dev|libcli11-dev|nlohmann-json3-dev|libbenchmark-dev|libzmq3-dev|liblmdb-dev|pybind11-dev)'

fail() {
  printf 'debs_test: %s\n' "$*" >&2
  exit 1
}

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

# Everything from here on runs in the namespace.
make_tree() {
  layers=$(mktemp -d /tmp/sapbuf-debs.XXXXXX)
  mount -t tmpfs none "$layers"
  mkdir "$layers"/{upper,work,tree}
  mount -t overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" none "$layers/tree" 2>/dev/null ||
    skip "this system mounts no overlay over its root"
  tree=$layers/tree
  mount -t proc none "$tree/proc"
  mount --rbind /dev "$tree/dev"
  mount -t tmpfs -o mode=1777 none "$tree/dev/shm"
  mount -t tmpfs -o mode=1777 none "$tree/tmp"
  mkdir "$tree/tmp"/{debs,examples}
  cp "$folder"/*.deb "$tree/tmp/debs"
  cp "$source_tree"/shm/examples/first_program.* "$tree/tmp/examples"
}

in_tree() { chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

take_build_dependencies_away() {
  local -a packages
  mapfile -t packages < <(in_tree dpkg-query --show --showformat='${Package}\n' | grep --extended-regexp "$build_dependencies")
  in_tree dpkg --purge --force-depends "${packages[@]}" >/dev/null 2>&1
  [[ ! -e $tree/usr/include/boost && ! -e $tree/usr/include/fmt ]] || fail "the build dependencies are still there"
}

# What is in the tree and not in the system below it. What dpkg notes down for itself is its own.
list_additions() {
  local path
  while IFS= read -r -d '' path; do
    [[ -e /$path || -L /$path ]] || printf '%s\n' "$path"
  done < <(find "$layers/upper" -mindepth 1 \( -path '*/var/lib/dpkg' -o -path '*/var/cache' -o -path '*/var/log' \) -prune -o -printf '%P\0') | sort
}

# A program built as users build it, which says what it read.
check_program() {
  local output
  output=$(in_tree "$@") || fail "$1 ends with an error"
  [[ $output == *'a chart of 1048576'* ]] || fail "$1 said: $output"
}

build_with_pkg_config() {
  in_tree bash -euc 'g++ -std=c++20 /tmp/examples/first_program.cpp $(pkg-config --cflags --libs sapbuf) -o /tmp/with_pkg_config'
  check_program /tmp/with_pkg_config ticks
}

build_in_c() {
  [[ -e $tree/tmp/examples/first_program.c ]] || return 0
  in_tree bash -euc 'gcc -std=c99 -Wall -Wextra -Werror /tmp/examples/first_program.c $(pkg-config --cflags --libs sapbuf) -o /tmp/in_c'
  check_program /tmp/in_c ticks
}

build_with_cmake() {
  cat >"$tree/tmp/examples/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES CXX)
find_package(sapbuf 0.1 REQUIRED)
add_executable(with_cmake first_program.cpp)
target_link_libraries(with_cmake PRIVATE sapbuf::sapbuf)
END
  in_tree cmake -S /tmp/examples -B /tmp/built >/dev/null
  in_tree cmake --build /tmp/built >/dev/null
  check_program /tmp/built/with_cmake ticks
}

# What a program that was linked with the library depends on, if it is packed.
check_dependencies_of_users() {
  in_tree bash -euc 'cd /tmp; mkdir -p debian; touch debian/control; dpkg-shlibdeps -O with_pkg_config' >"$layers/dependencies" 2>/dev/null
  grep --quiet 'libsapbuf1 (>= 0.1.0), libsapbuf1 (<< 0\.[0-9]*~)\|libsapbuf1 (<< 0\.[0-9]*~), libsapbuf1 (>= 0.1.0)' "$layers/dependencies" ||
    fail "shlibdeps says $(cat "$layers/dependencies")"
}

use_tools() {
  in_tree sapbuf create ticks
  printf 'one\ntwo\n' | in_tree sapbuf pub ticks
  in_tree sapbuf status --json ticks >"$layers/status"
  grep --quiet '"committed": *2' "$layers/status" || fail "status said: $(cat "$layers/status")"
  in_tree sapbuf-watchdog --once ticks >/dev/null
  in_tree sapbuf rm ticks
  [[ -e $tree/usr/share/man/man3/sapbuf.3.gz ]]
  local page
  for page in "$tree"/usr/share/man/man[13]/sapbuf*; do
    [[ -z $(MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) ]] || fail "$page has errors"
  done
  in_tree bash -euc 'source /usr/share/bash-completion/completions/sapbuf; complete -p sapbuf' >/dev/null
  [[ -e $tree/usr/share/zsh/vendor-completions/_sapbuf && -e $tree/usr/share/fish/vendor_completions.d/sapbuf.fish ]]
}

# Of classes, and of what C calls.
look_into_reference() {
  local -r html=$tree/usr/share/doc/sapbuf/html
  [[ -e $html/index.html && -e $html/classsapbuf_1_1Reader.html ]] || fail 'no API reference'
  grep --quiet --recursive --include='*_8h.html' sapbuf_writer_reserve "$html" || fail 'the API reference has nothing of the C interface'
}

use_python() {
  [[ -n $(find "$folder" -name 'python3-sapbuf_*.deb') ]] || return 0
  check_program python3 /tmp/examples/first_program.py ticks
}

run_in_namespace() {
  make_tree
  take_build_dependencies_away
  list_additions >"$layers/before"
  in_tree bash -euc 'dpkg --install /tmp/debs/*.deb' >"$layers/log" 2>&1 || fail "$(cat "$layers/log")"
  build_with_pkg_config
  build_in_c
  build_with_cmake
  check_dependencies_of_users
  use_tools
  look_into_reference
  use_python
  local -a packages
  mapfile -t packages < <(for deb in "$folder"/*.deb; do dpkg-deb --field "$deb" Package; done)
  in_tree dpkg --purge "${packages[@]}" >"$layers/log" 2>&1 || fail "$(cat "$layers/log")"
  list_additions >"$layers/after"
  diff "$layers/before" "$layers/after" || fail "purged, but left behind"
  [[ -z $(ls -A "$tree/dev/shm") ]] || fail "left in /dev/shm: $(ls -A "$tree/dev/shm")"
  printf 'debs_test: %s: installed, used, purged\n' "${packages[*]}"
}

check_with_lintian() {
  command -v lintian >/dev/null || fail "lintian is missing: scripts/setup.sh --packages"
  lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$folder"/*.deb
}

if [[ ${3-} == --in-namespace ]]; then
  run_in_namespace
  exit
fi
compgen -G "$folder/*.deb" >/dev/null || fail "there are no packages in $folder"
check_with_lintian
((EUID == 0)) || skip "only root can make a tree to install into"
unshare --mount --propagation private true 2>/dev/null || skip "this process may not mount"
exec unshare --mount --propagation private "$BASH" "$0" "$folder" "$source_tree" --in-namespace
