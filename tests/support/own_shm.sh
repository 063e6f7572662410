#!/usr/bin/env bash
# Runs a test in a /dev/shm of its own, as large as the one that is there, if this process may have one: then it meets neither other
# streams nor a watchdog of this machine, and what it leaves behind is seen, which is a failure. Otherwise it runs in the common one;
# not, however, beside a watchdog that takes back whatever the test lets die: then the exit status is 77 (skipped).
#   own_shm.sh COMMAND...    exit status: the command's, if it is nothing of the above
#   own_shm.sh --possible    exit status 0 if the test would run in a /dev/shm of its own
set -euo pipefail

# Root needs a mount namespace only. Others need a user namespace around it, in which they are who they are, and may mount; its mounts do
# not spread to the outside.
if ((EUID == 0)); then
  in_namespaces=(unshare --mount --propagation unchanged)
else
  in_namespaces=(unshare --user --map-current-user --keep-caps --mount --propagation unchanged)
fi

# Nothing that is mounted on /dev/shm from here on may appear outside. In a chroot, / may be no mount point; then what /dev/shm stands on
# has to be one.
make_mounts_private() {
  local place
  for place in / /dev /dev/shm; do
    if mount --make-rprivate "$place"; then return; fi
  done
  return 1
}

mount_own_shm() {
  local bytes
  bytes=$(($(stat --file-system --format='%b * %S' /dev/shm))) || return
  make_mounts_private && mount -t tmpfs -o "size=$bytes,mode=1777" sapbuf-test /dev/shm
}

# As far as the test goes, this process may no more than before.
without_powers() {
  if ((EUID == 0)); then
    "$@"
  else
    setpriv --inh-caps=-all --ambient-caps=-all "$@"
  fi
}

# In the namespaces.
run_in_own() {
  mount_own_shm &>/dev/null || return 1
  local status=0 left
  without_powers "$@" || status=$?
  left=$(ls -A /dev/shm)
  if [[ -n $left ]]; then
    printf 'left behind in /dev/shm: %s\n' "${left//$'\n'/ }"
    if ((status == 0 || status == 77)); then status=1; fi
  fi
  exit "$status"
}

is_possible() { "${in_namespaces[@]}" "$BASH" "$0" --in-own true &>/dev/null; }

# shm_device PID: which file system that process has on /dev/shm
shm_device() {
  awk '$5 == "/dev/shm" || $5 == "/dev" || $5 == "/" { if (length($5) >= length(place)) { place = $5; device = $3 } }
       END { print device }' "/proc/$1/mountinfo"
}

# watches_here PID: whether that process is a watchdog that recovers every stream in this /dev/shm
watches_here() {
  local -a words
  mapfile -d '' -t words <"/proc/$1/cmdline" || return 1
  [[ ${words[0]-} == *sapbuf-watchdog && " ${words[*]} " == *' --all '* && " ${words[*]} " != *' --dry-run '* ]] &&
    [[ $(shm_device "$1") == "$(shm_device self)" ]]
}

run_in_common() {
  local process
  for process in /proc/[0-9]*; do
    if watches_here "${process#/proc/}" 2>/dev/null; then
      printf 'skipped: sapbuf-watchdog --all (pid %s) takes back what this test lets die, and a /dev/shm of its own it may not have\n' \
        "${process#/proc/}"
      exit 77
    fi
  done
  exec "$@"
}

case ${1:?a command} in
  --possible) is_possible ;;
  --in-own) run_in_own "${@:2}" ;;
  *)
    if is_possible; then exec "${in_namespaces[@]}" "$BASH" "$0" --in-own "$@"; fi
    run_in_common "$@"
    ;;
esac
