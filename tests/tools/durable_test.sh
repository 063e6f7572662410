#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Durable readers in the command line: sapbuf create --durable-readers, sub --durable, readers.

durable_stream() { expect "$done" "$sapbuf" create "$stream" --slab-bytes 16KiB --durable-readers 2 "$@"; }

# put FIRST LAST: numbers, a line each
put() { seq "$1" "$2" | "$sapbuf" pub "$stream" 2>/dev/null; }

# took COUNT FIRST LAST: the durable reader `audit` takes so many, which are these
took() {
  expect "$done" "$sapbuf" sub "$stream" --durable --name audit --count "$1" --idle-exit 0
  equal "$(tr '\n' ' ' <"$directory/out")" "$(seq -s ' ' "$2" "$3") " 'what was read'
}

# has_lines COUNT NAME: on its output
has_lines() { (($(wc --lines <"$directory/$2.out") == $1)); }

test_goes_on_where_it_left_off() {
  durable_stream
  put 1 10
  took 4 1 4
  put 11 20
  took 100 5 20
}

test_goes_on_behind_a_kill() {
  durable_stream
  put 1 10
  start_attached audit "$sapbuf" sub "$stream" --durable --name audit
  eventually has_lines 10 audit
  kill_hard audit
  put 11 20
  took 100 11 20
}

test_keeps_what_comes_meanwhile_within_limits() {
  durable_stream
  expect "$done" "$sapbuf" sub "$stream" --durable --name audit --keep-bytes 16KiB --keep-for 3600000 --idle-exit 0
  put 1 10
  expect "$done" "$sapbuf" readers ls "$stream" --json
  json_holds '.durable_readers[0] | .name == "audit" and .slot == null and .away_ms >= 0 and .lag_messages == 10 and .kept_bytes == 16384'
  json_holds '.durable_readers[0] | .max_bytes == 16384 and .max_away_ms == 3600000'
  expect "$done" "$sapbuf" readers ls "$stream"
  printed '^NAME  *WHERE  *LAG  *LAG BYTES  *KEEPS  *LIMITS'
  printed '^audit  *away for .* 10 .* 16 KiB  *16 KiB, 1 h'
  equal "$(status '.facilities[0].durable_readers[0].name')" audit 'in status'
  expect "$done" "$sapbuf" status "$stream"
  printed 'DURABLE READERS'
  printed 'audit$'  # the slab's holder
  put 1 5000        # waits for nobody
}

test_one_that_is_away_fills_the_stream_until_it_is_removed() {
  durable_stream
  expect "$done" "$sapbuf" sub "$stream" --durable --name audit --idle-exit 0
  # shellcheck disable=SC2016  # the inner shell's variables
  start filling bash -c 'seq 1 10000 | "$0" pub "$1"' "$sapbuf" "$stream"
  eventually status_holds '[.facilities[0].slabs[].state] == ["sealed", "active"] or [.facilities[0].slabs[].state] == ["active", "sealed"]'
  expect "$done" "$sapbuf" readers rm "$stream" audit
  said "removed the durable reader 'audit'"
  ends filling "$done"
  expect "$done" "$sapbuf" readers ls "$stream"
  said 'no durable readers, and room for 2'
}

test_says_what_is_wrong() {
  expect "$usage" "$sapbuf" sub "$stream" --durable
  said 'name'
  expect "$usage" "$sapbuf" sub "$stream" --keep-bytes 1MiB
  said 'durable'
  local name
  for name in '' "$(printf 'x%.0s' {1..64})"; do
    expect "$usage" "$sapbuf" sub "$stream" --durable --name "$name"
    said "1 to 63 bytes, not ${#name}"
    expect "$usage" "$sapbuf" record "$stream" "$directory/file" --durable --name "$name"
  done
  expect "$done" "$sapbuf" create "$stream"
  expect "$failure" "$sapbuf" sub "$stream" --durable --name audit
  said 'durable-readers'
  expect "$no_segment" "$sapbuf" readers rm "$stream" audit
  said "no durable reader 'audit'"
  expect "$usage" "$sapbuf" create other --durable-readers 65
}

test_a_live_one_is_not_removed_nor_doubled() {
  durable_stream
  start_attached audit "$sapbuf" sub "$stream" --durable --name audit
  expect "$failure" "$sapbuf" readers rm "$stream" audit
  said 'attached'
  expect "$failure" "$sapbuf" sub "$stream" --durable --name audit
  said 'attached already'
  expect "$done" "$sapbuf" readers ls "$stream"
  printed '^audit  *in slot '
}

test_one_that_is_away_is_seen_by_all_who_look() {
  durable_stream
  put 1 10
  took 4 1 4
  seq 11 20 | "$sapbuf" pub "$stream" 2>"$directory/err"
  if grep --quiet --ignore-case 'nobody' "$directory/err"; then die "told that nobody reads: $(cat "$directory/err")"; fi
  "$sapbuf" metrics "$stream" >"$directory/out"
  local -r labels="{segment=\"$stream\",facility=\"main\",reader=\"audit\"}"
  printed "^sapbuf_durable_reader_away$labels 1$"
  printed "^sapbuf_durable_reader_lag_messages$labels 16$"
  printed "^sapbuf_durable_reader_kept_bytes$labels 16384$"
  expect "$done" "$sapbuf" top "$stream" --batch --count 1
  printed '^  audit .* 16 .* away$'
  "$sapbuf" doctor >"$directory/out" || true
  printed "segment $stream .*; keeps 16 KiB for durable reader audit, away now"
}

test_one_that_was_killed_is_seen_to_be_dead_and_what_it_keeps() {
  durable_stream
  start_attached audit "$sapbuf" sub "$stream" --durable --name audit
  expect "$done" "$sapbuf" readers ls "$stream" --json
  json_holds '.durable_readers[0] | .slot == 0 and .dead == false and .kept_bytes == 0'
  signal STOP audit
  put 1 10
  kill_hard audit
  expect "$done" "$sapbuf" readers ls "$stream" --json
  json_holds '.durable_readers[0] | .slot == 0 and .dead and .lag_messages == 10 and .kept_bytes == 16384'
  expect "$done" "$sapbuf" readers ls "$stream"
  printed '^audit  *dead, in slot 0 .* 10 .* 16 KiB '
  expect "$done" "$sapbuf" status "$stream"
  printed '^audit  *dead, in slot 0 .* 10 .* 16 KiB '
  "$sapbuf" metrics "$stream" >"$directory/out"
  local -r labels="{segment=\"$stream\",facility=\"main\",reader=\"audit\"}"
  printed "^sapbuf_durable_reader_away$labels 1$"
  printed "^sapbuf_durable_reader_kept_bytes$labels 16384$"
}

test_what_is_kept_for_one_that_is_away_is_not_removed_by_the_way() {
  durable_stream
  put 1 10
  took 4 1 4
  expect "$failure" "$sapbuf" rm "$stream"
  said "keeps messages for durable reader audit, which is away; use --force"
  expect "$failure" "$sapbuf" rm "$stream/main"
  took 100 5 10
  expect "$done" "$sapbuf" rm "$stream"  # it has come to all
  durable_stream
  put 1 10
  took 4 1 4
  expect "$done" "$sapbuf" rm --force "$stream"
}

test_what_was_given_up_is_told() {
  local order
  for order in per-writer total; do
    durable_stream --order "$order"
    expect "$done" "$sapbuf" sub "$stream" --durable --name audit --keep-bytes 16KiB --idle-exit 0
    put 1 20000
    expect "$done" "$sapbuf" sub "$stream" --durable --name audit --idle-exit 0
    said 'messages were gone before this reader came'
    if [[ $order == per-writer ]]; then
      said "$(sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<$((20000 - $(wc --lines <"$directory/out")))) messages were gone"
    fi
    expect "$done" "$sapbuf" rm --force "$stream"
  done
}

# to_full_device: what is read goes nowhere, and says so
to_full_device() {
  # shellcheck disable=SC2016  # the inner shell's variables
  expect "$failure" bash -c 'exec "$@" >/dev/full' - "$sapbuf" sub "$stream" --durable --name audit --idle-exit 0
  said 'cannot write to standard output: No space left'
}

test_what_cannot_be_written_comes_again() {
  durable_stream --slabs 4
  put 1 10
  took 4 1 4
  to_full_device
  took 100 5 10
  put 11 600  # in more slabs than one
  to_full_device
  took 1000 11 600
}

test_what_nobody_took_comes_again() {
  durable_stream --slabs 4
  put 1 10
  mkfifo "$directory/pipe"
  head -c 0 "$directory/pipe" &
  local -r reading=$!
  # shellcheck disable=SC2016  # the inner shell's variables
  start audit bash -c 'exec 9>"$1"; wait_for=$2; while kill -0 "$wait_for" 2>/dev/null; do :; done; exec "${@:3}" >&9 9>&-' - \
    "$directory/pipe" "$reading" "$sapbuf" sub "$stream" --durable --name audit --idle-exit 0
  wait "$reading"
  ends audit "$done"
  took 100 1 10
}

run_cases
