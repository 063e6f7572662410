#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

test_makes_a_stream_with_the_defaults() {
  expect "$done" "$sapbuf" create "$stream"
  printed_nothing
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.order == "per-writer" and .on_full == "block"'
  json_holds '[.slabs[].capacity_bytes] == [1048576, 1048576]'
  equal "$(stat --format=%a "/dev/shm/sapbuf.$stream")" 600 mode
}

test_takes_every_option() {
  expect "$done" "$sapbuf" create "$stream" --slabs 3 --slab-bytes 128KiB --extent-bytes 8KiB --order per-writer \
    --on-full drop --participants 5 --mode 0660
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.order == "per-writer" and .on_full == "drop"'
  json_holds '[.slabs[].capacity_bytes] == [131072, 131072, 131072]'
  equal "$(stat --format=%a "/dev/shm/sapbuf.$stream")" 660 mode
}

test_refuses_a_mode_that_lets_others_read_only() {
  expect "$usage" "$sapbuf" create "$stream" --mode 0644
  said "lets the group read but not write"
}

test_warns_of_too_few_slabs_to_overwrite() {
  expect "$done" "$sapbuf" create "$stream" --on-full overwrite
  said 'warning.*--slabs 3'
  expect "$done" "$sapbuf" rm "$stream"
  expect "$done" "$sapbuf" create "$stream" --on-full overwrite --slabs 3
  if grep --quiet warning "$directory/err"; then die 'three slabs are enough for a reader'; fi
}

test_retains_only_where_writers_can_wait() {
  expect "$done" "$sapbuf" create "$stream" --retain
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.retain and .awaits_first_reader'
  expect "$done" "$sapbuf" rm "$stream"
  expect "$usage" "$sapbuf" create "$stream" --retain --on-full drop
}

test_knows_total_order_and_overwriting() {
  expect "$done" "$sapbuf" create "$stream" --order total --on-full overwrite
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.order == "total" and .on_full == "overwrite"'
}

test_takes_sizes_with_and_without_units() {
  local size
  for size in 65536 64KiB; do
    expect "$done" "$sapbuf" create "$stream" --slab-bytes "$size"
    expect "$done" "$sapbuf" status "$stream" --json
    json_holds '.slabs[0].capacity_bytes == 65536'
    expect "$done" "$sapbuf" rm "$stream"
  done
}

test_does_not_umask_the_mode() {
  umask 0077
  expect "$done" "$sapbuf" create "$stream" --mode 0660
  equal "$(stat --format=%a "/dev/shm/sapbuf.$stream")" 660 mode
}

test_fails_if_a_stream_of_that_name_exists() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$failure" "$sapbuf" create "$stream"
  said "$stream"
}

test_if_absent_leaves_what_is_there() {
  expect "$done" "$sapbuf" create "$stream" --if-absent --slabs 4
  expect "$done" "$sapbuf" create "$stream" --if-absent --slabs 2
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.slabs | length == 4'
}

test_if_absent_says_what_differs() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --if-absent
  if grep --quiet differs "$directory/err"; then die "nothing differs"; fi
  expect "$done" "$sapbuf" create "$stream" --slabs 8 --slab-bytes 4MiB --on-full drop --mode 0660 --if-absent
  said 'warning: '
  said 'slabs 2, not 8; slab_bytes 65536, not 4194304; on_full block, not drop; mode 0600, not 0660'
}

test_if_absent_fails_where_nothing_can_use_what_is_there() {
  expect "$done" "$sapbuf" create "$stream"
  printf '\x77' | dd of="/dev/shm/sapbuf.$stream" bs=1 seek=8 conv=notrunc status=none
  expect "$no_segment" "$sapbuf" create "$stream" --if-absent
  said 'ABI version 119'
  rm "/dev/shm/sapbuf.$stream"
  : >"/dev/shm/sapbuf.$stream"
  expect "$no_segment" "$sapbuf" create "$stream" --if-absent
  said 'an empty file'
  expect "$failure" "$sapbuf" create "$stream"
  said 'an empty file'
  rm "/dev/shm/sapbuf.$stream"
  mkfifo "/dev/shm/sapbuf.$stream"
  expect "$no_segment" timeout "$patience_s" "$sapbuf" create "$stream" --if-absent
  said 'a FIFO'
}

test_if_absent_does_not_take_a_private_stream_from_another_user() {
  if ((EUID != 0)); then skip "needs a second user"; fi
  expect "$done" "$sapbuf" create "$stream" --mode 0666
  chown 65534:65534 "/dev/shm/sapbuf.$stream"
  expect "$permission" "$sapbuf" create "$stream" --if-absent
  said 'uid 65534'
  expect "$done" "$sapbuf" create "$stream" --if-absent --mode 0666
}

test_a_file_size_limit_is_an_error() {
  (
    ulimit -f 256
    expect "$failure" "$sapbuf" create "$stream"
  )
  said 'ulimit -f'
  said 262144
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die "something was left behind"
}

refuses() {
  expect "$usage" "$sapbuf" create "$@"
  [[ -s $directory/err ]] || die "not a word about: create $*"
}

test_refuses_what_cannot_work() {
  refuses
  refuses "$stream" --slabs 1
  refuses "$stream" --slabs 65
  refuses "$stream" --slabs -2
  refuses "$stream" --slabs two
  refuses "$stream" --slab-bytes 1KiB
  refuses "$stream" --slab-bytes 5000
  refuses "$stream" --slab-bytes 8GiB
  refuses "$stream" --slab-bytes much
  refuses "$stream" --slab-bytes 99999999999999999999
  refuses "$stream" --extent-bytes 3KiB
  refuses "$stream" --extent-bytes 2MiB
  refuses "$stream" --order total --extent-bytes 16KiB
  refuses "$stream" --order sideways
  refuses "$stream" --on-full explode
  refuses "$stream" --participants 0
  refuses "$stream" --participants 1025
  refuses "$stream" --attachments 7168
  refuses "$stream" --payload-alignment 24
  refuses "$stream" --payload-alignment 128
  refuses "$stream" --mode 0999
  refuses "$stream" --mode rw
  refuses "$stream" --no-such-option
  refuses "$stream" and another
  refuses "with/two/slashes"
  refuses "$stream/"
  refuses "/orders"
  refuses ""
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die "something was made all the same"
}

test_fails_where_there_is_no_space_and_leaves_nothing() {
  local free
  free=$(($(stat --file-system --format='%a * %S' /dev/shm)))
  if ((free > 200 * 1024 ** 3)); then skip "/dev/shm is too large to be filled"; fi
  expect "$failure" "$sapbuf" create "$stream" --slabs 64 --slab-bytes 4GiB
  said /dev/shm
  expect "$no_segment" "$sapbuf" status "$stream"
  expect "$done" "$sapbuf" create "$stream"
}

test_units_are_those_of_other_tools() {
  local size
  for size in 64KiB 64K 64k 65536; do
    expect "$done" "$sapbuf" create "$stream" --slab-bytes "$size"
    equal "$(status '.slabs[0].capacity_bytes')" 65536 "of $size"
    expect "$done" "$sapbuf" rm "$stream"
  done
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 512KB
  equal "$(status '.slabs[0].capacity_bytes')" 512000 'of 512KB'
  expect "$usage" "$sapbuf" create "$stream.other" --slab-bytes 1MB
  said '1000000 bytes.* 1003520 would do'
}

test_payloads_may_be_aligned() {
  expect "$done" "$sapbuf" create "$stream" --payload-alignment 64
  equal "$(status '.payload_alignment')" 64 'in JSON'
  expect "$done" "$sapbuf" status "$stream"
  printed 'payloads at multiples of 64'
  seq 1000 | "$sapbuf" pub "$stream" 2>/dev/null
  equal "$("$sapbuf" sub "$stream" --idle-exit 0 2>/dev/null | tail -n 1)" 1000 'the last line'
}

test_ranges_in_messages_are_those_that_count() {
  expect "$usage" "$sapbuf" create "$stream" --slabs many
  said 'from 2 to 64'
  expect "$usage" "$sapbuf" create "$stream" --participants 1025
  said 'from 1 to 1024'
  expect "$usage" "$sapbuf" create "$stream" --attachments 0
  said 'from 1 to 7167'
  expect "$usage" "$sapbuf" map create "$stream/m" --key-bytes 256
  said 'from 1 to 255'
  expect "$usage" "$sapbuf" map create "$stream/m" --keys 0
  said 'from 1 to 268435456'
  expect "$usage" "$sapbuf" queue create "$stream/q" --slots 16777217
  said 'from 1 to 16777216'
  expect "$usage" "$sapbuf" pool create "$stream/p" --count none
  said 'from 1 to 2147483648'
}

test_says_what_may_have_been_meant() {
  expect "$usage" "$sapbuf" statsu "$stream"
  said "'statsu' is neither a command nor an option; did you mean 'status'?"
  expect "$usage" "$sapbuf" create "$stream" --slab-byte 64KiB
  said "did you mean '--slab-bytes'?"
  expect "$usage" "$sapbuf" sub "$stream" --idel-exit=0
  said "did you mean '--idle-exit'?"
  expect "$usage" "$sapbuf" pool grwo "$stream/frames" 8
  said "did you mean 'grow'?"
  expect "$usage" "$watchdog" --intervall 10 "$stream"
  said "did you mean '--interval'?"
  expect "$usage" "$sapbuf" conjure
  if grep --quiet 'did you mean' "$directory/err"; then die 'nothing is like it'; fi
}

test_without_a_command_there_is_help_and_no_success() {
  expect "$usage" "$sapbuf"
  said 'Usage: sapbuf'
  said '  status '
  printed_nothing
  expect "$usage" "$sapbuf" pool
  said 'Usage: sapbuf pool'
  said '  grow '
}

test_help_of_a_command_may_be_asked_for_first() {
  local command
  for command in '' status 'pool grow'; do
    # shellcheck disable=SC2086  # its words
    expect "$done" "$sapbuf" $command --help
    mv "$directory/out" "$directory/usual"
    # shellcheck disable=SC2086
    expect "$done" "$sapbuf" help $command
    cmp "$directory/out" "$directory/usual" || die "help $command is another one"
  done
  expect "$usage" "$sapbuf" help conjure
  said "'conjure' is neither a command nor an option"
  expect "$done" "$sapbuf" --version conjure
  expect "$usage" "$sapbuf" pool conjure --help
  said "'conjure' is neither a command nor an option"
}

test_unknown_commands_are_usage_errors() {
  expect "$usage" "$sapbuf" conjure "$stream"
  expect "$done" "$sapbuf" --help
  printed create
  expect "$done" "$sapbuf" --version
}

test_help_and_version_that_cannot_be_written_are_failures() {
  local words
  for words in --version --help 'sub --help' 'help sub' '--reference man'; do
    # shellcheck disable=SC2086  # its words
    expect "$failure" bash -c 'exec "$@" >/dev/full' - "$sapbuf" $words
    said 'cannot write to standard output'
    # shellcheck disable=SC2086
    expect "$failure" bash -c 'exec "$@" >&-' - "$sapbuf" $words
    said 'cannot write to standard output'
  done
}

run_cases
