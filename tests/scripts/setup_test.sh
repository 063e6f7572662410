#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=../tools/support.sh
source "$(dirname "$0")/../tools/support.sh"

# setup.sh on a machine where nothing is installed yet. The machine is this one, with an empty list of what is installed mounted over its
# own, and an archive that cannot be reached, or never answers.

: "${SAPBUF_SOURCE:?the source directory}"

# setup_with ARCHIVE [UNSHARE-OPTION...]: on such a machine
setup_with() {
  printf 'deb [trusted=yes] %s bookworm main\n' "$1" >"$directory/sources.list"
  cat >"$directory/apt.conf" <<<"
    Dir::Etc::sourcelist \"$directory/sources.list\";
    Dir::Etc::sourceparts \"/dev/null\";
    Acquire::Retries \"0\";
    Acquire::http::Timeout \"7\";"
  # shellcheck disable=SC2016  # the inner shell's variables
  APT_CONFIG=$directory/apt.conf unshare --mount --propagation private "${@:2}" bash -euc '
    mount --bind /dev/null /var/lib/dpkg/status
    mount -t tmpfs none /var/lib/apt/lists
    "$0/scripts/setup.sh"' "$SAPBUF_SOURCE"
}

needs_such_a_machine() {
  command -v apt-get >/dev/null || skip 'needs apt-get'
  unshare --mount --propagation private --net mount --bind /dev/null /var/lib/dpkg/status 2>/dev/null ||
    skip 'this process may not make the namespaces that are needed'
}

test_a_missing_network_is_told_and_fails() {
  needs_such_a_machine
  expect "$failure" setup_with http://192.0.2.1/debian --net
  printed 'fetching the lists'
  said 'no network'
  said 'missing: .*cmake'
}

test_a_long_step_is_not_silent() {
  needs_such_a_machine
  command -v perl >/dev/null || skip 'needs perl'
  # shellcheck disable=SC2016  # perl's variables
  start archive perl -MIO::Socket::INET -e '
    $| = 1;
    $socket = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die $!;
    print $socket->sockport, "\n";
    sleep;'
  listens() { [[ -s $directory/archive.out ]]; }
  eventually listens
  expect "$failure" setup_with "http://127.0.0.1:$(cat "$directory/archive.out")"
  printed 'setup: *[0-9]* s: waiting for an answer'
}

test_unknown_options_are_told() {
  expect "$failure" "$SAPBUF_SOURCE/scripts/setup.sh" --no-such-option
  said 'known: --ci'
}

run_cases
