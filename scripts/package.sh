#!/usr/bin/env bash
# Makes Debian packages of the library and the tools: libsapbuf1, libsapbuf-dev, libsapbuf-doc, sapbuf-tools, and python3-sapbuf where the Python
# module is built. Out of the usual build directory, where only what is missing is built.
#   scripts/package.sh [OUTPUT-FOLDER]    build/packages unless said otherwise
#   BUILD_DIR=/some/where scripts/package.sh [...]    builds there, and not in build/
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

(($# <= 1)) && [[ ${1-} != -* ]] || fail "usage: package.sh [OUTPUT-FOLDER]"
output=$(realpath --canonicalize-missing "${1:-$build_dir/packages}")
mkdir -p "$output" 2>/dev/null && [[ -w $output ]] || fail "cannot write to $output"

"$root/scripts/setup.sh" --packages
configure "$build_dir" -DCMAKE_INSTALL_LIBDIR:STRING="lib/$(dpkg-architecture --query DEB_HOST_MULTIARCH)" -DSAPBUF_INSTALL=ON \
  -DSAPBUF_API_REFERENCE=ON >/dev/null
build "$build_dir" sapbuf_packages
rm -f "$output"/{libsapbuf*,sapbuf-tools,python3-sapbuf}_*.deb
# Modes of what is packed, whatever this user's are.
umask 022
alone "$build_dir" cpack --config "$build_dir/CPackConfig.cmake" -B "$output" >"$build_dir/cpack.log" 2>&1 ||
  { cat "$build_dir/cpack.log"; fail "cpack failed"; }
rm -rf "$output/_CPack_Packages"
printf '%s\n' "$output"/*.deb
