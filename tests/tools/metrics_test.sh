#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# sample FILE NAME LABELS...: the value of the only sample of that name which has all these labels; nothing if there is none
sample() {
  local lines label
  lines=$(grep "^$2[{ ]" "$1" || true)
  for label in "${@:3}"; do lines=$(grep --fixed-strings -- "$label" <<<"$lines" || true); done
  [[ $(grep --count . <<<"$lines") -le 1 ]] || die "more than one: $lines"
  printf '%s' "${lines##* }"
}

# page_of SEGMENT...: in $directory/out
page_of() { expect "$done" "$sapbuf" metrics "$@"; }

# get PORT PATH: the answer's body, in $directory/body
get() {
  local connection
  exec {connection}<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&"$connection"
  sed '1,/^\r$/d' <&"$connection" >"$directory/body"
  exec {connection}>&-
}

# start_server [SEGMENT...]: sets $port
start_server() {
  start server "$sapbuf" metrics --listen 127.0.0.1:0 "$@"
  listens() { port=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/metrics.*|\1|p' "$directory/server.err") && [[ -n $port ]]; }
  eventually listens
}

can_listen() { "$sapbuf" metrics --help | grep --count -e --listen >/dev/null; }

test_every_facility_is_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --pool frames:4096:8
  expect "$done" "$sapbuf" map create "$stream/config"
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  seq 10 | "$sapbuf" pub "$stream" 2>/dev/null
  printf 'value' | "$sapbuf" map put "$stream/config" key
  seq 3 | "$sapbuf" queue push "$stream/jobs"
  page_of "$stream"
  local out=$directory/out
  equal "$(sample "$out" sapbuf_segment_readable)" 1
  equal "$(sample "$out" sapbuf_stream_committed_messages_total 'facility="main"')" 10
  equal "$(sample "$out" sapbuf_stream_committed_bytes_total 'facility="main"')" 11
  equal "$(sample "$out" sapbuf_pool_buffers 'facility="frames"' 'state="free"')" 8
  equal "$(sample "$out" sapbuf_map_keys 'facility="config"')" 1
  equal "$(sample "$out" sapbuf_map_inserted_keys_total 'facility="config"')" 1
  equal "$(sample "$out" sapbuf_queue_pushed_blocks_total 'facility="jobs"')" 3
  equal "$(sample "$out" sapbuf_queue_blocks 'facility="jobs"' 'state="queued"' 'group="0"')" 3
  # Those who are gone are no series, once and for all.
  equal "$(grep --count '^sapbuf_participant_committed' "$out" || true)" 0
}

# What a pool for all sizes has is in pieces of its smallest size, whichever size its buffers have.
test_a_pool_for_all_sizes_is_told_in_pieces() {
  [[ -n ${SAPBUF_POOL_USER:-} ]] || skip 'needs the program pool_user: SAPBUF_POOL_USER'
  expect "$done" "$sapbuf" create "$stream" --no-stream --pool frames:16-64KiB:1MiB
  start camera "$SAPBUF_POOL_USER" "$stream" frames camera 4 3 65536
  eventually status_holds '.facilities[] | select(.name == "frames") | .in_use == 4 and .shared == 3'
  page_of "$stream"
  local state sum=0 pieces
  for state in in_use cached shared free; do
    pieces=$(sample "$directory/out" sapbuf_pool_buffers 'facility="frames"' "state=\"$state\"")
    sum=$((sum + pieces))
    case $state in
      in_use) equal "$pieces" $((4 * 4096)) 'pieces in use' ;;
      shared) equal "$pieces" $((3 * 4096)) 'shared pieces' ;;
    esac
  done
  equal "$sum" 65536 'pieces of all states'
}

# A family's samples stand together behind its TYPE, and no series is there twice.
test_the_format_is_that_of_prometheus() {
  local evil=$'two\n"lines"\\'
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  expect "$done" "$sapbuf" create "$stream.2" --slab-bytes 64KiB
  start_attached holder "$sapbuf" sub "$stream" --name holder
  start evil "$sapbuf" sub "$stream" --name "$evil"
  eventually status_holds '.participants | length == 2'
  page_of
  local out=$directory/out
  [[ $(grep --count "segment=\"$stream" "$out") -gt 20 ]] || die 'too little'
  equal "$(grep --invert-match --extended-regexp \
    -e '^# (HELP|TYPE) [a-z_]+ .+$' -e '^[a-z_]+\{([a-z_]+="([^"\\]|\\.)*",?)+\} [0-9.e+-]+$' "$out" || true)" ''
  equal "$(grep '^# TYPE' "$out" | sort | uniq --repeated)" ''
  equal "$(grep --invert-match '^#' "$out" | sed 's/ [^ ]*$//' | sort | uniq --repeated)" ''
  local families
  families=$(sed -n 's/^\([a-z_]*\){.*/\1/p' "$out" | uniq)
  equal "$(sort <<<"$families" | uniq --repeated)" ''
  if command -v promtool >/dev/null; then promtool check metrics <"$out" >"$directory/promtool" 2>&1 || die "$(cat "$directory/promtool")"; fi
}

test_how_far_readers_are_behind_is_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_attached slow "$sapbuf" sub "$stream" --name slow --hold
  seq 20 | "$sapbuf" pub "$stream" 2>/dev/null
  page_of "$stream"
  equal "$(sample "$directory/out" sapbuf_participant_lag_messages 'participant="slow"')" 20
  equal "$(sample "$directory/out" sapbuf_participant_lag_bytes 'participant="slow"')" 31
  equal "$(sample "$directory/out" sapbuf_participants 'role="reader"' 'state="alive"')" 1
}

# A dashboard that asks for what nobody tells shows nothing, and no error.
test_the_dashboard_asks_for_what_is_told() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --pool frames:4096:8
  expect "$done" "$sapbuf" map create "$stream/config"
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  start_attached slow "$sapbuf" sub "$stream" --name slow
  page_of "$stream"
  local name asked=0
  while read -r name; do
    grep --quiet "^# TYPE $name " "$directory/out" || die "nobody tells $name"
    asked=$((asked + 1))
  done < <(grep --only-matching 'sapbuf_[a-z_]*' "$SAPBUF_DASHBOARD" | sort --unique)
  ((asked > 10)) || die "the dashboard asks for $asked figures"
}

test_errors_are_told() {
  expect "$no_segment" "$sapbuf" metrics "$stream"
  said "$stream"
  printed_nothing
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream"
  expect "$done" "$sapbuf" metrics
  equal "$(sample "$directory/out" sapbuf_segment_readable "segment=\"$stream\"")" 0
}

# What others have is no reason for an alert, unless it was asked for.
test_segments_of_others_are_counted_only() {
  ((EUID == 0)) || exit 77
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  setpriv --reuid=65534 --regid=65534 --clear-groups "$sapbuf" metrics >"$directory/out" 2>"$directory/err"
  [[ -z $(sample "$directory/out" sapbuf_segment_readable "segment=\"$stream\"") ]] || die "a segment of root is on nobody's page"
  (($(sample "$directory/out" sapbuf_segments_hidden) >= 1)) || die "nobody counts it"
  setpriv --reuid=65534 --regid=65534 --clear-groups "$sapbuf" metrics "$stream" >"$directory/out" 2>&1 && die "it is to be seen"
  return 0
}

test_a_server_counts_on_when_participants_die() {
  can_listen || exit 77
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  start_server "$stream"
  local life
  for life in 1 2; do
    mkfifo "$directory/lines"
    "$sapbuf" pub "$stream" --name camera <"$directory/lines" 2>/dev/null &
    process[camera]=$!
    exec 7>"$directory/lines"
    printf 'one\ntwo\nthree\n' >&7
    counts() {
      get "$port" /metrics
      [[ $(sample "$directory/body" sapbuf_participant_stream_committed_messages_total 'participant="camera"') == "$1" ]]
    }
    eventually counts $((3 * life))
    kill_hard camera
    exec 7>&-
    rm "$directory/lines"
    expect "$done" "$watchdog" --once "$stream"
    get "$port" /metrics
    equal "$(sample "$directory/body" sapbuf_participant_stream_committed_messages_total 'participant="camera"')" $((3 * life))
    equal "$(sample "$directory/body" sapbuf_stream_committed_messages_total)" $((3 * life))
    equal "$(sample "$directory/body" sapbuf_recoveries_total)" "$life"
  done
  # A segment that is made anew counts anew; one that is gone is told as such.
  expect "$done" "$sapbuf" rm "$stream"
  get "$port" /metrics
  equal "$(sample "$directory/body" sapbuf_segment_readable)" 0
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB
  get "$port" /metrics
  equal "$(sample "$directory/body" sapbuf_stream_committed_messages_total)" 0
  get "$port" /
  grep --quiet /metrics "$directory/body" || die 'no way is shown'
  get "$port" /else
  signal TERM server
  ends server "$done"
}

test_what_cannot_be_listened_at_is_told() {
  can_listen || exit 77
  expect "$usage" "$sapbuf" metrics --listen ''
  expect "$usage" "$sapbuf" metrics --listen nowhere
  said 'ADDRESS:PORT'
  expect "$usage" "$sapbuf" metrics --listen 127.0.0.1:65536
  start_server
  expect "$failure" "$sapbuf" metrics --listen "127.0.0.1:$port"
  said "127.0.0.1:$port: Address already in use"
  local nowhere
  nowhere=$(printf 'x%.0s' {1..64}).invalid  # a name that is too long is not asked for
  expect "$failure" "$sapbuf" metrics --listen "$nowhere:9464"
  said "cannot listen at $nowhere:9464: .*\(known\|resol\)"
  signal INT server
  ends server "$done"
}

run_cases
