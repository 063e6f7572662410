/* Attaching, detaching, dying, and being settled: slots, liveness locks, and holds against reclaim.
 *
 * Mirrors   segment/registry.cpp (attach, detach, needs_settling), segment/recovery.cpp (recover_core, settle),
 *           stream/reader_windows.cpp (the constructor: position and hold under the maintenance lock),
 *           stream/reclaim.cpp (is_held). Readers that attach, read one generation after the other, and leave or die;
 *           a flipper that reclaims; a recoverer. All readers use the one slot, one after the other, so that every
 *           step of an old tenure meets every step of a new one.
 * Assumed   sequential consistency. Reading is one step; cleaning is one step.
 * Deaths    readers and the recoverer, at every store.
 * Checked   what a reader holds is not reclaimed; nobody who is there is settled by others, nobody who left is called
 *           dead; who died or left is settled; the flipper comes to its end.
 * Bounds    READERS, one after the other; GENERATIONS; READS of each; EARLY_LOOKS of recovery; 2 slabs; DEATHS.
 *
 * Each of these leaves out one step, and must fail: ATTACH_WITHOUT_LOCK, LOCK_AFTER_TENURE, NO_SECOND_LOOK,
 * UNLOCK_BEFORE_FREE, NO_HOLD_CHECK. */
#ifndef READERS
#define READERS 2
#endif
#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#ifndef READS
#define READS 1
#endif
#ifndef EARLY_LOOKS
#define EARLY_LOOKS 2
#endif
#define SLABS 2
#define FLIPPER READERS
#define RECOVERER (READERS + 1)
#define PARTICIPANTS (READERS + 2)

#define ON_KILL \
  if :: liveness == me -> liveness = NOBODY :: else fi; \
  if :: me < READERS -> ended++ :: else fi
#include "participants.pml"

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte newest = 1;                                    /* generation; it and the one before stand in the slabs */
byte oldest = 1;

#define FREE 0
#define ATTACHED 1
#define LEAVING 2
#define NO_HOLD 255
byte incarnation, state = FREE;                     /* one word: the slot's tenure */
byte hold = NO_HOLD;
byte liveness = NOBODY;                             /* who has the slot's liveness lock */

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte occupant = NOBODY;                             /* who made the tenure */
byte ended;                                         /* readers that left or died */
byte early_looks = EARLY_LOOKS;                     /* of recovery, while the slot's owner is there */

/* --- Settling, under the maintenance lock ------------------------------------------------------------------------- */

/* By its owner, or by whoever has the proof that the owner is dead. */
inline settle() {
  LOAD(assert(occupant != NOBODY);
       assert(occupant == me || dead[occupant] || (state == LEAVING && liveness != occupant)));
  STORE(hold = NO_HOLD; tell(only(FLIPPER)));
  STORE(state = FREE; occupant = NOBODY)
}

/* --- A reader ----------------------------------------------------------------------------------------------------- */

/* fill and prepare: the position is held before anybody can see the slot. */
inline pick_position() {
  LOAD(position = oldest);
  STORE(hold = position)
}

inline try_liveness_lock() { LOAD(taken = (liveness == NOBODY); liveness = (taken -> me : liveness)) }

/* The slot, and with it the position. The last step makes them known. */
inline take_slot() {
  pick_position();
  STORE(state = ATTACHED; incarnation++; occupant = me)
}

/* Says `taken` if it is. */
inline attach() {
  state == FREE;
#ifndef ATTACH_WITHOUT_LOCK
  lock();
#endif
#ifdef LOCK_AFTER_TENURE
  LOAD(taken = (state == FREE));
#else
  try_liveness_lock();
  if
  :: taken && state != FREE -> taken = false; STORE(liveness = NOBODY)  /* its last owner died between the two looks */
  :: else
  fi;
#endif
  if
  :: taken -> take_slot()
  :: else
  fi;
#ifdef LOCK_AFTER_TENURE
  if
  :: taken -> try_liveness_lock()
  :: else
  fi;
#endif
#ifndef ATTACH_WITHOUT_LOCK
  unlock()
#endif
}

inline read() {
  do
  :: reads < READS && position < newest ->
     LOAD(assert(position >= oldest); reads++; position++);
     STORE(hold = position; tell(only(FLIPPER)))
  :: else -> break
  od;
  LOAD(assert(position >= oldest))
}

inline detach() {
  STORE(state = LEAVING);
#ifdef UNLOCK_BEFORE_FREE
  STORE(liveness = NOBODY);
#endif
  if
  :: lock(); settle(); unlock()
  :: true                                           /* the lock could not be had in time: recovery will do it */
  fi;
#ifndef UNLOCK_BEFORE_FREE
  STORE(liveness = NOBODY)
#endif
}

proctype reader(byte me) {
  byte position, reads;
  bool taken;

  do
  :: !taken -> attach()
  :: else -> break
  od;
  read();
  detach();
  LOAD(ended++);
killed:
  skip;
  LOAD(position = 0; reads = 0; taken = false)
}

/* --- The flipper -------------------------------------------------------------------------------------------------- */

proctype flipper() {
  byte me = FLIPPER;

  do
  :: newest < GENERATIONS ->
     begin_look();
     lock();
     if
     :: newest - oldest + 1 < SLABS -> LOAD(newest++)
#ifdef NO_HOLD_CHECK
     :: newest - oldest + 1 == SLABS ->
#else
     :: newest - oldest + 1 == SLABS && (state == FREE || hold > oldest) ->
#endif
        LOAD(oldest++);                             /* reclaiming, cleaning; then the next one is prepared */
        LOAD(newest++)
     :: else
     fi;
     LOAD(maintenance = NOBODY);
     if
     :: newest < GENERATIONS && newest - oldest + 1 == SLABS && state != FREE && hold <= oldest -> wait_for_news()
     :: else
     fi
  :: else -> break
  od;
killed:
  skip
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

proctype recoverer() {
  byte me = RECOVERER, seen, seen_incarnation;
  bool locked;

killed:
  skip;
  LOAD(seen = 0; seen_incarnation = 0; locked = false);
end_nobody_died:
  do
  :: atomic {
       maintenance == NOBODY && state != FREE && (liveness == NOBODY || early_looks > 0) ->
       maintenance = me; early_looks = (liveness == NOBODY -> early_looks : early_looks - 1)
     };
     /* needs_settling() */
     LOAD(seen = state; seen_incarnation = incarnation);
     if
     :: seen != FREE ->
        LOAD(locked = (liveness != NOBODY));
#ifndef NO_SECOND_LOOK
        LOAD(locked = locked || seen != state || seen_incarnation != incarnation);
#endif
        if
        :: !locked ->
           LOAD(assert(occupant != NOBODY); assert(dead[occupant] || seen == LEAVING));  /* no death is made up */
           settle()
        :: else
        fi
     :: else
     fi;
     LOAD(seen = 0; seen_incarnation = 0; locked = false);
     unlock()
  od
}

init {
  atomic {
    choose_deaths();
    run reader(0);
#if READERS > 1
    run reader(1);
#endif
#if READERS > 2
    run reader(2);
#endif
    run flipper(); run recoverer()
  };
  ended == READERS && state == FREE && newest == GENERATIONS
}
