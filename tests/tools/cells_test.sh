#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=support.sh
source "$(dirname "$0")/support.sh"

# Cells in the command line: they are shown and removed; programs make them.

cell() { printf '%s/pose' "$stream"; }

# start_user NAME STORES: somebody who has stored so many values
start_user() {
  [[ -n ${SAPBUF_CELL_USER:-} ]] || skip 'needs the program cell_user: SAPBUF_CELL_USER'
  start "$1" "$SAPBUF_CELL_USER" "$stream" pose "$@"
  eventually status_holds ".facilities[] | select(.name == \"pose\") | .version >= $2 and any(.participants[]; .name == \"$1\")"
}

test_a_cell_is_shown_and_removed() {
  expect "$done" "$sapbuf" create "$stream" --no-stream
  start_user tracker 3
  expect "$done" "$sapbuf" status "$stream"
  printed "^cell $(cell): a value of 8 B, 3 stores so far\$"
  expect "$done" "$sapbuf" status "$(cell)"
  printed "^$(cell): a value of 8 B, 3 stores so far\$"
  printed '^ *0  *editor  *tracker '
  expect "$done" "$sapbuf" status "$stream" --json
  json_holds '.facilities[] | select(.name == "pose") | .kind == "cell" and .value_bytes == 8 and .version == 3 and
                 .participants[0].name == "tracker" and .participants[0].role == "editor"'
  expect "$done" "$sapbuf" ls -l
  printed '^  pose  *cell '
  expect "$done" "$sapbuf" dump "$stream" --layout
  printed '  pose *257 copies$'
  expect "$failure" "$sapbuf" rm "$(cell)"
  said 'is in use by editor tracker'
  kill_hard tracker
  expect "$done" "$sapbuf" status "$(cell)"
  printed 'dead'
  expect "$done" "$sapbuf" rm "$(cell)"
  expect "$no_segment" "$sapbuf" status "$(cell)"
}

run_cases
