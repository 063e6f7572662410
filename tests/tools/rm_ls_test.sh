#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

test_rm_takes_the_name_away() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" rm "$stream"
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die "still there"
  expect "$no_segment" "$sapbuf" rm "$stream"
  expect "$no_segment" "$sapbuf" rm "$stream" --force
}

test_rm_refuses_while_somebody_is_attached() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  expect "$failure" "$sapbuf" rm "$stream"
  said reader
  [[ -e /dev/shm/sapbuf.$stream ]] || die "removed all the same"
  signal STOP reader
  expect "$failure" "$sapbuf" rm "$stream"
  signal CONT reader
  expect "$done" "$sapbuf" rm "$stream" --force
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die "still there"
}

test_rm_takes_no_account_of_the_dead() {
  expect "$done" "$sapbuf" create "$stream"
  start_attached reader "$sapbuf" sub "$stream" --name reader
  kill_hard reader
  expect "$done" "$sapbuf" rm "$stream"
}

test_rm_removes_garbage_only_by_force() {
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream"
  expect "$no_segment" "$sapbuf" rm "$stream"
  [[ -e /dev/shm/sapbuf.$stream ]] || die "removed all the same"
  expect "$done" "$sapbuf" rm "$stream" --force
  [[ ! -e /dev/shm/sapbuf.$stream ]] || die "still there"
}

# odd KIND: something that is no file has the stream's name
odd() {
  local path=/dev/shm/sapbuf.$stream
  case $1 in
    FIFO) mkfifo "$path" ;;
    directory) mkdir "$path" ;;
    link)
      expect "$done" "$sapbuf" create "$stream.target"
      ln -s "$path.target" "$path"
      ;;
  esac
}

# Nothing waits for it, follows it or takes it away.
test_what_is_no_file_is_named_and_left_alone() {
  local kind command
  for kind in FIFO directory link; do
    odd "$kind"
    for command in 'status' 'dump' 'rm' 'rm --force' 'pub' 'sub --count 1'; do
      # shellcheck disable=SC2086
      expect "$no_segment" timeout "$patience_s" "$sapbuf" $command "$stream"
      said "$kind"
    done
    expect "$no_segment" timeout "$patience_s" "$watchdog" --once "$stream"
    expect "$done" timeout "$patience_s" "$sapbuf" ls
    printed "$stream .*$kind"
    timeout "$patience_s" "$sapbuf" doctor >"$directory/out" || (($? == problems)) || die "doctor failed"
    printed "$stream .*$kind"
    if [[ $kind == directory ]]; then
      rmdir "/dev/shm/sapbuf.$stream"
    else
      rm "/dev/shm/sapbuf.$stream"
    fi
  done
  expect "$done" "$sapbuf" status "$stream.target"
}

test_rm_wants_one_name() {
  expect "$usage" "$sapbuf" rm
  expect "$usage" "$sapbuf" rm "$stream" --no-such-option
}

test_ls_lists_streams() {
  expect "$done" "$sapbuf" create "$stream" --slabs 3
  start_attached reader "$sapbuf" sub "$stream" --name reader
  expect "$done" "$sapbuf" ls
  printed "$stream"
  expect "$done" "$sapbuf" ls --json
  json_holds '.schema_version == 1'
  json_holds ".segments[] | select(.name == \"$stream\") | .slabs == 3 and .readers == 1 and .writers == 0"
}

test_ls_says_what_cannot_be_read() {
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream"
  expect "$done" "$sapbuf" ls
  printed "$stream"
  expect "$done" "$sapbuf" ls --json
  json_holds ".segments[] | select(.name == \"$stream\") | .problem != null"
}

test_ls_fits_a_terminal_of_80_columns_and_filters() {
  local long=$stream.with-a-name-that-goes-on-and-on-and-on-and-on-to-its-end
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" create "$long" --on-full overwrite --slabs 3
  expect "$done" env COLUMNS=80 "$sapbuf" ls --filter "$stream*"
  (($(wc --max-line-length <"$directory/out") <= 80)) || die "too wide: $(cat "$directory/out")"
  printed '^test[.].*[.][.].*its-end '
  printed '(no room for GENERATION, ORDER'
  expect "$done" "$sapbuf" ls --filter "$stream"
  equal "$(tail -n +2 "$directory/out" | cut -d ' ' -f 1)" "$stream" 'what is listed'
  expect "$done" "$sapbuf" ls --json --filter '*-its-end' --filter nothing
  json_holds ".segments | length == 1 and .[0].name == \"$long\""
  expect "$done" "$sapbuf" ls --filter "$stream.nothing"
  said 'no segments of that name'
}

test_ls_refuses_arguments() {
  expect "$usage" "$sapbuf" ls --no-such-option
}

run_cases
