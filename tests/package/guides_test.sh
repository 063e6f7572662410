#!/usr/bin/env bash
# What the guides show is tried, block by block, against what was built, in the order of its guide:
#   sh       all of a guide in one bash, which ends with the first command that fails; the tools are on its PATH
#   cpp, c   a whole program, compiled with all warnings, linked with the static library, and run. "// Compiled with OPTIONS." in
#            its first line adds to the compiler's options
#   python   a whole program, run with the Python package that was built
#   cmake, meson   a whole build file, which builds the guide's first program in C++ as program.cpp
#   ini      a wrap file for the next block for Meson. What it would fetch is there already: the source tree. That takes minutes to build,
#            so it is only configured, unless SAPBUF_BUILD_WRAP is set
#   console  is not run: it needs root, or a service of the system
# Blocks of other kinds, and of none, are a failure.
#   guides_test.sh SOURCE-DIRECTORY BUILD-DIRECTORY CXX GUIDE...
# SAPBUF, SAPBUF_WATCHDOG, SAPBUF_BENCH and PYTHON are paths; the last two may be empty. Exit status 77 (skipped) if something that a
# block needs is not here, and no other block failed.
set -euo pipefail

: "${SAPBUF:?the path of sapbuf}" "${SAPBUF_WATCHDOG:?the path of sapbuf-watchdog}"
source_tree=$1 build_tree=$2 cxx=$3 python=${PYTHON-}
guides=("${@:4}")
patience_s=60    # for one block
patience_built_s=900  # for one that builds the library, too
result=0

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
tools=$directory/tools prefix=$directory/prefix

skip() { printf 'skipped: %s\n' "$*"; if ((result == 0)); then result=77; fi; }
fail() { printf 'FAILED: %s\n' "$*"; result=1; }

# Guides choose the names of their segments; others must not have them.
if ! grep --quiet ' /dev/shm .* sapbuf-test ' /proc/self/mountinfo; then
  skip 'this test needs a /dev/shm of its own'
  exit "$result"
fi
for program in pkg-config jq; do
  command -v "$program" >/dev/null || { skip "$program is not installed"; exit "$result"; }
done

# The library where it would be installed, so that what was built of everything else does not matter.
lay_out_library() {
  local libraries
  libraries=$prefix/$(sed -n 's|^libdir=.*}/||p' "$build_tree/shm/sapbuf.pc")
  mkdir -p "$libraries/pkgconfig" "$prefix/lib/cmake/sapbuf"
  cp -r "$source_tree/shm/include" "$prefix/include"
  ln -s "$source_tree/shm/layout" "$prefix/include/sapbuf/layout"
  ln -s "$build_tree/shm/libsapbuf.a" "$libraries"
  sed "s|^prefix=.*|prefix=$prefix|" "$build_tree/shm/sapbuf.pc" >"$libraries/pkgconfig/sapbuf.pc"
  export PKG_CONFIG_PATH=$libraries/pkgconfig
  cp "$build_tree/shm/sapbufConfigVersion.cmake" "$prefix/lib/cmake/sapbuf"
  cat >"$prefix/lib/cmake/sapbuf/sapbufConfig.cmake" <<EOF
find_package(Threads REQUIRED)
add_library(sapbuf::sapbuf STATIC IMPORTED)
set_target_properties(sapbuf::sapbuf PROPERTIES IMPORTED_LOCATION "$libraries/libsapbuf.a" INTERFACE_COMPILE_FEATURES cxx_std_20
  INTERFACE_INCLUDE_DIRECTORIES "$prefix/include" INTERFACE_LINK_LIBRARIES "Threads::Threads;rt")
EOF
}

lay_out_tools() {
  local tool
  mkdir "$tools"
  ln -s "$(command -v "$cxx")" "$tools/c++"
  for tool in "$SAPBUF" "$SAPBUF_WATCHDOG" ${SAPBUF_BENCH:+"$SAPBUF_BENCH"}; do ln -s "$tool" "$tools"; done
}

# extract GUIDE: each block becomes $blocks/LINE.LANGUAGE, LINE being where it begins in the guide
extract() {
  awk -v folder="$blocks" '
    /^ *```/ && !inside {
      inside = 1
      sub(/^ *```/, "")
      file = sprintf("%s/%05d.%s", folder, NR, $0)
      printf "" > file
      next
    }
    /^ *```$/ && inside { inside = 0; close(file); next }
    inside { print > file }
    END { exit inside }' "$1"
}

# tried WHAT COMMAND...: whether it succeeds; says so, and shows what it wrote if it fails
tried() {
  local status=0
  timeout --kill-after=5 "$patience_s" "${@:2}" >"$directory/log" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    printf 'ok: %s\n' "$1"
    return
  fi
  fail "$1 (exit status $status)"
  tail --lines=60 "$directory/log" | sed 's/^/    /'
  return 1
}

# ---- sh

# The guide's commands, with what is needed to say which one failed.
shell_script() {
  local block
  # shellcheck disable=SC2016  # that shell's variables
  printf '%s\n' 'set -Eeuo pipefail' \
    'trap '\''printf "%s: failed: %s\n" "$block" "$BASH_COMMAND" >&2'\'' ERR' \
    'trap '\''kill $(jobs -p) 2>/dev/null || true; wait'\'' EXIT'
  for block in "$blocks"/*.sh; do
    printf 'block=%q\n' "$guide:$((10#$(basename "$block" .sh)))"
    cat "$block"
  done
}

try_shell() {
  shell_script >"$work/commands"
  if [[ -z ${SAPBUF_BENCH-} ]] && grep --quiet sapbuf-bench "$work/commands"; then
    skip "$guide: sapbuf-bench was not built"
    return
  fi
  tried "$guide: sh" env "PATH=$tools:$PATH" bash "$work/commands"
}

# ---- programs

try_compiled() {
  local -a flags options=()
  read -ra flags <<<"$(pkg-config --cflags --libs --static sapbuf)"
  read -ra options <<<"$(sed -n '1s/.*Compiled with \(.*\)\.$/\1/p' "$block")"
  case $language in
    cpp) options+=(-x c++ -std=c++20) ;;
    c) options+=(-x c -std=c99 -Wpedantic) ;;
  esac
  tried "$name, compiled" "$cxx" "${options[@]}" -Wall -Wextra -Werror "$block" -x none "${flags[@]}" -o "$work/program" &&
    tried "$name, run" "$work/program"
}

try_python() {
  if [[ ! -d $build_tree/shm/python/sapbuf || -z $python ]]; then
    skip "$name: the Python package was not built"
    return
  fi
  cp "$block" "$work/program.py"  # what multiprocessing begins looks for a name that can be imported
  tried "$name" env "PYTHONPATH=$build_tree/shm/python" PYTHONDONTWRITEBYTECODE=1 "$python" "$work/program.py"
}

# ---- build files

# build_file NAME: the block, in a project with the guide's first program in C++
build_file() {
  local -a programs=("$blocks"/*.cpp)
  rm -rf "$work/project"
  mkdir "$work/project"
  cp "$block" "$work/project/$1"
  cp "${programs[0]}" "$work/project/program.cpp"
}

try_cmake() {
  command -v cmake >/dev/null || { skip "$name: cmake is not installed"; return; }
  build_file CMakeLists.txt
  tried "$name, configured" cmake -S "$work/project" -B "$work/project/built" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" &&
    tried "$name, built" cmake --build "$work/project/built"
}

try_meson() {
  command -v meson >/dev/null || { skip "$name: meson is not installed"; return; }
  build_file meson.build
  if [[ -n $wrap ]]; then
    mkdir "$work/project/subprojects"
    cp "$wrap" "$work/project/subprojects/sapbuf.wrap"
    ln -s "$source_tree" "$work/project/subprojects/sapbuf"
    local -r patience_s=$patience_built_s
    wrap=
  fi
  tried "$name, configured" env "CXX=$cxx" meson setup "$work/project/built" "$work/project" || return
  if [[ ! -e $work/project/subprojects || -n ${SAPBUF_BUILD_WRAP-} ]]; then tried "$name, built" meson compile -C "$work/project/built"; fi
}

# ----

try_block() {
  language=${block##*.}
  name="$guide:$((10#$(basename "$block" ".$language"))): $language"
  case $language in
    sh | console) ;;
    cpp | c) try_compiled || true ;;
    python) try_python || true ;;
    cmake) try_cmake || true ;;
    meson) try_meson || true ;;
    ini) wrap=$block ;;
    *) fail "$name: nobody tries blocks of that kind" ;;
  esac
}

try_guide() {
  guide=$(basename "$1")
  blocks=$directory/$guide.blocks work=$directory/$guide.work
  mkdir "$blocks" "$work"
  cd "$work"
  extract "$1" || fail "$guide: its last block has no end"
  if compgen -G "$blocks/*.sh" >/dev/null; then try_shell || true; fi
  local block wrap=
  for block in "$blocks"/*; do try_block; done
}

lay_out_library
lay_out_tools
for path in "${guides[@]}"; do try_guide "$path"; done
exit "$result"
