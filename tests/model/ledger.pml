/* The ledger under SIGKILL: the progress word and its two records, the departed totals, the settling of the dead.
 *
 * Mirrors   layout/ledger.hpp, stream/ledger.cpp, segment/recovery.cpp (settle), segment/registry.cpp (detach),
 *           stream/writer.cpp (commit, end_attempt, the switch between two extents), stream/repair_extents.cpp
 *           (repair_extent). Per-writer order; or with TOTAL_ORDER total order, and stream/repair_frames.cpp
 *           (repair_busy_frame).
 * Assumed   sequential consistency: the stores here are in order on every machine by release.
 * Deaths    writers at each store, and whoever settles at each store; another one follows.
 * Checked   when all is settled, committed in the departed totals is what a reader could see, every attempt was
 *           counted once, and every participant was added once.
 * Bounds    ATTEMPTS of each of two writers, DEATHS.
 *
 * Each of these leaves out one step, and must fail: SWITCH_FIRST, COUNT_FIRST, CLOSE_FIRST, DEPARTED_SWITCH_FIRST,
 * NO_LAST_DEPARTED, NO_COUNTED_MARK. */
#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif
#define WRITERS 2
#define RECOVERER WRITERS
#define PARTICIPANTS (WRITERS + 1)

#include "participants.pml"

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

typedef Record {
  byte committed, ended, in_extent;                 /* ended: aborted, dropped or abandoned */
}
typedef Slot {
  bool busy; bit parity; byte since;                /* one word: progress */
  Record records[2];
  bool in_use;                                      /* registration */
  bool counted;                                     /* its incarnation is in the departed totals */
}
Slot slot[WRITERS];

typedef Departed {
  byte participants, committed, ended, last;        /* last: whom it added last, or NOBODY */
}
Departed departed[2];
bit selector;

/* What stands in the slab: the frames of the writer's extent, and whether it is open. Total order: the frame at its
 * claim. */
typedef Frames {
  byte in_extent;
  bool open;
  bool message;
}
Frames frames[WRITERS];

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte published, begun;                              /* messages in all slabs; attempts */

/* --- Ledger ------------------------------------------------------------------------------------------------------- */

#define current(who) slot[who].records[slot[who].parity]
#define other(who) slot[who].records[1 - slot[who].parity]

inline load_ledger(who) {
  LOAD(committed = current(who).committed + slot[who].since;
       ended = current(who).ended;
       in_extent = current(who).in_extent + slot[who].since)
}

inline switch_record(who, stays_busy) {
  STORE(slot[who].parity = 1 - slot[who].parity; slot[who].since = 0; slot[who].busy = stays_busy)
}

/* store_ledger(): the record that is not selected, then the one store that selects it. */
inline store_ledger(who, stays_busy) {
#ifdef SWITCH_FIRST
  switch_record(who, stays_busy);
  STORE(current(who).committed = committed);
  STORE(current(who).ended = ended);
  STORE(current(who).in_extent = in_extent)
#else
  STORE(other(who).committed = committed);
  STORE(other(who).ended = ended);
  STORE(other(who).in_extent = in_extent);
  switch_record(who, stays_busy)
#endif
}

/* --- Settling, under the maintenance lock ------------------------------------------------------------------------- */

/* Per-writer order: the open extent has more frames than were counted? */
inline repair_extent(who) {
#ifdef CLOSE_FIRST
  STORE(frames[who].open = false);
#endif
  if
  :: slot[who].busy ->
     load_ledger(who);
     LOAD(if
          :: frames[who].open && frames[who].in_extent > in_extent ->
             committed = committed + frames[who].in_extent - in_extent;
             in_extent = frames[who].in_extent
          :: else -> ended++
          fi);
     store_ledger(who, false)
  :: else
  fi;
  STORE(frames[who].open = false)
}

/* Total order: a message stands at the claim? */
inline repair_busy_frame(who) {
  if
  :: slot[who].busy ->
     load_ledger(who);
     LOAD(if
          :: frames[who].message -> committed++
          :: else -> ended++
          fi);
     store_ledger(who, false)
  :: else
  fi
}

#define from departed[selector]
#define to departed[1 - selector]

inline add_to_departed(who) {
  /* Before somebody else takes the place of the one who was added last, that one is marked. */
#ifndef NO_COUNTED_MARK
  if
  :: from.last != NOBODY && from.last != who -> STORE(slot[from.last].counted = true)
  :: else
  fi;
#endif
  if
#ifndef NO_LAST_DEPARTED
  :: from.last == who || slot[who].counted
#endif
  :: else ->
     load_ledger(who);
#ifdef DEPARTED_SWITCH_FIRST
     STORE(selector = 1 - selector);
     STORE(from.participants = to.participants + 1);
     STORE(from.committed = to.committed + committed);
     STORE(from.ended = to.ended + ended);
     STORE(from.last = who)
#else
     STORE(to.participants = from.participants + 1);
     STORE(to.committed = from.committed + committed);
     STORE(to.ended = from.ended + ended);
     STORE(to.last = who);
     STORE(selector = 1 - selector)
#endif
  fi
}

inline settle(who) {
#ifdef TOTAL_ORDER
  repair_busy_frame(who);
#else
  repair_extent(who);
#endif
  add_to_departed(who);
  STORE(slot[who].in_use = false)
}

/* --- A writer ----------------------------------------------------------------------------------------------------- */

inline next_extent() {
  STORE(frames[me].open = false);                   /* close_own_extent */
  load_ledger(me);
  in_extent = 0;
  store_ledger(me, true);
  STORE(frames[me].in_extent = 0; frames[me].open = true)
}

inline commit() {
#ifdef COUNT_FIRST
  STORE(slot[me].busy = false; slot[me].since++);
  STORE(frames[me].in_extent++; frames[me].message = true; published++)
#else
  STORE(frames[me].in_extent++; frames[me].message = true; published++);
  STORE(slot[me].busy = false; slot[me].since++)
#endif
}

inline abort_or_drop() {
  load_ledger(me);
  ended++;
  store_ledger(me, false)
}

proctype writer(byte me) {
  byte attempts, committed, ended, in_extent;

  do
  :: attempts < ATTEMPTS ->
     STORE(slot[me].busy = true; begun++; attempts++; frames[me].message = false);
#ifndef TOTAL_ORDER
     if
     :: !frames[me].open || attempts == ATTEMPTS -> next_extent()
     :: frames[me].open
     fi;
#endif
     if
     :: commit()
     :: abort_or_drop()
     fi
  :: else -> break
  od;
  /* detach: leaves, settles itself, and is gone; killed meanwhile, it is settled by others */
  lock();
  settle(me);
  unlock();
  STORE(dead[me] = true);
killed:
  skip;
  LOAD(attempts = 0; committed = 0; ended = 0; in_extent = 0)
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

#define needs_settling(who) (dead[who] && slot[who].in_use)
#define is_gone(who) (!slot[who].in_use)

proctype recoverer() {
  byte me = RECOVERER, victim, committed, ended, in_extent;

killed:
  skip;
  LOAD(victim = 0; committed = 0; ended = 0; in_extent = 0);
  do
  :: atomic { maintenance == NOBODY && needs_settling(0) -> maintenance = me; victim = 0 }; settle(victim); unlock()
  :: atomic { maintenance == NOBODY && needs_settling(1) -> maintenance = me; victim = 1 }; settle(victim); unlock()
  :: atomic { is_gone(0) && is_gone(1) && maintenance == NOBODY -> break }
  od;
  assert(from.participants == WRITERS);
  assert(from.committed == published);
  assert(from.committed + from.ended == begun)
}

init {
  atomic {
    departed[0].last = NOBODY; departed[1].last = NOBODY;
    slot[0].in_use = true; slot[1].in_use = true;
    choose_deaths();
    run writer(0); run writer(1); run recoverer()
  }
}
