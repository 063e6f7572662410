#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Manual pages and completions that the tools make of their command lines.

reference() { "$1" --reference "$2" || die "$1 makes no reference for $2"; }

# complete_in_bash TOOL WORD...: what bash would offer for the last word, a line each, sorted
complete_in_bash() {
  local tool=$1
  "$BASH" -euo pipefail -c '
    compopt() { :; }  # only while somebody types
    source "$1"
    COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
    function=$(complete -p "$2" | sed "s/.*-F \([^ ]*\) .*/\1/")
    "$function"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$directory/$tool.bash" "$@" | sort
}

# offers WANTED WORD...: exactly these, for the last word
offers() { equal "$(complete_in_bash sapbuf sapbuf "${@:2}" | paste --serial --delimiters=' ')" "$1" "offered for '${*:2}'"; }

use_bash_completion() { reference "$sapbuf" bash >"$directory/sapbuf.bash"; }

test_bash_is_told_what_completes_sapbuf() {
  use_bash_completion
  expect "$done" "$BASH" -euc 'source "$1"; complete -p sapbuf' bash "$directory/sapbuf.bash"
  printed '^complete -F _sapbuf sapbuf$'
}

test_all_commands_are_offered_and_lead_to_those_below() {
  use_bash_completion
  local wanted
  wanted=$("$sapbuf" --help | sed --quiet '/^Subcommands:/,/^[A-Z]*$/s/^  \([a-z]\+\) .*/\1/p' | sort | paste --serial --delimiters=' ')
  [[ $wanted == *create*sub* ]] || die "the help shows: $wanted"
  offers "$wanted" ''
  offers 'push' queue pus
  offers 'pool' poo
}

test_options_are_those_of_the_command() {
  use_bash_completion
  offers '--slab-bytes --slabs' create --sla
  offers '--exec' queue pop --exe
  offers '' pub --sla
}

test_a_value_of_few_words_is_offered() {
  use_bash_completion
  offers 'block drop overwrite' create "$stream" --on-full ''
  offers 'overwrite' create --on-full o
  offers '' create --slabs ''
}

test_names_of_segments_are_offered_where_one_is_wanted() {
  use_bash_completion
  "$sapbuf" create "$stream" 2>/dev/null
  offers "$stream" status "${stream:0:-1}"
  offers "$stream" map ls "${stream:0:-1}"
  "$sapbuf" rm "$stream" 2>/dev/null
}

test_a_name_runs_nothing() {
  use_bash_completion
  local -r name="$stream\$(touch run)"
  : >"/dev/shm/sapbuf.$name"
  (cd "$directory" && complete_in_bash sapbuf sapbuf status "$stream" >out)
  rm "/dev/shm/sapbuf.$name"
  printed 'touch'
  [[ ! -e $directory/run ]] || die 'it was run'
}

test_files_are_offered_where_one_is_wanted() {
  use_bash_completion
  touch "$directory/prices"
  offers "$directory/prices" pub "$stream" "$directory/pri"
}

test_the_watchdog_is_completed_as_well() {
  reference "$watchdog" bash >"$directory/sapbuf-watchdog.bash"
  equal "$(complete_in_bash sapbuf-watchdog sapbuf-watchdog --on-hung '' | paste --serial --delimiters=' ')" 'kill report' 'offered'
}

test_zsh_and_fish_read_theirs() {
  local tool shell
  command -v zsh >/dev/null || command -v fish >/dev/null || skip 'needs zsh or fish'
  for tool in "$sapbuf" "$watchdog"; do
    for shell in zsh fish; do
      command -v "$shell" >/dev/null || continue
      reference "$tool" "$shell" >"$directory/completion"
      expect "$done" "$shell" -n "$directory/completion"
      [[ ! -s $directory/err ]] || die "$shell complains"
    done
  done
}

test_fish_offers_what_bash_offers() {
  command -v fish >/dev/null || skip 'needs fish'
  reference "$sapbuf" fish >"$directory/completion.fish"
  HOME=$directory expect "$done" fish --no-config -c "source $directory/completion.fish; complete --do-complete 'sapbuf create x --on-full o'"
  printed '^overwrite'
  HOME=$directory expect "$done" fish --no-config -c "source $directory/completion.fish; complete --do-complete 'sapbuf queue pus'"
  printed '^push'
}

test_the_manual_shows_each_option_of_each_command() {
  command -v man >/dev/null || skip 'needs man'
  reference "$sapbuf" man >"$directory/sapbuf.1"
  MANWIDTH=100 LC_ALL=C.UTF-8 expect "$done" man --warnings --no-justification --local-file "$directory/sapbuf.1"
  [[ ! -s $directory/err ]] || die 'it has errors'
  printed 'sapbuf create \[OPTION \.\.\.\] NAME'
  printed '\-\-slab-bytes SIZE'
  printed '\-\-on-full block|drop|overwrite'
  printed "find \. -name '\*\.gz'"
  equal "$(grep --count 'Data goes to standard output' "$directory/out")" 1 'times that the end of the help is told'
}

test_another_word_is_no_reference() {
  expect "$usage" "$sapbuf" --reference tcsh
  printed_nothing
}

run_cases
