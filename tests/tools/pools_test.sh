#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Pools in the command line: sapbuf create --pool, and sapbuf pool.

frames() { printf '%s/frames' "$stream"; }

# A segment without a stream, and a pool in it.
pool_of() { expect "$done" "$sapbuf" create "$stream" --no-stream --pool "frames:$1"; }

# pool_is FILTER: of the pool `frames`, as it is now
pool_is() {
  expect "$done" "$sapbuf" pool ls "$stream" --json
  json_holds ".pools[] | select(.name == \"frames\") | $1"
}

names_in_segment() { status '[.facilities[].name] | join(",")'; }
kinds_in_segment() { status '[.facilities[] | .kind + " " + .name] | join(",")'; }

# start_user NAME KEPT SHARED: somebody who has buffers of the pool `frames`, and lets go of none
start_user() {
  [[ -n ${SAPBUF_POOL_USER:-} ]] || skip 'needs the program pool_user: SAPBUF_POOL_USER'
  start "$1" "$SAPBUF_POOL_USER" "$stream" frames "$@"
  eventually status_holds ".facilities[] | select(.name == \"frames\") | any(.participants[]; .name == \"$1\")"
  eventually status_holds ".facilities[] | select(.name == \"frames\") | .in_use >= $2 and .shared >= $3"
}

# ---- sapbuf create --pool

test_create_makes_pools_with_the_segment() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:64KiB:8:32 --slabs 3 --pool log:512:4
  said "created $stream: 3 slabs"
  said "created $stream/frames: 8 buffers of 64 KiB, growing up to 32, "
  said "created $stream/log: 4 buffers of 512 B, "
  equal "$(kinds_in_segment)" 'stream main,pool frames,pool log' 'what is in it'
  pool_is '.buffer_bytes == 65536 and .count == 8 and .max_count == 32 and .alignment == 64'
  json_holds '.pools[1] | .name == "log" and .buffer_bytes == 512 and .count == 4 and .max_count == 4'
}

# The name behind a pool is not taken for another pool.
test_create_takes_one_pool_for_each_option() {
  expect "$done" "$sapbuf" create --pool frames:4096:1 "$stream"
  equal "$(names_in_segment)" main,frames 'what is in it'
}

test_create_makes_pools_without_a_stream() {
  pool_of 64KiB:8
  said 'without a stream'
  equal "$(names_in_segment)" frames 'what is in it'
}

test_if_absent_leaves_pools_as_they_are_and_makes_those_that_are_missing() {
  expect "$done" "$sapbuf" create "$stream" --if-absent --pool frames:4KiB:8
  said "created $stream/frames"
  expect "$done" "$sapbuf" create "$stream" --if-absent --pool frames:4KiB:8
  said "$stream/frames exists already and stays as it is\$"
  expect "$done" "$sapbuf" create "$stream" --if-absent --pool frames:64KiB:9 --pool more:64:1
  said "$stream/frames exists already.*buffer_bytes 4096, not 65536; count 8, not 9"
  said "created $stream/more"
  equal "$(names_in_segment)" main,frames,more 'what is in it'
}

test_pools_are_not_made_in_a_segment_that_was_there() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$failure" "$sapbuf" create "$stream" --pool frames:4KiB:8
  said "--if-absent leaves it as it is"
  equal "$(names_in_segment)" main 'what is in it'
}

# refuses_pool TEXT WHY: and makes nothing
refuses_pool() {
  expect "$usage" "$sapbuf" create "$stream" --pool good:64:1 --pool "$1"
  said "--pool: '$1' names no pool: $2 (NAME:SIZE:COUNT\[:MAX\] is wanted, such as frames:1MiB:64"
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die 'something was made all the same'
}

test_create_says_what_is_wrong_with_the_text_of_a_pool() {
  refuses_pool '' 'the name is missing'
  refuses_pool ':4096:1' 'the name is missing'
  refuses_pool 'frames' 'size and count are missing'
  refuses_pool 'frames:64KiB' 'the count is missing'
  refuses_pool 'frames:64KiB:1:2:3' 'it has 5 parts'
  refuses_pool 'frames::1' "the size '' is not one such as 4096, 64KiB or 1MiB"
  refuses_pool 'frames:big:1' "the size 'big' is not one such as 4096, 64KiB or 1MiB"
  refuses_pool 'frames:64KiB:' "the count '' is not a whole number of 1 or more"
  refuses_pool 'frames:64KiB:-1' "the count '-1' is not a whole number of 1 or more"
  refuses_pool 'frames:64KiB:0' "the count '0' is not a whole number of 1 or more"
  refuses_pool 'frames:64KiB:8:many' "the most that it may grow to, 'many' is not a whole number of 1 or more"
  refuses_pool 'frames:64KiB:8:4' 'it may grow to 4, and has 8 at first'
  refuses_pool 'frames:16-1MiB' 'the count is missing'
  refuses_pool 'frames:16-:1MiB' "the size '16-' is not one such as 4096, 64KiB or 1MiB"
  refuses_pool 'frames:16-1MiB:many' "its room 'many' is not a size such as 16MiB"
  refuses_pool 'frames:16-1MiB:4MiB:1MiB' 'it may grow to 1048576, and has 4194304 at first'
  refuses_pool 'good:64KiB:8' "another one is named 'good', too"
}

test_create_makes_no_pool_with_a_stream() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$usage" "$sapbuf" create "$stream/orders" --pool frames:4KiB:8
  said '--pool is for a segment'
  equal "$(names_in_segment)" main 'what is in it'
}

test_a_pool_that_fails_leaves_what_was_made_and_says_so() {
  expect "$usage" "$sapbuf" create "$stream" --pool first:64:1 --pool second:64:1 --pool huge:2GiB:1 --pool last:64:1
  said "no pool huge: .*1 byte to 1 GiB.*segment $stream stays, and of the pools asked for it has first, second"
  said "sapbuf rm $stream removes it all"
  equal "$(names_in_segment)" main,first,second 'what is in it'
  expect "$done" "$sapbuf" rm "$stream"
  expect "$failure" "$sapbuf" create "$stream" --pool main:64:1
  said "no pool main: .*'main' already; segment $stream stays, and of the pools asked for it has none"
}

# ---- sapbuf pool create

test_a_pool_is_made_shown_and_removed() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64K
  expect "$done" "$sapbuf" pool create "$(frames)" --buffer-bytes 64K --count 8 --max-count 32
  said "created $(frames): 8 buffers of 64 KiB, growing up to 32"
  expect "$failure" "$sapbuf" pool create "$(frames)"
  expect "$done" "$sapbuf" pool create "$(frames)" --count 9 --if-absent
  said 'count 8, not 9'
  expect "$no_segment" "$sapbuf" pool create "$stream.none/frames"
  expect "$done" "$sapbuf" status "$stream"
  printed "^pool $(frames): 8 buffers of 64 KiB (up to 32); 0 in use, 0 shared, 8 free, 0 at hand\$"
  expect "$done" "$sapbuf" status "$(frames)"
  printed '0 buffers taken back from the dead'
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.facilities[1] | .kind == "pool" and .name == "frames" and .buffer_bytes == 65536 and .count == 8 and
                 .max_count == 32 and .in_use == 0 and .shared == 0 and .free == 8 and .participants == []'
  expect "$done" "$sapbuf" ls -l
  printed '^  frames  *pool '
  expect "$done" "$sapbuf" dump "$stream" --layout
  printed '  frames *8 buffers$'
  expect "$no_segment" "$sapbuf" sub "$(frames)"
  expect "$done" "$sapbuf" rm "$(frames)"
  expect "$no_segment" "$sapbuf" status "$(frames)"
}

test_presets_say_what_buffers_are_like() {
  local preset
  expect "$done" "$sapbuf" create "$stream" --no-stream
  for preset in serialization:131072 compression:65536 vectors:4096; do
    expect "$done" "$sapbuf" pool create "$(frames)" --preset "${preset%:*}"
    pool_is ".buffer_bytes == ${preset#*:} and .alignment == 64 and .count == 64 and .max_count == 64"
    expect "$done" "$sapbuf" pool rm "$(frames)"
  done
  expect "$usage" "$sapbuf" pool create "$(frames)" --preset matrices
  said "'matrices' is none of compression|serialization|vectors (see sapbuf pool create --help)"
}

test_what_is_given_goes_before_a_preset_wherever_it_stands() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" pool create "$(frames)" --buffer-bytes 1KiB --count 3 --preset vectors --alignment 4096 \
    --max-count 5
  pool_is '.buffer_bytes == 1024 and .count == 3 and .max_count == 5 and .alignment == 4096'
}

# ---- size classes

test_a_pool_for_all_sizes() {
  pool_of 16-64KiB:1MiB:2MiB
  said "created $(frames): 1 MiB for buffers of 16 B to 64 KiB, growing up to 2 MiB, "
  pool_is '.min_bytes == 16 and .max_bytes == 65536 and .piece_bytes == 16 and .alignment == 16 and
             .count == 65536 and .max_count == 131072 and .classes == []'
  expect "$done" "$sapbuf" pool ls "$stream"
  printed '^frames  *16 B to 64 KiB  *1 MiB (2 MiB)  *0  *0  *1 MiB  *0  *0  *[0-9.]* MiB$'
  start_user camera 3 2
  pool_is '.in_use == 3 and .shared == 2 and .in_use_bytes == 48 and .shared_bytes == 32 and .classes[0].bytes == 16'
  json_holds '.pools[0].holders[0] | .buffers == 5 and .bytes == 80'
  expect "$done" "$sapbuf" status "$(frames)"
  printed ': 1 MiB for buffers of 16 B to 64 KiB (up to 2 MiB); 3 in use (48 B), 2 shared (32 B), 1.00 MiB free, '
  printed '^ *16 B  *64  *5[0-9]$'
}

test_pool_create_takes_a_range_of_sizes() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  expect "$done" "$sapbuf" pool create "$(frames)" --sizes 100-4KiB --room 1MiB --max-room 3MiB --grow nobody
  pool_is '.min_bytes == 100 and .max_bytes == 4096 and .piece_bytes == 128 and .count == 8192 and .max_count == 24576 and
             .grow == "nobody"'
  expect "$done" "$sapbuf" pool create "$stream/vectors" --sizes 1-4KiB --alignment 4096
  json_line=$("$sapbuf" pool ls "$stream" --json)
  [[ $json_line == *'"piece_bytes":4096'* ]] || die 'not aligned'
  expect "$done" "$sapbuf" pool grow "$(frames)" 24576
  said "$(frames) has 3 MiB for buffers of 100 B to 4 KiB now"
  expect "$usage" "$sapbuf" pool create "$stream/p" --sizes 16
  said "--sizes: '16' is not a range of sizes such as 16-1MiB"
  expect "$usage" "$sapbuf" pool create "$stream/p" --sizes 64-16
  said 'the largest buffer is 16; it must be from 64 to'
  expect "$usage" "$sapbuf" pool create "$stream/p" --sizes 64-16MiB --room 1MiB
  said 'the pool may grow to 1048576 bytes; for buffers of 16777216 bytes it must be 16777216'
  expect "$usage" "$sapbuf" pool create "$stream/p" --sizes 16-1MiB --count 3
  said '--sizes'
  expect "$usage" "$sapbuf" pool create "$stream/p" --room 1MiB
  said '--sizes'
}

test_names_of_pools() {
  local command name
  expect "$done" "$sapbuf" create "$stream"
  for command in create rm; do
    for name in "$stream" "$stream/" "$stream/a/b" /frames / ''; do
      expect "$usage" "$sapbuf" pool "$command" "$name"
      said "'$name' names no pool: SEGMENT/POOL is wanted"
    done
  done
  expect "$usage" "$sapbuf" pool create "$stream/with space"
  expect "$usage" "$sapbuf" pool ls "$(frames)"
  equal "$(names_in_segment)" main 'what is in it'
}

# ---- sapbuf pool rm

test_rm_takes_a_pool_and_nothing_else() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:4KiB:8 --pool more:4KiB:8
  expect "$no_segment" "$sapbuf" pool rm "$stream/main"
  said "$stream/main is no pool, and stays (its kind: stream"
  expect "$no_segment" "$sapbuf" pool rm "$stream/none"
  said "segment '$stream' has no pool 'none' ('sapbuf pool ls $stream' shows what there is)"
  expect "$no_segment" "$sapbuf" pool rm "$stream.none/frames"
  equal "$(names_in_segment)" main,frames,more 'what is in it'
  expect "$done" "$sapbuf" pool rm "$(frames)"
  said "removed $(frames)"
  equal "$(names_in_segment)" main,more 'what is in it'
  expect "$no_segment" "$sapbuf" pool rm "$(frames)"
}

test_rm_takes_no_pool_from_those_who_use_it() {
  pool_of 4KiB:8
  start_user camera 1 0
  expect "$failure" "$sapbuf" pool rm "$(frames)"
  said "$(frames) is in use by user camera (pid ${process[camera]}.*stop them first"
  equal "$(names_in_segment)" frames 'what is in it'
  kill_hard camera
  expect "$done" "$sapbuf" pool rm "$(frames)"
}

# ---- sapbuf pool ls

test_ls_shows_a_line_for_each_pool() {
  expect "$done" "$sapbuf" create "$stream" --pool frames:64KiB:8:2000 --pool log:512:4
  expect "$done" "$sapbuf" pool ls "$stream"
  equal "$(wc -l <"$directory/out")" 3 lines
  printed '^NAME  *BUFFER  *COUNT (MAX)  *IN USE  *SHARED  *FREE  *AT HAND  *USERS  *SIZE$'
  printed '^frames  *64 KiB  *8 (2,000)  *0  *0  *8  *0  *0  *[0-9.]* [KM]iB$'
  printed '^log  *512 B  *4 (4)  *0  *0  *4  *0  *0  *[0-9.]* [KM]iB$'
}

test_ls_says_that_there_are_no_pools() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" pool ls "$stream"
  printed_nothing
  said "no pools in $stream"
  expect "$done" "$sapbuf" pool ls "$stream" --json
  json_holds ".schema_version == 1 and .name == \"$stream\" and .pools == []"
  expect "$no_segment" "$sapbuf" pool ls "$stream.none"
}

test_grow_lets_a_pool_grow_ahead_of_need() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" pool create "$(frames)" --buffer-bytes 4KiB --count 8 --max-count 3000 --grow nobody
  start_user camera 8 0
  pool_is '.count == 8 and .free == 0 and .grow == "nobody"'
  expect "$done" "$sapbuf" pool grow "$(frames)" 2500
  printed_nothing
  said "$(frames) has 2,[0-9]* buffers of 4 KiB now"
  pool_is '.count >= 2500 and .in_use == 8'
  expect "$usage" "$sapbuf" pool grow "$(frames)" 3001
  said 'may grow to 3000 buffers, not to 3001'
  expect "$no_segment" "$sapbuf" pool grow "$stream/none" 9
  expect "$usage" "$sapbuf" pool grow "$(frames)"
}

test_grow_takes_decimal_numbers_only() {
  pool_of 4KiB:2:64
  local text
  for text in '' -1 0x20 8.0 +8 18446744073709551616; do
    expect "$usage" "$sapbuf" pool grow "$(frames)" "$text"
    said "COUNT: '$text' is not a whole number of 0 or more"
  done
  pool_is '.count == 2'
  expect "$done" "$sapbuf" pool grow "$(frames)" 010
  pool_is '.count >= 10'
}

test_trim_gives_unused_memory_back() {
  pool_of 4KiB:256
  start_user camera 3 0
  expect "$done" "$sapbuf" pool trim "$(frames)"
  printed_nothing
  said "gave 768 KiB of $(frames) back"
  expect "$done" "$sapbuf" pool trim "$(frames)"
  said "gave 0 B of $(frames) back"
  pool_is '.in_use == 3 and .unbacked == 192 and .in_use + .free + .cached == .count'
  expect "$done" "$sapbuf" status "$(frames)"
  printed ' [0-9]* free (192 given back)'
  expect "$no_segment" "$sapbuf" pool trim "$stream/none"
  expect "$usage" "$sapbuf" pool trim
}

# All buffers are accounted for, whatever of them a user has at hand.
test_ls_shows_where_the_buffers_are() {
  pool_of 4KiB:64
  start_user camera 3 2
  pool_is '.in_use == 3 and .shared == 2 and .in_use + .shared + .free + .cached == .count and .users == 1 and .dead == 0'
  expect "$done" "$sapbuf" pool ls "$stream"
  printed '^frames  *4 KiB  *64 (64)  *3  *2  *[0-9]*  *[0-9]*  *1  '
  kill_hard camera
  pool_is '.users == 0 and .dead == 1'
  expect "$done" "$sapbuf" pool ls "$stream"
  printed '^frames .*  0, 1 dead  '
}

test_users_of_pools_are_no_readers() {
  pool_of 4KiB:8
  start_user camera 1 0
  expect "$done" "$sapbuf" ls -l
  printed '^  frames  *pool .*  0  *0  *1  *0$'
  expect "$done" "$sapbuf" ls --json
  json_holds ".segments[] | select(.name == \"$stream\") | .readers == 0 and .users == 1 and .facilities[0].users == 1"
}

# ---- sapbuf status, of a pool

# in_pool FILTER: of the pool `frames` in what the last command printed
in_pool() { json_holds ".facilities[] | select(.name == \"frames\") | $1"; }

test_status_names_those_who_hold_buffers() {
  pool_of 4KiB:64
  expect "$done" "$sapbuf" status "$stream" --json
  in_pool '.holders == [] and .peak == 0 and .grown == 0 and .departed.participants == 0'
  start_user camera 3 2
  expect "$done" "$sapbuf" status "$stream" --json
  in_pool '{kind, name, buffer_bytes, count, max_count} ==
             {kind: "pool", name: "frames", buffer_bytes: 4096, count: 64, max_count: 64}'
  in_pool '.in_use == 3 and .cached + .free == 59 and .peak >= 5 and .peak <= 64 and .waits == 0'
  in_pool '.holders | length == 1 and (.[0] | keys) == ["buffers", "bytes", "name", "oldest_ms", "slot"]'
  in_pool '.holders[0] | .name == "camera" and .buffers == 5 and .bytes == 20480 and .oldest_ms < 1000000'
  in_pool '.holders[0].slot == .participants[0].slot'
  in_pool '.participants[0] | .acquired == 5 and .held == 5 and .released == 0 and .adopted == 0 and .reclaimed == 0'
  in_pool '.present.acquired == 5 and .acquired == 5 and .present.hits == 5 - .present.refills'
  expect "$done" "$sapbuf" status "$(frames)"
  printed 'were not free at a time$'
  printed '  BUFFERS  *BYTES  *OLDEST  *ACQUIRED  *HITS  *ADOPTED  *RELEASED  *ATTACHED  *RECLAIMED  *REFILLS  *STOLEN  *GROWN  *WAITS$'
  printed '  user  *camera .*  5  *20 KiB  *[0-9.]* [mu]*s  *5  *[34]  *0  *0  *0  *0  *[12]  *0  *0  *0$'
}

test_what_the_dead_held_is_told_in_buffers_and_bytes() {
  pool_of 4KiB:64
  start_user camera 3 2
  kill_hard camera
  expect "$done" "$sapbuf" status "$stream" --json
  in_pool '.holders[0] | .name == "camera" and .buffers == 5'
  expect "$done" "$watchdog" --once --json "$stream"
  json_holds '.segments[0].dead[0] | (.held_generations | length) == 5 and .held_bytes == 20480'
  said 'user camera .* died: took back buffers .*(5 buffers, 20 KiB)'
  expect "$done" "$sapbuf" status "$stream" --json
  in_pool '.holders == [] and .present.acquired == 0'
  in_pool '.departed | .participants == 1 and .acquired == 5 and .released == 0 and .reclaimed == 5'
  in_pool '.journal[0] | .held_count == 5 and .held_bytes == 20480'
  expect "$done" "$sapbuf" status "$(frames)"
  printed 'held buffers .* (5 buffers, 20 KiB), last progress'
  printed '  departed  *1 .*  5  *[34]  *0  *0  *0  *5  *[12]  *0  *0  *0$'
}

test_ls_shows_the_same_figures() {
  pool_of 4KiB:64
  start_user camera 1 0
  pool_is '.holders[0].buffers == 1 and .peak >= 1 and .present.held == 1'
}

# ---- what is wrong with the command line

test_a_wrong_command_is_told_with_where_its_help_is() {
  expect "$usage" "$sapbuf" pool
  said 'Usage: sapbuf pool '
  expect "$usage" "$sapbuf" pool conjure
  said "'conjure' is neither a command nor an option (see sapbuf pool --help)"
  expect "$usage" "$sapbuf" pool create "$(frames)" --no-such-option
  said 'see sapbuf pool create --help'
  expect "$usage" "$sapbuf" pool create
  said 'SEGMENT/POOL is required (see sapbuf pool create --help)'
  local command
  for command in create rm ls; do
    expect "$done" "$sapbuf" pool "$command" --help
    printed 'SEGMENT'
  done
}

run_cases
