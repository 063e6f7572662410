/* Attaching, detaching, dying, and being settled: slots, liveness locks, and holds against reclaim.
 *
 * Mirrors   segment/registry.cpp (attach, ~Attachment), segment/liveness.cpp (LivenessSweep::ask), segment/recovery.cpp
 *           (recover_for, settle, settle_own), stream/reader_start.cpp (attach_reader, choose_start: position and hold
 *           under the maintenance lock), stream/reclaim.cpp (is_held). Readers that attach, read one generation after the other, and leave or die;
 *           a flipper that reclaims; a recoverer. All readers use the one slot, one after the other, so that every
 *           step of an old registration meets every step of a new one. Each is a process with a life of its own. With WRITERS
 *           they are writers, which hold nothing and attach without the maintenance lock.
 * Assumed   sequential consistency. Reading is one step; cleaning is one step.
 * Deaths    readers and the recoverer, at every store. The kernel drops a dead one's lock, or has not come to it yet; that
 *           its process has ended can be seen in both cases.
 * Checked   what a reader holds is not reclaimed; nobody who is there is settled by others, nobody who left is called
 *           dead; who died or left is settled; the flipper comes to its end.
 * Bounds    READERS, one after the other; GENERATIONS; READS of each; EARLY_LOOKS of recovery; 2 slabs; DEATHS.
 *
 * Each of these leaves out one step, and must fail: ATTACH_WITHOUT_LOCK, NO_SECOND_LOOK,
 * LIFE_DROPPED_FIRST, NO_LOOK_BEFORE_SETTLING, NO_HOLD_CHECK; and with WRITERS: NO_SLOT_LOCK,
 * LIFE_AFTER_REGISTRATION. */
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
  if \
  :: me < READERS -> \
     ended++; \
     if :: slot_lock == me -> slot_lock = NOBODY :: else fi; \
     if :: lives[me] = false :: true fi \
  :: else \
  fi
#include "participants.pml"

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte newest = 1;                                    /* generation; it and the one before stand in the slabs */
byte oldest = 1;

#define FREE 0
#define ATTACHED 1
#define LEAVING 2
#define NO_HOLD 255
byte incarnation, state = FREE;                     /* one word: the slot's registration */
byte hold = NO_HOLD;
byte life;                                          /* the slot's: whose it is */
byte slot_lock = NOBODY;                            /* who is attaching */
bool lives[READERS];                                /* whether the lock on that one's life is held */

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte occupant = NOBODY;                             /* who made the registration */
byte ended;                                         /* readers that left or died */
byte early_looks = EARLY_LOOKS;                     /* of recovery, while the slot's owner is there */

/* --- Settling, under the maintenance lock ------------------------------------------------------------------------- */

/* By its owner, or by whoever has the proof that the owner is dead. */
inline settle() {
  LOAD(assert(occupant != NOBODY);
       assert(occupant == me || dead[occupant] || state == LEAVING));
  STORE(hold = NO_HOLD; tell(only(FLIPPER)));
  STORE(state = FREE; occupant = NOBODY)
}

/* --- A reader ----------------------------------------------------------------------------------------------------- */

/* fill and prepare: the position is held before anybody can see the slot. */
inline pick_position() {
  LOAD(position = oldest);
#ifndef WRITERS
  STORE(hold = position)
#endif
}

inline open_segment() { STORE(lives[me] = true) }

/* The slot, and with it the position. The last step makes them known. */
inline take_slot() {
  pick_position();
  STORE(life = me);
  STORE(assert(state == FREE); state = ATTACHED; incarnation++; occupant = me; own_incarnation = incarnation)
}

/* Says `taken` if it is. */
inline attach() {
  state == FREE;
#if !defined(ATTACH_WITHOUT_LOCK) && !defined(WRITERS)
  lock();
#endif
#ifdef NO_SLOT_LOCK
  LOAD(taken = (state == FREE));
#else
  LOAD(taken = (slot_lock == NOBODY); slot_lock = (taken -> me : slot_lock));
  if
  :: taken && state != FREE -> taken = false; STORE(slot_lock = NOBODY)  /* taken between the two looks */
  :: else
  fi;
#endif
  if
  :: taken ->
     take_slot();
#ifdef LIFE_AFTER_REGISTRATION
     open_segment();
#endif
#ifndef NO_SLOT_LOCK
     STORE(slot_lock = NOBODY)
#endif
  :: else
  fi;
#if !defined(ATTACH_WITHOUT_LOCK) && !defined(WRITERS)
  unlock()
#else
  skip
#endif
}

inline read() {
#ifndef WRITERS
  do
  :: reads < READS && position < newest ->
     LOAD(assert(position >= oldest); reads++; position++);
     STORE(hold = position; tell(only(FLIPPER)))
  :: else -> break
  od;
  LOAD(assert(position >= oldest))
#else
  skip
#endif
}

inline detach() {
#ifdef LIFE_DROPPED_FIRST
  STORE(lives[me] = false);
#endif
  STORE(assert(occupant == me && state == ATTACHED); state = LEAVING);
  if
  :: lock();
#ifdef NO_LOOK_BEFORE_SETTLING
     settle();
#else
     if
     :: state == LEAVING && incarnation == own_incarnation -> settle()
     :: else                                        /* recovery was faster */
     fi;
#endif
     unlock()
  :: true                                           /* the lock could not be had in time: recovery will do it */
  fi;
  STORE(lives[me] = false)                          /* the last handle goes, and with it the segment */
}

proctype reader(byte me) {
  byte position, reads, own_incarnation;
  bool taken;

#ifndef LIFE_AFTER_REGISTRATION
  open_segment();
#endif
  do
  :: !taken -> attach()
  :: else -> break
  od;
  read();
  detach();
  LOAD(ended++);
killed:
  skip;
  LOAD(position = 0; reads = 0; own_incarnation = 0; taken = false)
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

#define HAS_ENDED(who) (!lives[who] || dead[who])

proctype recoverer() {
  byte me = RECOVERER, seen, seen_incarnation, seen_life;
  bool alive;

killed:
  skip;
  LOAD(seen = 0; seen_incarnation = 0; seen_life = 0; alive = false);
end_nobody_died:
  do
  :: atomic {
       maintenance == NOBODY && state != FREE && (HAS_ENDED(life) || state == LEAVING || early_looks > 0) ->
       maintenance = me;
       early_looks = (HAS_ENDED(life) || state == LEAVING -> early_looks : early_looks - 1)
     };
     LOAD(seen = state; seen_incarnation = incarnation);
     if
     :: seen != FREE ->
        LOAD(seen_life = life);
        LOAD(alive = !HAS_ENDED(seen_life));
#ifndef NO_SECOND_LOOK
        LOAD(alive = alive || seen != state || seen_incarnation != incarnation);
#endif
        if
        :: !alive || seen == LEAVING ->
           LOAD(assert(occupant != NOBODY); assert(dead[occupant] || seen == LEAVING));  /* no death is made up */
           settle()
        :: else
        fi
     :: else
     fi;
     LOAD(seen = 0; seen_incarnation = 0; seen_life = 0; alive = false);
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
