#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Maps in the command line: sapbuf map.

config() { printf '%s/config' "$stream"; }

# A segment without a stream, and a map in it.
map_of() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" map create "$(config)" "$@"
}

# put KEY VALUE [OPTION]...
put() { printf '%s' "$2" | "$sapbuf" map put "$(config)" "$1" "${@:3}" 2>"$directory/err"; }
must_put() { put "$@" || die "not put: $*"; }
value_of() { "$sapbuf" map get "$(config)" "$1"; }
kinds_in_segment() { status '[.facilities[] | .kind + " " + .name] | join(",")'; }

test_a_map_is_made_shown_and_removed() {
  map_of --keys 8 --max-keys 32 --value-bytes 64
  said "created $(config): room for 8 keys, growing up to 32, values of up to 64 B in buffers of its own"
  expect "$failure" "$sapbuf" map create "$(config)"
  expect "$done" "$sapbuf" map create "$(config)" --keys 9 --if-absent
  said 'keys 8, not 9'
  expect "$no_segment" "$sapbuf" map create "$stream.none/config"
  must_put limits one
  expect "$done" "$sapbuf" status "$stream"
  printed "^map $(config): 1 key of 8 (up to 32), 1 change so far; values of up to 64 B in pool config.values\$"
  expect "$done" "$sapbuf" status "$(config)"
  printed 'nobody reads or writes it'
  printed '^ *departed  *1 .* - *- *0  *1  *0  *0$'
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.facilities[] | select(.name == "config") | .kind == "map" and .keys == 1 and .room == 8 and .max_keys == 32 and
                 .value_bytes == 64 and .pool == "config.values" and .changes == 1 and .participants == []'
  expect "$done" "$sapbuf" map ls "$stream"
  printed '^config  *1  *8 (32)  *64 B  config.values '
  expect "$done" "$sapbuf" map ls "$stream" --json
  json_holds '.maps | length == 1 and .[0].keys == 1 and .[0].writers == 0'
  expect "$done" "$sapbuf" ls -l
  printed '^  config  *map '
  expect "$done" "$sapbuf" dump "$stream" --layout
  printed '  config *index of 64 places$'
  expect "$no_segment" "$sapbuf" sub "$(config)"
  expect "$failure" "$sapbuf" pool rm "$(config).values"
  expect "$done" "$sapbuf" map rm "$(config)"
  equal "$(kinds_in_segment)" '' 'what is left'
  expect "$no_segment" "$sapbuf" map rm "$(config)"
}

test_rm_takes_a_maps_pool_with_it() {
  map_of
  expect "$done" "$sapbuf" rm "$(config)"
  equal "$(kinds_in_segment)" '' 'what is left'
}

test_values_may_be_buffers_of_a_pool() {
  expect "$done" "$sapbuf" create "$stream" --no-stream --pool frames:1KiB:16
  expect "$no_segment" "$sapbuf" map create "$(config)" --pool none
  expect "$done" "$sapbuf" map create "$(config)" --pool frames --keys 4
  said "values of up to 992 B in buffers of pool frames"
  must_put k v
  expect "$failure" "$sapbuf" rm "$stream/frames"
  said "needed by 'config'"
  expect "$done" "$sapbuf" map rm "$(config)"
  equal "$(kinds_in_segment)" 'pool frames' 'what is left'
}

test_get_writes_the_value_and_nothing_else() {
  map_of
  must_put limits 'no newline'
  expect "$done" "$sapbuf" map get "$(config)" limits
  equal "$(wc -c <"$directory/out")" 10 'bytes on stdout'
  equal "$(value_of limits)" 'no newline' 'the value'
  expect "$failure" "$sapbuf" map get "$(config)" none
  printed_nothing
  said "$(config) has no key 'none'"
  expect "$no_segment" "$sapbuf" map get "$stream/none" k
  head -c 200 /dev/urandom >"$directory/bytes"
  "$sapbuf" map put "$(config)" binary <"$directory/bytes"
  "$sapbuf" map get "$(config)" binary | cmp - "$directory/bytes" || die 'the bytes are others'
  must_put empty ''
  expect "$done" "$sapbuf" map get "$(config)" empty
  printed_nothing
}

has_been_read() { ! read -r -t 0 -u 7; }

# As it is behind a program that made it so: what is there, and then nothing for a while, is not all.
test_put_reads_a_nonblocking_input_to_its_end() {
  map_of
  mkfifo "$directory/pipe"
  exec 9<>"$directory/pipe"  # so that neither of the others waits for the other one
  exec 7<"$directory/pipe"
  exec 8>"$directory/pipe"
  exec 9>&-
  dd iflag=nonblock count=0 of=/dev/null status=none <&7
  printf 'one ' >&8
  "$sapbuf" map put "$(config)" key <&7 2>"$directory/put.err" 7<&- 8>&- &
  process[put]=$!
  eventually has_been_read
  printf 'two' >&8
  exec 8>&-
  ends put "$done"
  exec 7<&-
  equal "$(value_of key)" 'one two' 'the value'
}

test_put_and_rm_say_why_not() {
  map_of --keys 2 --value-bytes 8 --key-bytes 8
  must_put a 1
  must_put b 2
  if put c 3; then die 'a third key'; fi
  said 'has as many keys as it can'
  if put a 123456789; then die 'too large a value'; fi
  said 'larger than the 8 B'
  if put 123456789 1; then die 'too large a key'; fi
  said "a key of $(config) has 1 to 8 bytes, not 9"
  if put '' 1; then die 'no key'; fi
  said "a key of $(config) has 1 to 8 bytes, not 0"
  if put a 2 --if-version 7; then die 'another version'; fi
  said 'has another version'
  if put a 2 --if-version 0; then die 'it was there'; fi
  must_put a 2 --if-version 1
  equal "$(value_of a)" 2 'the value'
  expect "$failure" "$sapbuf" map rm "$(config)" c
  said "has no key 'c'"
  expect "$done" "$sapbuf" map rm "$(config)" b
  expect "$failure" "$sapbuf" map get "$(config)" b
  must_put c 3 --if-version 0
}

test_ls_shows_keys_in_their_order() {
  map_of
  must_put b.two 2
  must_put a.one 1
  must_put b.one 11
  must_put b.one 22
  expect "$done" "$sapbuf" map ls "$(config)" --json
  equal "$(jq --raw-output --slurp '[.[] | .key + "=" + .value + "@" + (.version | tostring)] | join(" ")' "$directory/out")" \
    'a.one=1@1 b.one=22@2 b.two=2@1' 'the keys'
  expect "$done" "$sapbuf" map ls "$(config)" --prefix b.
  printed '^b.one  *2  *2 B '
  equal "$(wc -l <"$directory/out")" 3 'lines'
}

test_what_is_exported_is_imported_again() {
  map_of
  must_put a 'text with "quotes", \ and ünïcode'
  must_put empty ''
  head -c 200 /dev/urandom >"$directory/bytes"
  "$sapbuf" map put "$(config)" $'k\xff\x01' <"$directory/bytes"
  expect "$done" "$sapbuf" map export "$(config)"
  cp "$directory/out" "$directory/exported"
  equal "$(wc -l <"$directory/exported")" 3 'lines'
  jq --exit-status --slurp '.[0].key == "a" and .[1] == {"key": "empty", "value": ""} and (.[2] | has("key_hex") and has("value_hex"))' \
    "$directory/exported" >/dev/null || die 'exported otherwise'
  expect "$done" "$sapbuf" map export "$(config)" --prefix emp
  equal "$(wc -l <"$directory/out")" 1 'lines with the prefix'
  expect "$done" "$sapbuf" map create "$stream/copy"
  "$sapbuf" map import "$stream/copy" <"$directory/exported" 2>"$directory/err" || die 'not imported'
  said "imported 3 keys into $stream/copy"
  expect "$done" "$sapbuf" map export "$stream/copy"
  cmp "$directory/out" "$directory/exported" || die 'the copy is another one'
  "$sapbuf" map get "$stream/copy" $'k\xff\x01' | cmp - "$directory/bytes" || die 'the bytes are others'
  printf '%s\n\n' '{"key":"a","value":"new","version":7}' '{"value_hex":"0aFF","key":"b"}' |
    "$sapbuf" map import "$stream/copy" --if-absent 2>"$directory/err" || die 'not imported'
  said 'imported 1 key into .*; 1 key left as they were'
  equal "$("$sapbuf" map get "$stream/copy" b | od -An -tx1 | tr -d ' ')" 0aff 'bytes from hexadecimal'
  [[ $("$sapbuf" map get "$stream/copy" a) == text* ]] || die 'it was not left'
}

test_json_has_every_byte() {
  map_of --key-bytes 8
  printf '\0\377text' | "$sapbuf" map put "$(config)" $'k\xff'
  must_put $'k\xfe' text
  expect "$done" "$sapbuf" map ls "$(config)" --json
  equal "$(json '.key_hex + " " + (.value // .value_hex)' | tr '\n' ' ')" '6bfe text 6bff 00ff74657874 ' 'keys and values'
  expect "$done" "$sapbuf" map get "$(config)" $'k\xff' --json
  json_holds '.key_hex == "6bff" and .value_hex == "00ff74657874" and .bytes == 6 and (has("key") or has("value") | not)'
  start watch "$sapbuf" map watch "$(config)" $'k\xff' --json --changes 2
  eventually grep --quiet '"value_hex":"00ff74657874"' "$directory/watch.out"
  expect "$done" "$sapbuf" map rm "$(config)" $'k\xff'
  ends watch "$done"
  equal "$(tail -n 1 "$directory/watch.out")" '{"key_hex":"6bff","version":0}' 'what is gone'
}

# Also what terminals would take for commands.
test_an_export_is_ascii_and_means_the_same() {
  map_of
  must_put $'clear\xc2\x9b2J' $'\xc2\x9b31m \xe2\x80\xa8 \xf0\x9f\x98\x80 \x7f \e[m ünïcode'
  expect "$done" "$sapbuf" map export "$(config)"
  cp "$directory/out" "$directory/exported"
  equal "$(tr --delete '\n\040-\176' <"$directory/exported" | wc --bytes)" 0 'bytes that are not printable ASCII'
  json_holds '.key == "clear\u009b2J" and .value == "\u009b31m \u2028 \ud83d\ude00 \u007f \u001b[m \u00fcn\u00efcode"'
  expect "$done" "$sapbuf" map create "$stream/copy"
  "$sapbuf" map import "$stream/copy" <"$directory/exported" 2>"$directory/err" || die 'not imported'
  expect "$done" "$sapbuf" map export "$stream/copy"
  cmp "$directory/out" "$directory/exported" || die 'the copy is another one'
}

# import_fails LINE TEXT: what was before the line stays imported
import_fails() {
  if printf '%s\n' '{"key":"before","value":"1"}' "$1" | "$sapbuf" map import "$(config)" 2>"$directory/err"; then die "imported: $1"; fi
  said "$2"
  said 'imported 1 key'
}

test_import_says_which_line_is_wrong() {
  map_of --value-bytes 8
  import_fails 'key=value' 'line 2: it is no JSON object'
  import_fails '[1]' 'line 2: it is no JSON object'
  import_fails '{"value":"1"}' 'line 2: it has neither "key" nor "key_hex"'
  import_fails '{"key":"k"}' 'line 2: it has neither "value" nor "value_hex"'
  import_fails '{"key":7,"value":"1"}' 'line 2: "key" is no string'
  import_fails '{"key":"k","value_hex":"0"}' 'line 2: "value_hex" is not hexadecimal'
  import_fails '{"key":"k","value":"123456789"}' 'line 2: the value is larger'
  import_fails '{"key":"","value":"1"}' 'line 2: a key of .* has 1 to 255 bytes, not 0'
  expect "$no_segment" "$sapbuf" map import "$stream.none/config"
  expect "$no_segment" "$sapbuf" map export "$stream.none/config"
}

test_watch_shows_each_change() {
  map_of
  must_put k one
  start watch "$sapbuf" map watch "$(config)" k --changes 3
  eventually grep --quiet one "$directory/watch.out"
  must_put k two
  eventually grep --quiet two "$directory/watch.out"
  expect "$done" "$sapbuf" map rm "$(config)" k
  ends watch "$done"
  equal "$(cat "$directory/watch.out")" $'1\tk\tone\n2\tk\ttwo\n0\tk' 'what was shown'
}

test_watch_shows_all_keys() {
  map_of
  must_put a one
  start watch "$sapbuf" map watch "$(config)" --json --changes 3
  eventually grep --quiet one "$directory/watch.out"
  must_put b two
  eventually grep --quiet two "$directory/watch.out"
  expect "$done" "$sapbuf" map rm "$(config)" a
  ends watch "$done"
  equal "$(jq --raw-output '.key + "@" + (.version | tostring)' "$directory/watch.out" | tr '\n' ' ')" 'a@1 b@1 a@0 ' 'what was shown'
}

test_a_map_that_is_truncated_meanwhile_ends_a_watch() {
  map_of
  must_put k one
  for key in '' k; do
    start "watch$key" "$sapbuf" map watch "$(config)" ${key:+"$key"}
    eventually grep --quiet one "$directory/watch$key.out"
  done
  truncate --size 0 "/dev/shm/sapbuf.$stream"
  ends watch "$no_segment"
  ends watchk "$no_segment"
}

test_a_watch_ends_when_nobody_is_left_in_a_removed_map() {
  map_of
  must_put k one
  for key in '' k; do
    start "watch$key" "$sapbuf" map watch "$(config)" ${key:+"$key"}
    eventually grep --quiet one "$directory/watch$key.out"
    signal STOP "watch$key"
  done
  expect "$done" "$sapbuf" rm "$stream" --force
  map_of
  for key in '' k; do
    signal CONT "watch$key"
    ends "watch$key" "$no_segment"
    grep --quiet "$(config) was removed, and made anew" "$directory/watch$key.err" || die 'not told why'
    grep --quiet "$(config) was removed, and nobody is left in it to change it" "$directory/watch$key.err" || die 'not told the end'
  done
}

test_a_watch_goes_on_in_a_removed_map_while_somebody_writes() {
  [[ -n ${SAPBUF_MAP_USER:-} ]] || skip 'needs the program map_user: SAPBUF_MAP_USER'
  map_of
  must_put k one
  start watch "$sapbuf" map watch "$(config)"
  start owner "$SAPBUF_MAP_USER" "$stream" config k owner
  eventually grep --quiet one "$directory/watch.out"
  eventually grep --quiet --no-messages mine "$directory/owner.out"
  expect "$done" "$sapbuf" rm "$stream" --force
  eventually grep --quiet "warning: $(config) was removed" "$directory/watch.err"
  equal "$(has_ended watch || echo runs)" runs watch
  kill_hard owner
  ends watch "$no_segment"
}

test_status_shows_who_reads() {
  map_of
  must_put k one
  start watch "$sapbuf" map watch "$(config)"
  eventually grep --quiet one "$directory/watch.out"
  expect "$done" "$sapbuf" status "$(config)"
  printed ' viewer  .*alive'
  expect "$failure" "$sapbuf" map rm "$(config)"
  said "$(config) is in use by viewer"
  kill_hard watch
  expect "$done" "$sapbuf" map rm "$(config)"
}

test_status_shows_who_keeps_how_many_versions() {
  [[ -n ${SAPBUF_MAP_USER:-} ]] || skip 'needs the program map_user: SAPBUF_MAP_USER'
  map_of --value-bytes 64
  must_put k one
  start keeper "$SAPBUF_MAP_USER" "$stream" config k keeper keep
  eventually grep --quiet --no-messages mine "$directory/keeper.out"
  must_put k two
  must_put k three
  expect "$done" "$sapbuf" status "$(config)"
  printed ' viewer  *keeper .*  1  *96 B  *-  *-  *-  *-$'
  expect "$done" "$sapbuf" status "$(config)" --json
  json_holds '[.participants[] | {name, versions, version_bytes}] == [{name: "keeper", versions: 1, version_bytes: 96}]'
  kill_hard keeper
  expect "$done" "$watchdog" --once "$stream"
  said 'keeper'
  expect "$done" "$sapbuf" status "$(config)"
  printed 'nobody reads or writes it'
}

test_names_of_maps() {
  local command name
  expect "$done" "$sapbuf" create "$stream"
  for command in create rm; do
    for name in "$stream" "$stream/" "$stream/a/b" /config / ''; do
      expect "$usage" "$sapbuf" map "$command" "$name"
      said "'$name' names no map: SEGMENT/MAP is wanted, such as ticks/config"
    done
  done
  expect "$no_segment" "$sapbuf" map rm "$stream/main"
  said 'is no map, and stays'
}

# The pool of its own counts in, another one does not.
test_how_large_a_map_is_says_whose_pool_counts() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:2KiB:1024
  expect "$done" "$sapbuf" map create "$stream/own" --keys 64 --value-bytes 256
  local -r bytes=$(status '[.facilities[] | select(.name == "own" or .name == "own.values").bytes] | add')
  said "of its own, $(numfmt --to=iec-i --format=%.0f --round=nearest "$bytes" | sed 's/\(.i\)$/ \1B/') in all$"
  expect "$done" "$sapbuf" map create "$stream/shared" --pool frames
  said 'of pool frames, .* in all, without its pool$'
}

run_cases
