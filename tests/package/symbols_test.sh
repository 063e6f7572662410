#!/usr/bin/env bash
# What the shared library shows: its soname, and the names of its version's namespace; of others only such as every C++ library has.
#   symbols_test.sh LIBRARY SOVERSION ABI
set -euo pipefail
library=$1 soversion=$2 abi=$3

soname=$(readelf --dynamic --wide "$library" | sed --quiet 's/.*Library soname: \[\(.*\)\]/\1/p')
[[ $soname == "libsapbuf.so.$soversion" ]] || { printf 'its soname is %s\n' "$soname"; exit 1; }

shown=$(nm --dynamic --defined-only --format=posix "$library" | cut --delimiter=' ' --fields=1,2 | c++filt)
others=$(grep --invert-match --regexp="sapbuf::$abi::" --regexp='^SAPBUF_[A-Z0-9_.]* A$' --regexp='^sapbuf_[a-z0-9_]*\(@\|$\| \)' <<<"$shown" || true)
[[ -z $others ]] || { printf 'it also shows\n%s\n' "$others"; exit 1; }
grep --quiet "sapbuf::$abi::Segment::open(" <<<"$shown" || { printf 'Segment::open is not shown\n'; exit 1; }
if grep "sapbuf::\(platform\|layout\)::[a-z_]*(" <<<"$shown"; then printf 'these are internal\n'; exit 1; fi
