#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# The watchdog's systemd unit.
: "${SAPBUF_UNIT:?the path of sapbuf-watchdog.service}"

test_systemd_finds_nothing_wrong_with_it() {
  command -v systemd-analyze >/dev/null || skip 'needs systemd-analyze'
  # Where the program will be installed it is not yet.
  sed "s|^ExecStart=[^ ]*|ExecStart=$watchdog|" "$SAPBUF_UNIT" >"$directory/sapbuf-watchdog.service"
  expect "$done" systemd-analyze verify --man=no "$directory/sapbuf-watchdog.service"
  [[ ! -s $directory/err ]] || die 'it complains'
}

test_it_names_the_places_that_it_was_installed_to() {
  command -v cmake >/dev/null || skip 'needs cmake'
  local script unit
  script=$(dirname "$SAPBUF_UNIT")/cmake_install.cmake
  grep --quiet sapbuf-watchdog.service "$script" || skip 'this build is not one to install'
  expect "$done" cmake "-DCMAKE_INSTALL_PREFIX=$directory/usr" -P "$script"
  unit=$directory/usr/lib/systemd/system/sapbuf-watchdog.service
  grep --quiet "^ExecStart=$directory/usr/bin/sapbuf-watchdog " "$unit" || die 'another program'
  [[ -x $directory/usr/bin/sapbuf-watchdog ]] || die 'no program there'
  grep --quiet "^Documentation=file:$directory/usr/" "$unit" || die 'other documentation'
  [[ -r $(sed -n 's/^Documentation=file://p' "$unit") ]] || die 'no documentation there'
  DESTDIR=$directory/stage expect "$done" cmake -DCMAKE_INSTALL_PREFIX=/usr -P "$script"
  grep --quiet '^ExecStart=/usr/bin/sapbuf-watchdog ' "$directory/stage/usr/lib/systemd/system/sapbuf-watchdog.service" ||
    die 'a staged installation names the stage'
}

test_its_options_come_from_a_file() {
  grep --quiet --line-regexp 'EnvironmentFile=-/etc/default/sapbuf-watchdog' "$SAPBUF_UNIT" || die 'no such file'
  grep --quiet '^ExecStart=.* \$SAPBUF_WATCHDOG_OPTIONS$' "$SAPBUF_UNIT" || die 'they are not used'
}

test_it_is_told_when_the_watchdog_is_ready_and_well() {
  grep --quiet --line-regexp 'Type=notify' "$SAPBUF_UNIT" || die 'systemd would not wait until it is ready'
  grep --quiet '^WatchdogSec=' "$SAPBUF_UNIT" || die 'systemd would not see that it is stuck'
}

# What the unit leaves of root's powers is enough for the streams of all users, and for the processes that hang there.
test_the_capabilities_that_it_keeps_are_enough() {
  if ((EUID != 0)); then skip 'needs a second user'; fi
  local -a as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups) as_service=(setpriv --no-new-privs)
  "${as_nobody[@]}" "$sapbuf" --version >/dev/null 2>&1 || skip 'another user cannot run the tools from where they are'
  may_see_all_processes || skip 'needs CAP_SYS_PTRACE'
  local kept capability bounds=-all
  kept=$(sed -n 's/^CapabilityBoundingSet=//p' "$SAPBUF_UNIT")
  for capability in $kept; do bounds+=,+${capability#CAP_}; done
  as_service+=("--bounding-set=${bounds,,}" "--inh-caps=-all")
  expect "$done" "${as_nobody[@]}" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "${as_nobody[@]}" "$sapbuf" pub "$stream" 2>/dev/null
  start_attached holder "${as_nobody[@]}" "$sapbuf" sub "$stream" --name holder --hold
  eventually status_holds 'any(.slabs[].held_by[]; . == "holder")'
  signal STOP holder
  hung() { "$sapbuf" status "$stream" --json --hung-after 1 | jq --exit-status '.participants[0].state == "hung"' >/dev/null; }
  eventually hung
  expect "$done" "${as_service[@]}" "$watchdog" --once --hung-after 1 --on-hung kill "$stream"
  ends holder 137
  eventually status_holds '.participants == [] and (.journal | length) == 1'
}

run_cases
