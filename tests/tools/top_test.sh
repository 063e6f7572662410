#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# sapbuf top: one look below the other, and live on a terminal, which tmux provides.

# looks N: so many are in $directory/top.out by now
looks() { (($(grep --count 'sapbuf top' "$directory/top.out") >= $1)); }

# cells NAME: what follows in each look's line of that name, with one space between
cells() { sed --quiet "s/^ *$1  *\(.*\)/\1/p" "$directory/top.out" | sed 's/  */ /g'; }

# rates NAME KIND: what its RATE/S was, in each look
rates() {
  cells "$1" | awk -v kind="$2" '$1 == kind { factor = $3 == "k" ? 1000 : $3 == "M" ? 1000000 : 1; print $2 == "-" ? 0 : $2 * factor }'
}

test_every_facility_has_a_line() {
  expect "$done" "$sapbuf" create "$stream" --slab-bytes 64KiB --pool frames:4096:8
  expect "$done" "$sapbuf" map create "$stream/config"
  expect "$done" "$sapbuf" queue create "$stream/jobs"
  printf 'value' | "$sapbuf" map put "$stream/config" key
  seq 3 | "$sapbuf" queue push "$stream/jobs" 2>/dev/null
  start_attached slow "$sapbuf" sub "$stream" --name slow --hold
  seq 20 | "$sapbuf" pub "$stream" 2>/dev/null
  COLUMNS=140 expect "$done" "$sapbuf" top "$stream" --batch --count 1 --interval 1
  printed '^NAME .* KIND .* RATE/S .* LAG BYTES .* WHO$'
  printed "^$stream  *stream  *0  *0 B .* 20  *31 B  *1 r\$"
  printed "^$stream/frames  *pool  *0 "
  printed "^$stream/config  *map .* 0 "
  printed "^$stream/jobs  *queue .* % "
  printed "^  slow  *reader  *0 .* 20  *31 B  *pid ${process[slow]}\$"
}

test_used_is_a_part_of_the_room() {
  [[ -n ${SAPBUF_POOL_USER:-} ]] || skip 'needs the program pool_user: SAPBUF_POOL_USER'
  local key
  expect "$done" "$sapbuf" create "$stream" --no-stream --pool values:4096:8 --pool frames:16-64KiB:1MiB
  expect "$done" "$sapbuf" map create "$stream/config" --pool values --keys 4
  for key in 1 2 3; do "$sapbuf" map put "$stream/config" "$key" <<<value; done
  start camera "$SAPBUF_POOL_USER" "$stream" frames camera 4 4 65536
  eventually status_holds '.facilities[] | select(.name == "frames") | .in_use == 4 and .shared == 4'
  COLUMNS=140 expect "$done" "$sapbuf" top "$stream" --batch --count 1 --interval 1
  printed "^$stream/config  *map  *[0-9]*  *- *75 %"
  printed "^$stream/frames  *pool  *[0-9]*  *- *50 %"
  printed "^$stream/values  *pool  *[0-9]*  *- *38 %"
}

# told_since N: in some look behind the first N, messages were committed
told_since() { rates "$stream" stream | tail -n "+$(($1 + 1))" | grep --invert-match '^0$' >/dev/null; }

# What was committed is told once, also of a writer that came and died between two looks.
test_rates_are_right_when_writers_come_and_die() {
  local life before
  local -r interval_ms=50
  expect "$done" "$sapbuf" create "$stream" --slabs 8 --slab-bytes 1MiB
  start top "$sapbuf" top "$stream" --batch --interval "$interval_ms"
  eventually looks 1
  for life in 1 2; do
    before=$(rates "$stream" stream | wc -l)
    mkfifo "$directory/lines"
    "$sapbuf" pub "$stream" --name feed <"$directory/lines" 2>/dev/null &
    process[feed]=$!
    exec 7>"$directory/lines"
    seq 1000 >&7
    committed() { status_holds "([.participants[].committed] | add) + .departed.committed == $((1000 * life))"; }
    eventually committed
    kill_hard feed
    exec 7>&-
    rm "$directory/lines"
    expect "$done" "$watchdog" --once "$stream"
    eventually told_since "$before"
  done
  eventually looks $(($(grep --count 'sapbuf top' "$directory/top.out") + 2))
  signal INT top
  ends top "$done"
  rates "$stream" stream >"$directory/rates"
  # A look may come late, and never early: then the same messages make a lower rate.
  local -r sum=$(awk -v ms="$interval_ms" '{ sum += $1 * ms / 1000 } END { printf "%d", sum }' "$directory/rates")
  ((sum > 0 && sum <= 2020)) || die "rates add up to $sum messages: $(paste --serial "$directory/rates")"
  equal "$(tail -n 1 "$directory/rates")" 0 'the rate at the end'
}

# What it did before it is seen again is not what it did since the last look.
test_a_segment_that_was_out_of_sight_begins_without_rates() {
  expect "$done" "$sapbuf" create "$stream"
  seq 1000 | "$sapbuf" pub "$stream" 2>/dev/null
  start top "$sapbuf" top "$stream" --batch --interval 20
  eventually looks 1
  mv "/dev/shm/sapbuf.$stream" "/dev/shm/sapbuf.$stream.away"
  removed() { grep --quiet "^$stream was removed$" "$directory/top.out"; }
  eventually removed
  mv "/dev/shm/sapbuf.$stream.away" "/dev/shm/sapbuf.$stream"
  is_back() { sed '1,/was removed/d' "$directory/top.out" | grep "^$stream  *stream  *0 " >/dev/null; }
  eventually is_back
  signal INT top
  ends top "$done"
  equal "$(rates "$stream" stream | sort --unique)" 0 rates
}

test_segments_that_come_and_go_are_told() {
  start top "$sapbuf" top --batch --interval 20
  eventually looks 1
  expect "$done" "$sapbuf" create "$stream"
  made() { grep --quiet "^$stream was made$" "$directory/top.out"; }
  eventually made
  expect "$done" "$sapbuf" rm "$stream"
  removed() { grep --quiet "^$stream was removed$" "$directory/top.out"; }
  eventually removed
  printf 'this is no segment' >"/dev/shm/sapbuf.$stream"
  unreadable() { grep --quiet "^$stream: " "$directory/top.out"; }
  eventually unreadable
  signal TERM top
  ends top "$done"
}

test_the_lagging_come_first_if_asked() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" create "$stream/zzz"
  start_attached_to "$stream/zzz" behind "$sapbuf" sub "$stream/zzz" --name behind --hold
  seq 5 | "$sapbuf" pub "$stream/zzz" 2>/dev/null
  expect "$done" "$sapbuf" top "$stream" --count 1 --interval 1
  equal "$(sed --quiet '3s/ .*//p' "$directory/out")" "$stream" 'the first by name'
  COLUMNS=200 expect "$done" "$sapbuf" top "$stream" --count 1 --interval 1 --sort lag
  equal "$(sed --quiet '3s/ .*//p' "$directory/out")" "$stream/zzz" 'the first by lag'
}

test_no_line_is_wider_than_the_screen() {
  expect "$done" "$sapbuf" create "$stream"
  expect "$done" "$sapbuf" create "$stream/$(printf 'long%.0s' {1..12})"
  local width
  for width in 20 40 80 89 90 101 130; do
    COLUMNS=$width expect "$done" "$sapbuf" top "$stream" --count 1 --interval 1
    (($(wc --max-line-length <"$directory/out") <= (width < 30 ? 30 : width))) || die "wider than $width"
  done
}

test_it_ends_when_nobody_reads() {
  expect "$done" "$sapbuf" create "$stream"
  "$sapbuf" top "$stream" --interval 10 2>/dev/null | head -n 1 >"$directory/first"
  grep --quiet 'sapbuf top' "$directory/first" || die 'nothing was shown'
}

test_wrong_arguments() {
  expect "$no_segment" "$sapbuf" top "$stream" --count 1
  expect "$usage" "$sapbuf" top "$stream/orders" --count 1
  said "whole segments are shown: sapbuf top $stream\$"
  expect "$usage" "$sapbuf" top --interval 0
  expect "$usage" "$sapbuf" top --sort beauty
  expect "$usage" "$sapbuf" top --count 0
}

# ---- on a terminal

tmux() { TMUX_TMPDIR=$directory command tmux -N -L screen -f /dev/null "$@"; }

# open_terminal: 100 x 20, with a shell in it
open_terminal() {
  command -v tmux >/dev/null || skip 'needs tmux'
  start terminal env -u TMUX "TMUX_TMPDIR=$directory" tmux -D -L screen -f /dev/null
  # In several words: one would be given to the user's login shell, which may be nologin.
  opens() { tmux new-session -d -x 100 -y 20 env LC_ALL=C.UTF-8 PS1='shell> ' "sapbuf=$sapbuf" bash --norc -i 2>/dev/null; }
  eventually opens
  eventually shows '^shell>'
}

shows() { tmux capture-pane -p | grep -- "$1" >/dev/null; }
shows_no() { ! shows "$1"; }
type_in() { tmux send-keys "$@"; }
# The only child of the shell in the terminal.
top_pid() {
  local -r shell=$(tmux list-panes -F '#{pane_pid}')
  tr -d ' ' <"/proc/$shell/task/$shell/children"
}

# show_top: in the terminal, of $stream
show_top() {
  type_in "\"\$sapbuf\" top $stream --interval 50; echo \"status \$?\"" Enter
  eventually shows '^NAME  *KIND'
}

test_q_gives_the_terminal_back() {
  expect "$done" "$sapbuf" create "$stream"
  open_terminal
  show_top
  eventually shows "^$stream  *stream  *0 "
  shows_no 'shell>' || die 'it has no screen of its own'
  type_in q
  eventually shows '^status 0'
  shows_no '^NAME' || die 'it is still there'
  type_in 'echo seen' Enter
  eventually shows '^seen'
  eventually shows '^shell> echo seen'  # what is typed is shown again
}

test_signals_give_the_terminal_back() {
  expect "$done" "$sapbuf" create "$stream"
  open_terminal
  local signal
  for signal in INT TERM HUP QUIT; do
    show_top
    kill "-$signal" "$(top_pid)"
    eventually shows '^status 0'
    shows_no '^NAME' || die "it is still there after SIG$signal"
    type_in clear Enter
    eventually shows_no '^status'
  done
}

test_it_may_be_stopped_and_go_on() {
  expect "$done" "$sapbuf" create "$stream"
  open_terminal
  show_top
  type_in C-z
  eventually shows 'Stopped'
  shows_no '^NAME' || die 'it is still there'
  type_in 'echo seen; fg' Enter
  eventually shows '^NAME'
  type_in q
  eventually shows '^seen'
}

test_it_is_as_wide_as_the_terminal_gets() {
  expect "$done" "$sapbuf" create "$stream"
  open_terminal
  show_top
  eventually shows '^NAME.* HELD'
  tmux resize-window -x 80
  eventually shows_no '^NAME.* HELD'
  tmux resize-window -x 120
  eventually shows '^NAME.* LAG BYTES'
  type_in q
  eventually shows '^status 0'
}

test_it_can_be_paused_and_sorted() {
  expect "$done" "$sapbuf" create "$stream"
  open_terminal
  show_top
  type_in p
  eventually shows 'PAUSED'
  expect "$done" "$sapbuf" create "$stream/more"
  type_in s
  eventually shows 'by rate'
  shows_no "$stream/more" || die 'it goes on while it is paused'
  type_in p
  eventually shows "^$stream/more"
  type_in q
  eventually shows '^status 0'
}

test_what_has_no_room_can_be_scrolled_to() {
  expect "$done" "$sapbuf" create "$stream"
  local number
  for number in {10..40}; do expect "$done" "$sapbuf" create "$stream/$number" --slab-bytes 64KiB; done
  open_terminal
  show_top
  eventually shows '(0 more above, [0-9]* below'
  for number in {1..40}; do type_in j; done
  eventually shows "^$stream/40 "
  eventually shows 'more above, 0 below'
  type_in kkkq  # at once
  eventually shows '^status 0'
}

run_cases
