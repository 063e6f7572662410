#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Whoever may make a file in /dev/shm, or attach to a stream, chooses names. They must not forge lines of a log, or steer
# the terminal of whoever looks: a newline, a C0 and a C1 control (as a character and as a byte), a turn of direction.
evil=$'\nforged line\x1b[2K\xc2\x9b1A\x9b\xe2\x80\xae'

# harmless FILE...: what a tool said is printable ASCII, as the rest of the names is here
harmless() {
  local file
  for file in "$@"; do
    if LC_ALL=C grep --quiet --text -e '[^ -~]' -e '^forged' "$file"; then
      die "not printable: $(cat --show-all "$file")"
    fi
  done
}

# says CODE COMMAND...: its output is harmless, and tells of the name
says() {
  expect "$@"
  harmless "$directory/out" "$directory/err"
  grep --quiet --fixed-strings '\nforged line\x1b[2K\u{9b}1A\x9b\u{202e}' "$directory/out" "$directory/err" ||
    die 'the name is not there'
}

# Of a stream that is in order, and of one that is not.
test_names_of_streams_come_out_printable() {
  says "$done" "$sapbuf" create "$stream.$evil" --on-full overwrite --slabs 3
  chmod 0644 "/dev/shm/sapbuf.$stream.$evil"  # which the tools warn of, with a command that names the file
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream.bad$evil"
  expect "$done" "$sapbuf" ls
  harmless "$directory/out" "$directory/err"
  printed "$stream.*forged"
  printed "$stream.bad.*forged"
  "$sapbuf" doctor >"$directory/out" 2>"$directory/err" || true
  harmless "$directory/out" "$directory/err"
  printed "$stream.bad.*forged"
  says "$done" "$sapbuf" status "$stream.$evil"
  says "$done" "$sapbuf" pub "$stream.$evil"
  says "$done" "$watchdog" --once "$stream.$evil"
  local tool
  for tool in pub sub status dump; do
    says "$no_segment" "$sapbuf" "$tool" "$stream.bad$evil"
    says "$no_segment" "$sapbuf" "$tool" "$stream.missing$evil"
  done
  says "$no_segment" "$watchdog" --once "$stream.bad$evil"
  says "$failure" "$sapbuf" create "$stream.$evil"
  says "$no_segment" "$sapbuf" rm "$stream.bad$evil"
  says "$done" "$sapbuf" rm "$stream.$evil"
}

test_the_watchdogs_log_has_a_line_for_each_message() {
  start dog "$watchdog" --interval 20 "$stream.$evil"
  told() { grep --quiet "$1" "$directory/dog.err"; }
  eventually told waiting
  expect "$done" "$sapbuf" create "$stream.$evil"
  eventually told "$stream.*: watching"
  expect "$done" "$sapbuf" rm "$stream.$evil"
  eventually told "$stream.*: removed"
  signal TERM dog
  ends dog "$done"
  harmless "$directory/dog.err"
}

test_names_of_participants_come_out_printable() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  seq 5000 | "$sapbuf" pub "$stream" 2>/dev/null
  start holder "$sapbuf" sub "$stream" --name "$evil" --hold
  eventually status_holds '.participants | length == 1'
  says "$done" "$sapbuf" status "$stream"
  says "$failure" "$sapbuf" rm "$stream"
  kill_hard holder
  says "$done" "$watchdog" --once "$stream"
  says "$done" "$sapbuf" status "$stream"  # in the journal
}

# A stream's own name is letters and digits; its segment's is not, nor are those of who takes part in it.
test_names_of_other_streams_and_their_participants_come_out_printable() {
  expect "$done" "$sapbuf" create "$stream.$evil" --slab-bytes 64KiB
  says "$done" "$sapbuf" create "$stream.$evil/orders" --slab-bytes 64KiB
  says "$failure" "$sapbuf" create "$stream.$evil/orders"
  expect "$usage" "$sapbuf" create "$stream.$evil/orders" --mode 0660
  harmless "$directory/err"
  says "$usage" "$sapbuf" create "$stream.$evil/$evil"
  says "$usage" "$sapbuf" create "$stream.$evil/a/b"
  says "$no_segment" "$sapbuf" create "$stream.missing$evil/orders"
  seq 5000 | "$sapbuf" pub "$stream.$evil/orders" 2>/dev/null
  expect "$done" "$sapbuf" dump "$stream.$evil/orders"
  start holder "$sapbuf" sub "$stream.$evil/orders" --name "$evil" --hold
  eventually status_of_holds "$stream.$evil/orders" '.participants | length == 1'
  says "$done" "$sapbuf" status "$stream.$evil"
  says "$done" "$sapbuf" status "$stream.$evil/orders"
  expect "$done" "$sapbuf" ls -l
  harmless "$directory/out"
  local command
  for command in rm 'rm --force'; do
    # shellcheck disable=SC2086
    says "$failure" "$sapbuf" $command "$stream.$evil/orders"
  done
  says "$usage" "$watchdog" --once "$stream.$evil/orders"
  kill_hard holder
  says "$done" "$watchdog" --once "$stream.$evil"
  says "$done" "$sapbuf" status "$stream.$evil/orders"  # in the journal
  says "$done" "$sapbuf" rm "$stream.$evil/orders"
}

# Any program may attach, and a program is called what its file is called.
test_names_of_programs_come_out_printable() {
  ln -s "$sapbuf" "$directory/"$'\e[1m\nforged'
  expect "$done" "$sapbuf" create "$stream"
  start reader "$directory/"$'\e[1m\nforged' sub "$stream"
  eventually status_holds '.participants | length == 1'
  expect "$done" "$sapbuf" status "$stream"
  harmless "$directory/out"
  printed '\\x1b\[1m\\nforged'
  signal STOP reader
  expect "$done" "$sapbuf" rm "$stream" --force
  "$sapbuf" doctor >"$directory/out" 2>"$directory/err" || true
  harmless "$directory/out"
  printed "$stream .*forged (pid ${process[reader]})"
}

# Programs get JSON that they can read, and terminals nothing that steers them.
test_json_is_json_whatever_the_names_are() {
  expect "$done" "$sapbuf" create "$stream.$evil"
  start holder "$sapbuf" sub "$stream.$evil" --name "$evil"
  expect "$done" "$sapbuf" ls --json
  json_holds "any(.segments[]; .name | startswith(\"$stream.\\nforged line\\u001b[2K\\u009b1A\"))"
  harmless "$directory/out"
  expect "$done" "$sapbuf" status "$stream.$evil" --json
  json_holds ".name | startswith(\"$stream.\\nforged\")"
  harmless "$directory/out"
  expect "$done" "$watchdog" --once --json "$stream.$evil"
  json_holds ".segments[0].name | startswith(\"$stream.\\nforged\")"
  harmless "$directory/out"
}

run_cases
