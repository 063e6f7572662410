#!/usr/bin/env bash
# Fails if the library calls a function that may be a system call which the faults do not know of.
#   calls_known.sh LIBRARY NM WRAPPED-CALL...
set -euo pipefail

library=$1
nm=$2
wrapped=("${@:3}")

# What can only fail where a program is wrong (munmap of a whole mapping, pthread_sigmask, sysinfo), what cannot be tried a
# second time (pthread_atfork, sigaction: once in a process's life), how a process ends (abort, raise, and what is written
# before), and what asks nothing of the system.
harmless='clock_gettime closedir getegid geteuid getgroups getpid getrlimit munmap pthread_mutex_lock pthread_mutex_unlock
  pthread_once pthread_setcancelstate pthread_setname_np pthread_sigmask sigaddset sigdelset sigemptyset sigfillset sigismember sigpending sigtimedwait
  shmdt sysconf sysinfo
  pthread_atfork sigaction
  abort raise write
  bcmp memchr memcmp memcpy memmove memset strcmp strerror strlen strnlen strtoull snprintf'

undefined=$("$nm" --undefined-only --format=posix "$library" 2>/dev/null | sed --quiet 's/^\([a-z][A-Za-z0-9_]*\) U.*/\1/p' | sort --unique)
unknown=$(comm -23 <(echo "$undefined") <(printf '%s\n' $harmless "${wrapped[@]}" | sort --unique))
if [[ -z $undefined ]]; then
  echo "$nm finds nothing in $library" >&2
  exit 1
fi
if [[ -n $unknown ]]; then
  echo "the library calls what tests/faults knows nothing of:" >&2
  echo "$unknown" >&2
  exit 1
fi
echo "$(wc --lines <<<"$undefined") functions of the C library, all known"
