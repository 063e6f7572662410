#!/usr/bin/env bash
# Searches the Spin models of the protocol (tests/model) exhaustively: in each, nothing may be found; with one step of the
# protocol left out, something must be found. Exit status 1 if anything is not so.
#   scripts/check_models.sh            an hour of processor time, up to 2.4 GB a search
#   scripts/check_models.sh --quick    smaller bounds, for CI
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"

memory_mib=4000  # for one search
depth=1000000    # steps of one run; a longer one counts as a failure
jobs=$(nproc)
directory=
quick=false

# What there is to do: for job i, "model" or "mutation", which model, and its definitions.
kinds=()
models=()
definitions=()

# model NAME [-DBOUND=...]...: must be free of errors
model() {
  kinds+=(model)
  models+=("$1")
  definitions+=("${*:2}")
}

# without NAME STEP [-DBOUND=...]...: the same with a step left out; must fail
without() {
  kinds+=(mutation)
  models+=("$1")
  definitions+=("-D$2 ${*:3}")
}

list_models() {
  if $quick; then
    model extents_flip -DMESSAGES=1 -DCOARSE_LOOKS
    model extents_flip -DDEATHS=0 -DMESSAGES=3 -DFRAMES=2 -DCOARSE_LOOKS
    model discovery -DGENERATIONS=1 -DMESSAGES=1 -DGRANULES=2 -DCOARSE_LOOKS
    model discovery -DDEATHS=0 -DGENERATIONS=1 -DMESSAGES=1
    model discovery -DDEATHS=0 -DOTHERS=0 -DGRANULES=2
    model total_order -DMESSAGES=1
    model total_order -DNO_READER
    model cleaning -DCLAIMS=3
    model overwrite -DGENERATIONS=3
    model attach
    model attach -DWRITERS
    model durable -DREADERS=2 -DGENERATIONS=3
    model directory -DCHANGERS=1
    model ledger
    model ledger -DTOTAL_ORDER -DDEATHS=2
    model pool_roots -DPARTICIPANTS=2 -DSCANS=2
    model pool_magazine -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1
    model pool_waiters -DPARTICIPANTS=2
    model pool_waiters -DPARTICIPANTS=2 -DROUNDS=2 -DDEATHS=0 -DTIMEOUTS=0
    model pool_attach -DDEATHS=0
    model pool_listen
    model pool_chunks -DSINGLES=2 -DRUNS=1 -DJOINS=1
    model pool_chunks -DPARTICIPANTS=3 -DSINGLES=1 -DJOINS=0 -DMOVES=0
    model pool_chunks -DSINGLES=2 -DRUNS=0 -DJOINS=1 -DMOVES=0 -DDEATHS=2
    model pool_blocks -DFORMS=2 -DTAKES=1 -DJOINS=1
    model growth -DGROWTHS=1
    model map_read -DSCANS=1 -DREADS=1
    model map_keys -DDEATHS=0 -DLOOKS=1
    model map_keys -DDEATHS=0 -DACTS=2 -DSECOND_ACTS=1 -DKEYS=3 -DTHERE=2 -DONE_HASH
    model map_keys -DDEATHS=0 -DACTS=3 -DSECOND_ACTS=1 -DKEYS=3 -DTHERE=2 -DCROSSED
    model map_keys -DDEATHS=0 -DACTS=3 -DSECOND_ACTS=0 -DKEYS=3 -DTHERE=2
    model cell -DSTORES=1 -DUPDATES=0 -DDEATHS=2
    model cell -DSTORES=0 -DUPDATES=2 -DREADS=1 -DDEATHS=0
    model queue -DPRODUCERS=1 -DPUSHES=1
    model queue -DPRODUCERS=1 -DPUSHES=2 -DCONSUMERS=1
    model queue_keys -DDEATHS=0
  else
    model extents_flip -DCOARSE_LOOKS -DREADER_DIES
    model extents_flip -DDEATHS=2 -DMESSAGES=1 -DCOARSE_LOOKS
    model extents_flip -DMESSAGES=3 -DFRAMES=2 -DCOARSE_LOOKS
    model extents_flip -DEXTENTS=2 -DCOARSE_LOOKS
    model extents_flip -DDEATHS=0
    model extents_flip -DDEATHS=0 -DMESSAGES=3 -DOTHERS=2 -DFRAMES=2
    model extents_flip -DDEATHS=0 -DMESSAGES=3 -DEXTENTS=2
    model discovery -DMESSAGES=1 -DCOARSE_LOOKS
    model discovery -DGENERATIONS=1 -DCOARSE_LOOKS
    model discovery -DGENERATIONS=1 -DMESSAGES=1
    model discovery -DGENERATIONS=1 -DMESSAGES=1 -DGRANULES=4 -DROW=3 -DCOARSE_LOOKS
    model discovery -DDEATHS=2 -DGENERATIONS=1 -DMESSAGES=1 -DCOARSE_LOOKS
    model discovery -DDEATHS=0 -DCOARSE_LOOKS
    model discovery -DDEATHS=0 -DMESSAGES=1
    model discovery -DDEATHS=0 -DOTHERS=0 -DGRANULES=2
    model discovery -DDEATHS=0 -DGENERATIONS=1
    model discovery -DDEATHS=0 -DGENERATIONS=1 -DFORWARD
    model discovery -DDEATHS=0 -DGENERATIONS=1 -DPAST_CLAIMED
    model total_order
    model total_order -DDEATHS=2 -DMESSAGES=1
    model total_order -DDEATHS=0 -DUNITS=3
    model total_order -DNO_READER
    model cleaning
    model cleaning -DDEATHS=2
    model cleaning -DSLABS=2 -DCLAIMS=5
    model overwrite -DDEATHS=0
    model overwrite -DGENERATIONS=4
    model overwrite -DDEATHS=2 -DGENERATIONS=3
    model attach -DDEATHS=2
    model attach -DDEATHS=0 -DREADERS=3
    model attach -DDEATHS=2 -DWRITERS
    model durable -DREADERS=2 -DGENERATIONS=3 -DDEATHS=2
    model durable -DGENERATIONS=3 -DMESSAGES=1 -DRANGES=1
    model directory
    model directory -DDEATHS=2
    model ledger -DDEATHS=2
    model ledger -DDEATHS=3 -DATTEMPTS=1
    model ledger -DTOTAL_ORDER -DDEATHS=2
    model pool_roots -DSCANS=2
    model pool_roots -DPLAIN_STORES
    model pool_roots -DPARTICIPANTS=2 -DACQUIRES=3 -DADOPTIONS=3 -DSCANS=3 -DDEATHS=2
    model pool_roots -DPARTICIPANTS=2 -DROOTS=2 -DSCANS=2
    model pool_magazine -DACQUIRES=2 -DSTEALS=1
    model pool_magazine -DDEATHS=0 -DSTEALS=1
    model pool_magazine -DDEATHS=0 -DACQUIRES=2
    model pool_magazine -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1 -DMAGAZINE=2
    model pool_magazine -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1 -DMAGAZINE=2 -DPURGE_KEEPS
    model pool_magazine -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1 -DNO_LOOK_IN_RELEASE
    model pool_waiters -DPARTICIPANTS=2 -DDEATHS=2 -DTIMEOUTS=2
    model pool_waiters -DPARTICIPANTS=2 -DROUNDS=2 -DDEATHS=2
    model pool_waiters -DHOLDER -DDEATHS=0 -DTIMEOUTS=0
    model pool_attach
    model pool_listen -DSMALLS=3
    model pool_listen -DLISTENERS=2 -DSMALLS=1
    model pool_chunks -DDEATHS=0
    model pool_chunks -DJOINS=1 -DMOVES=1
    model pool_chunks -DSINGLES=2 -DRUNS=1 -DJOINS=2
    model pool_chunks -DSINGLES=2 -DRUNS=1 -DJOINS=1 -DMOVES=0 -DDEATHS=2
    model pool_chunks -DPARTICIPANTS=3 -DSINGLES=2 -DRUNS=1 -DJOINS=1 -DMOVES=1
    model pool_blocks
    model pool_blocks -DCHUNKS=3 -DFORMS=3 -DTAKES=1 -DJOINS=2 -DDEATHS=0
    model pool_blocks -DCHUNKS=3 -DFORMS=3 -DTAKES=1 -DJOINS=1
    model pool_blocks -DPARTICIPANTS=3 -DFORMS=2 -DTAKES=1 -DJOINS=1 -DDEATHS=2
    model map_read
    model map_read -DDEATHS=2 -DREADS=1
    model map_transaction_insert -DACTS=2 -DDEATHS=2
    model map_keys -DDEATHS=2
    model map_keys -DACTS=2 -DSECOND_ACTS=1 -DKEYS=3 -DTHERE=2 -DCROSSED
    model map_keys -DDEATHS=0 -DWRITERS=3 -DONE_HASH
    model map_keys -DDEATHS=0 -DACTS=2 -DSECOND_ACTS=1 -DLOOKS=1
    model map_keys -DLOOKS=1
    model map_keys -DDEATHS=0 -DACTS=3 -DSECOND_ACTS=0 -DKEYS=3 -DTHERE=3
    model growth
    model growth -DGROWTHS=1 -DDEATHS=2
    model growth -DGROWERS=3 -DGROWTHS=1 -DLOOKS=1
    model cell -DUPDATES=0 -DDEATHS=2
    model cell -DSTORES=1 -DREADS=1
    model queue -DDEATHS=0 -DPUSHES=2 -DPUT_BACKS=0
    model queue -DPUSHES=1 -DPUT_BACKS=0
    model queue -DDEATHS=2 -DPRODUCERS=1 -DPUSHES=1
    model queue -DPRODUCERS=1 -DPUSHES=3 -DPUT_BACKS=0
    model queue -DDEATHS=0 -DPUSHES=3 -DPUT_BACKS=0 -DCONSUMERS=1 -DSLOTS=3 -DBLOCKS=4
    model queue -DPUSHES=2 -DPRODUCERS=1 -DCONSUMERS=1 -DPUT_BACKS=2
    model queue_keys
    model queue_keys -DDEATHS=0 -DMESSAGES=4 -DBLOCKS=3
    model queue_keys -DDEATHS=0 -DMESSAGES=2 -DBESIDE
    model queue_keys -DDEATHS=0 -DMESSAGES=4 -DLANES=2 -DPUT_BACKS=0
  fi
  model queue -DDEATHS=0 -DPRODUCERS=1 -DPUSHES=3 -DPUT_BACKS=0
  model queue -DDEATHS=0 -DPRODUCERS=1 -DPUSHES=1 -DPUT_BACKS=2
  model queue_pass -DDEATHS=2 -DMESSAGES=3 -DSCANS=2
  model map_claim
  model map_keys
  model map_claim -DACTS=3 -DDEATHS=2
  model map_transaction -DACTS=3 -DDEATHS=2
  model map_transaction_insert -DDEATHS=2
  model wait
  model wait -DSPACE
  model wait_descriptor
  model wait_descriptor -DSTOPS=0 -DCHANGES=3
  model close
  model close -DMESSAGES=2
  model close -DFULL_FENCES
}

list_mutations() {
  local step
  for step in NO_REVOKE NO_BUSY_CHECK NO_LOOK_AFTER_OPEN NO_GRACE NO_HOLD_CHECK LIMIT_AFTER_CURSOR WORD_BEFORE_NOP CLEAR_BEFORE_LOOK; do
    without extents_flip "$step" -DCOARSE_LOOKS
  done
  without extents_flip NO_ZERO_BEHIND -DDEATHS=0 -DMESSAGES=3 -DOTHERS=2 -DFRAMES=2
  without extents_flip DRAIN_NEWEST_FIRST -DDEATHS=0
  for step in NO_GRACE NO_GAPS_KEPT OPEN_BEFORE_FRAME CLOSED_BEFORE_FRAME; do
    without discovery "$step" -DMESSAGES=1
  done
  for step in NO_MARKED_ROWS MARKED_ROWS_APART; do without discovery "$step" -DMESSAGES=1 -DOTHERS=0; done
  without discovery HOLES_TOGETHER -DDEATHS=2 -DMESSAGES=1 -DCOARSE_LOOKS
  without discovery NO_OVERRUN_HOLE -DDEATHS=0 -DMESSAGES=1 -DCOARSE_LOOKS
  without discovery STRICT_END -DDEATHS=0 -DGENERATIONS=1 -DMESSAGES=1
  without discovery FORWARD -DPAST_CLAIMED -DDEATHS=0 -DGENERATIONS=1
  for step in NO_ANNOUNCEMENT NO_GRACE NO_BUSY_HEADER_REPAIR LOCATED_BEFORE_HEADER NO_CLEANING NO_HOLD_CHECK NO_FILLER; do
    without total_order "$step"
  done
  without total_order NO_OPEN_FRAME_CHECK -DNO_READER
  for step in NO_SETTLING_AHEAD CLEANED_FIRST FREE_AFTER_ONE_STEP NO_GOING_ON NO_HOLD_CHECK; do
    without cleaning "$step"
  done
  for step in NO_RESET RESET_AFTER_STATE; do without cleaning "$step" -DSLABS=2 -DCLAIMS=5; done
  for step in NO_PIN_CHECK NO_LIFE_CHECK NO_RECLAIMER_FENCE NO_READER_FENCE CLEAN_WHILE_RECLAIMING NO_RECORD; do
    without overwrite "$step"
  done
  without overwrite NO_STATE_SETTLING -DGENERATIONS=4
  for step in ATTACH_WITHOUT_LOCK NO_SECOND_LOOK LIFE_DROPPED_FIRST NO_LOOK_BEFORE_SETTLING \
    NO_HOLD_CHECK; do
    without attach "$step"
  done
  for step in NO_SLOT_LOCK LIFE_AFTER_REGISTRATION; do without attach "$step" -DWRITERS; done
  for step in NO_RECORD_HOLD OWNER_FIRST HOLD_GONE_FIRST NO_CLEARING GENERATION_FIRST STORED_FIRST NAMED_FIRST; do
    without durable "$step" -DREADERS=2 -DGENERATIONS=3
  done
  without durable ATTACHING_COUNTS -DGENERATIONS=3
  without durable NO_INCARNATION -DGENERATIONS=3 -DRANGES=1 -DWITH_BYSTANDER
  for step in WRITE_FIRST NO_LOOK NO_FENCE_OF_ATTACHING NO_FENCE_OF_REMOVAL NO_CLOSING NO_SETTLING READY_FIRST; do
    without directory "$step"
  done
  for step in SWITCH_FIRST COUNT_FIRST CLOSE_FIRST; do without ledger "$step"; done
  for step in DEPARTED_SWITCH_FIRST NO_LAST_DEPARTED NO_COUNTED_MARK; do without ledger "$step" -DDEATHS=2; done
  for step in NO_DYING NO_HEAVY_FENCE FENCE_BEFORE_DYING ROOTS_BEFORE_DYING FREED_BY_STORE NO_LOCK NO_GOING_ON NO_RESCUE \
    RESCUE_UNCHECKED NO_LOOK_AGAIN NO_ROOT_FIRST SHARED_BEFORE_ROOT PUBLISHED_FIRST NO_INCARNATION NO_SETTLING \
    NO_OWNERS_SETTLED SLOT_FREED_FIRST; do
    without pool_roots "$step" -DPARTICIPANTS=2 -DSCANS=2
  done
  without pool_roots MOVE_WITHOUT_LOOK -DPARTICIPANTS=2 -DROOTS=2 -DDEATHS=0
  for step in NO_HEAVY_FENCE FENCE_BEFORE_ATTENTION NO_LOOK LOOK_FIRST ENTRY_NOT_PURGED TAKEN_BY_STORE ENTRY_BEFORE_DEPTH; do
    without pool_magazine "$step" -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1
  done
  for step in NO_INCARNATION PURGED_BY_STORE NO_LOOK_AT_ACKNOWLEDGED WORD_LAST; do
    without pool_magazine "$step" -DDEATHS=0 -DSTEALS=1
  done
  for step in ACKNOWLEDGED_LAST ATTENTION_READ_LAST; do
    without pool_magazine "$step" -DPURGE_KEEPS -DDEATHS=0 -DACQUIRES=2 -DSTEALS=1
  done
  for step in NO_OWNERS_SETTLED NO_DEPTH_SETTLED SLOT_FREED_FIRST; do
    without pool_magazine "$step" -DACQUIRES=2 -DSTEALS=1
  done
  without pool_magazine NO_LOCK -DACQUIRES=2
  without pool_magazine USED_BESIDE_A_MAGAZINE -DDEATHS=0 -DMAGAZINE=2
  for step in NO_FULL_FENCE NO_LOOK_BEHIND_FREE NO_LOOK_FOR_FREE LOWERED_BY_STORE NO_WAKE NO_WAKE_WITHOUT_LOCK \
    NEWEST_FIRST; do
    without pool_waiters "$step" -DHOLDER -DDEATHS=0 -DTIMEOUTS=0
  done
  for step in GIVEN_BY_STORE WITHDRAWN_BY_STORE NOT_LEFT NO_LOOK_BEHIND_LEFT NO_LOOK_BEHIND_WORD; do
    without pool_waiters "$step" -DDEATHS=0 -DPARTICIPANTS=2
  done
  without pool_waiters LEFT_FOR_GOOD -DPARTICIPANTS=2
  for step in WORD_BEFORE_REQUEST CUT_OFF_NOT_SERVED NO_REQUEST_SETTLED ASKED_OVER_FREED; do
    without pool_waiters "$step" -DPARTICIPANTS=2 -DROUNDS=2
  done
  for step in ASKED_BEFORE_TICKET STRUCK_OUT_FIRST NO_TICKET_IN_REQUEST NO_LOOK_AGAIN WAITING_FIRST LOWERED_BY_STORE; do
    without pool_listen "$step"
  done
  without pool_listen LOWERED_AND_RAISED -DSTOPS=0
  for step in MOVE_WITHOUT_LOOK ROOT_CLEARED_FIRST WORD_BEFORE_ENTRY COMMIT_FIRST COUNT_LAST NO_BUSY_CHECK NO_HOLD_CHECK \
    CLEARED_LATE NO_CLEARING ENTRIES_UNREAD NO_HEAVY_FENCE; do
    without pool_attach "$step" -DDEATHS=0
  done
  for step in NO_LOOK_AT_CHUNK CHUNK_BEFORE_WORD NO_INCARNATION NO_JOINING JOINED_BY_STORE TAKEN_BY_STORE SPLIT_FIRST NO_MOVING \
    FREE_FIRST; do
    without pool_chunks "$step" -DDEATHS=0
  done
  for step in MOVED_TO_FREE NO_CHUNK_SETTLED; do without pool_chunks "$step" -DSINGLES=2 -DJOINS=1 -DMOVES=1; done
  for step in NO_LOOK_AT_BLOCK BLOCK_BEFORE_WORD LOOK_AT_ANY_CLASS NO_INCARNATION JOINED_BY_STORE SPLIT_BEFORE_TAIL; do
    without pool_blocks "$step" -DDEATHS=0
  done
  for step in NO_PARTING HEAD_FREED_FIRST NO_TAIL_SETTLED; do without pool_blocks "$step"; done
  without pool_blocks TAIL_SETTLED_LAST -DTAKES=0 -DDEATHS=2
  without pool_chunks WORDS_OF_SPLIT_ONLY -DSINGLES=2 -DRUNS=0 -DJOINS=1 -DMOVES=0 -DDEATHS=2
  without pool_chunks CHUNK_SETTLED_FIRST -DPARTICIPANTS=3 -DSINGLES=0 -DJOINS=0 -DMOVES=0
  for step in NO_GUARD_FIRST NO_LOOK LOOK_AT_VALUE NO_RESCUE NO_LOOK_BEHIND_FLIP FLIP_FIRST SHARED_BEFORE_ROOT NO_KEY_IN_VALUE \
    NO_HEAVY_FENCE ENTRY_UNREAD GUARDS_UNREAD NO_INCOMING_ROOT TAKEN_UNSAID SAID_ALIKE NO_FENCE_OF_WRITER \
    GUARDS_UNREAD_BY_WRITER; do
    without map_read "$step" -DDEATHS=0
  done
  without map_read NO_SETTLING
  for step in NO_CLAIM NO_LOOK_AT_LIFE NO_LOOK_AT_FREE; do without map_claim "$step" -DDEATHS=0; done
  for step in CLAIMED_BEFORE_SAID NO_CLAIM_SETTLED NO_ENTRY_SETTLED INDEX_LAST UNSAID_FIRST; do
    without map_claim "$step"
  done
  without map_claim CLAIM_RELEASED_FIRST -DDEATHS=2
  for step in NO_RIVALS EARLIER_IGNORED NO_PATH NO_NEW_TAG SAME_TAG UNUSED_BLINDLY NO_LOOK_BEHIND TAG_BEHIND NO_LOOK_AT_FREE; do
    without map_keys "$step" -DDEATHS=0
  done
  without map_keys FORWARD -DDEATHS=0 -DACTS=3 -DSECOND_ACTS=1 -DKEYS=3 -DTHERE=2 -DCROSSED
  for step in UP_TO_OWN NO_REFUSAL USED_BLINDLY; do
    without map_keys "$step" -DDEATHS=0 -DACTS=2 -DSECOND_ACTS=1 -DKEYS=3 -DTHERE=2 -DONE_HASH
  done
  without map_keys UP_TO_GONE -DDEATHS=0 -DACTS=2 -DSECOND_ACTS=0 -DKEYS=3 -DTHERE=3
  without map_keys NEVER_UNUSED -DDEATHS=0 -DACTS=2 -DSECOND_ACTS=0
  without map_keys NOT_SAID
  for step in NO_POSITION SLOT_FIRST NO_LOOK_AT_TAKEN; do
    without queue "$step" -DDEATHS=0 -DPRODUCERS=1 -DPUSHES=4 -DPUT_BACKS=0
  done
  without queue PLAIN_SLOT -DDEATHS=0 -DPUSHES=1 -DPUT_BACKS=0
  for step in PLAIN_TAKE FLAG_FIRST NO_CHANGES BITS_GIVEN_UP; do
    without queue "$step" -DDEATHS=0 -DPRODUCERS=1 -DPUSHES=1 -DPUT_BACKS=2
  done
  for step in NO_BITS_OF_OTHERS NO_UNCOMMITTED NO_LOOK_AT_SLOT; do
    without queue "$step" -DPRODUCERS=1 -DPUSHES=2 -DCONSUMERS=1
  done
  for step in NO_RENEWAL LEFT_LAST NO_PASS_SETTLED ALWAYS_UNDONE NO_PASSING_ROOT ROOT_LAST; do
    without queue_pass "$step" -DSCANS=2
  done
  for step in BIT_LAST HAS_LAST PLAIN_CLAIM NO_LOOK_AT_HAS ANY_THAT_WAITS NO_SECOND_LOOK NO_LOOK_AT_WHAT_COMES \
    CLAIM_RELEASED_FIRST; do
    without queue_keys "$step" -DDEATHS=0
  done
  without queue_keys BITS_GIVEN_UP -DDEATHS=0 -DMESSAGES=4 -DLANES=2 -DPUT_BACKS=0
  without queue_keys NO_LOOK_AT_POSITION -DDEATHS=0 -DMESSAGES=2 -DBESIDE
  for step in NO_CLAIM_SETTLED CLAIM_SETTLED_FIRST NO_HAS_SETTLED; do without queue_keys "$step"; done
  without map_transaction OUT_OF_ORDER -DDEATHS=0
  for step in NO_ROLL_FORWARD COMMITTED_FIRST; do without map_transaction "$step"; done
  for step in NO_ROLL_FORWARD NO_TAKE_BACK PUBLISHED_BLINDLY PUBLISHED_LATE; do without map_transaction_insert "$step"; done
  without map_transaction ROLLED_WITHOUT_CLAIM -DSETTLED_LATE -DACTS=3 -DDEATHS=2
  for step in NO_LOCK BYTES_FIRST OLD_BYTES COUNT_FIRST PLAIN_COUNT TAKES_ALL; do without growth "$step" -DGROWTHS=1; done
  for step in NO_MARK NO_LOOK_BEHIND LOOK_FIRST PLAIN_STORE VERSION_LAST UPDATE_COUNTS_ON; do without cell "$step"; done
  without cell OVER_CURRENT -DSTORES=3 -DUPDATES=0 -DREADS=0 -DDEATHS=2
  for step in NO_HEAVY_FENCE TICKET_AFTER_LOOK TICKET_AFTER_ANNOUNCEMENT NO_COUNT NO_LOOK_AGAIN NO_LOOK_AFTER_DEATH; do
    without wait "$step"
  done
  without wait NO_WAKER_FENCE -DSPACE
  for step in NO_COUNT COUNTED_LATER TOLD_LATER; do without wait_descriptor "$step"; done
  for step in NO_HEAVY_FENCE NO_LOOK_AFTER_OPEN NO_BUSY_CHECK IDLE_BEFORE_FRAME; do without close "$step"; done
  without close NO_LIGHT_FENCE -DFULL_FENCES
}

clean_up() {
  local -a running
  mapfile -t running < <(jobs -p)
  if ((${#running[@]} > 0)); then kill "${running[@]}" 2>/dev/null || true; fi
  wait || true
  if [[ -n $directory ]]; then rm -rf "$directory"; fi
}

# ---- one search; its output goes to $directory/$1/out

search() {
  local place=$directory/$1 optimize=-O0 file=$root/tests/model/${models[$1]}.pml
  local -a defines
  read -ra defines <<<"${definitions[$1]}"
  mkdir "$place"
  cd "$place"
  # To optimize takes longer than a short search, and what must fail does so soon.
  if ! $quick && [[ ${kinds[$1]} == model ]]; then optimize=-O2; fi
  spin "${defines[@]}" -a "$file" >out 2>&1
  gcc "$optimize" -w -DSAFETY -DCOLLAPSE -DMEMLIM="$memory_mib" -o pan pan.c >>out 2>&1
  ./pan -m"$depth" >>out 2>&1
  rm -f pan pan.*
}

out_of() { printf '%s' "$directory/$1/out"; }

# value JOB SED-EXPRESSION: from what the search said
value() { sed -nE "s/$2/\1/p" "$(out_of "$1")" | head -n 1; }

states_of() { value "$1" '^ *([0-9]+) states, stored.*'; }
seconds_of() { value "$1" '^pan: elapsed time ([0-9.]+) seconds.*'; }
mib_of() { value "$1" '^ *([0-9]+)\.[0-9]+\ttotal actual memory usage.*'; }
finding_of() { value "$1" '^pan:1: (.*) \(at depth.*'; }

is_exhausted() {
  grep --quiet 'errors: 0$' "$(out_of "$1")" &&
    ! grep --quiet --extended-regexp 'not completed|too small|out of memory|memory limit|truncated' "$(out_of "$1")"
}

is_as_expected() {
  if [[ ${kinds[$1]} == model ]]; then
    is_exhausted "$1"
  else
    [[ -n $(finding_of "$1") ]]
  fi
}

# ---- all of them

tell_progress() {
  local verdict=ok
  is_as_expected "$1" || verdict=BAD
  printf '%4d s  %-3s  %s %s\n' "$SECONDS" "$verdict" "${models[$1]}" "${definitions[$1]}"
}

search_all() {
  local i busy=0
  for i in "${!models[@]}"; do
    if ((busy == jobs)); then
      wait -n || true
      busy=$((busy - 1))
    fi
    { search "$i" || true; tell_progress "$i"; } &
    busy=$((busy + 1))
  done
  wait
}

bad=()

# verdict JOB: notes what is not as expected, and shows what the search said
verdict() {
  if is_as_expected "$1"; then return; fi
  bad+=("${models[$1]} ${definitions[$1]}")
  printf '  NOT AS EXPECTED; the search said:\n'
  sed 's/^/  | /' "$(out_of "$1")" | head -n 40
}

report_models() {
  local i
  printf '\n%-13s %-58s %10s %8s %6s  %s\n' model bounds states seconds MiB verdict
  for i in "${!models[@]}"; do
    if [[ ${kinds[i]} != model ]]; then continue; fi
    printf '%-13s %-58s %10s %8s %6s  %s\n' "${models[i]}" "${definitions[i]//-D/}" "$(states_of "$i")" \
      "$(seconds_of "$i")" "$(mib_of "$i")" "$(is_exhausted "$i" && printf 'no error, searched to the end' || printf BAD)"
    verdict "$i"
  done
}

report_mutations() {
  local i
  printf '\nwith a step left out, each must fail:\n'
  for i in "${!models[@]}"; do
    if [[ ${kinds[i]} != mutation ]]; then continue; fi
    printf '%-13s %-60s %s\n' "${models[i]}" "${definitions[i]//-D/}" "$(finding_of "$i")"
    verdict "$i"
  done
}

case "${1-}" in
  '') ;;
  --quick) quick=true ;;
  *) fail "unknown option $1 (known: --quick)" ;;
esac
"$root/scripts/setup.sh" --models
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
directory=$(mktemp -d "${TMPDIR:-/tmp}/sapbuf-models.XXXXXX")
list_models
list_mutations
search_all
report_models
report_mutations
if ((${#bad[@]} > 0)); then
  printf '\nnot as expected:\n'
  printf '  %s\n' "${bad[@]}"
  fail "${#bad[@]} of ${#models[@]} searches FAILED"
fi
printf '\ncheck_models: all %d searches came out as they must, in %d s\n' "${#models[@]}" "$SECONDS"
