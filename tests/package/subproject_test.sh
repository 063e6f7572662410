#!/usr/bin/env bash
# As a part of another project, sapbuf installs nothing of itself, unless it is asked to.
#   subproject_test.sh SOURCE-DIRECTORY CXX
set -euo pipefail
source_tree=$1 cxx=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

cat >"$directory/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C CXX)
add_subdirectory($source_tree sapbuf)
install(FILES CMakeLists.txt DESTINATION share/consumer)
END

# installed_rules OPTION...: the files of sapbuf that an installation would copy
installed_rules() {
  rm -rf "$directory/build"
  cmake -S "$directory" -B "$directory/build" -DCMAKE_CXX_COMPILER="$cxx" "$@" >"$directory/log" || { cat "$directory/log"; exit 1; }
  find "$directory/build" -name cmake_install.cmake -exec grep --no-filename --only-matching 'libsapbuf[^"]*\|[^"]*sapbuf\.hpp\|include/sapbuf\|sapbufConfig\.cmake' {} + ||
    true
}

[[ -z $(installed_rules) ]] || { printf 'installed without being asked: %s\n' "$(installed_rules)"; exit 1; }
[[ $(installed_rules -DSAPBUF_INSTALL=ON) == *libsapbuf* ]] || { printf 'SAPBUF_INSTALL installs nothing\n'; exit 1; }
