/* A durable reader: its place outlives it, and the next reader of its name goes on there.
 *
 * Mirrors   stream/durable_readers.cpp (take_durable, leave_durable, keeps), stream/durable_position.cpp (enter, resume, store),
 *           stream/reader_start.cpp (choose_start), stream/holdings.cpp (release), stream/reclaim.cpp (is_held). Readers of one
 *           name come one after the other, into whichever slot is free, read a chain of messages, and leave or die; a flipper
 *           reclaims; a recoverer settles.
 * Assumed   sequential consistency: but for the reader's own words, all is stored under the maintenance lock. That the proof
 *           of a death is right: attach.pml. Reading a message, and cleaning, is one step.
 * Deaths    readers and the recoverer, at every store.
 * Checked   what a reader holds, or the record does, is not reclaimed; a reader begins at no message that nobody was given
 *           before it, or behind one; and at none that a finished range had given out. The flipper comes to its end once the
 *           record is removed.
 * Bounds    READERS, one after the other; GENERATIONS of MESSAGES; RANGES of each reader; 2 slabs; 2 slots; DEATHS. WITH_BYSTANDER somebody else takes a slot, too.
 *
 * Each of these leaves out one step, and must fail: NO_RECORD_HOLD, OWNER_FIRST, HOLD_GONE_FIRST, NO_INCARNATION,
 * NO_CLEARING, GENERATION_FIRST, STORED_FIRST, NAMED_FIRST, ATTACHING_COUNTS. */
#ifndef READERS
#define READERS 3
#endif
#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef RANGES
#define RANGES 3
#endif
#define SLABS 2
#define SLOTS 2
#define FLIPPER READERS
#define RECOVERER (READERS + 1)
#define BYSTANDER (READERS + 2)
#define PARTICIPANTS (READERS + 3)

#define ON_KILL if :: me < READERS -> ended++ :: else fi
#include "participants.pml"

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte newest = 1;                                    /* generation; it and the one before stand in the slabs */
byte oldest = 1;

#define FREE 0
#define ATTACHING 1
#define ATTACHED 2
#define NO_HOLD 255
typedef Slot { byte state; byte incarnation; byte hold; byte who };
Slot slots[SLOTS];

#define MAKING 1
#define NAMED 2
#define NONE 255
byte state, owner = NONE, owner_incarnation, kept = NO_HOLD;  /* the record: `owner` and its incarnation are one word */
byte table_generation[SLABS], table[SLABS];                   /* generation; messages of it that were read */

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte ended;                                         /* readers that left or died */
byte given;                                         /* messages of the stream that somebody was given */
byte finished;                                      /* of these, those that a finished range gave out */

/* --- Who has the record, and what it keeps ------------------------------------------------------------------------- */

#ifdef NO_INCARNATION
#define IS_OWNER(slot) (owner == slot)
#else
#define IS_OWNER(slot) (owner == slot && owner_incarnation == slots[slot].incarnation)
#endif
#ifdef ATTACHING_COUNTS
#define HAS_IT(slot) (IS_OWNER(slot) && slots[slot].state != FREE)
#else
#define HAS_IT(slot) (IS_OWNER(slot) && slots[slot].state == ATTACHED)
#endif
#define IS_HAD (HAS_IT(0) || HAS_IT(1))

#define SLOT_HOLDS(slot, generation) (slots[slot].state != FREE && slots[slot].hold <= generation)
#ifdef NO_RECORD_HOLD
#define RECORD_HOLDS(generation) false
#else
#define RECORD_HOLDS(generation) (state == NAMED && !IS_HAD && kept <= generation)
#endif
#define IS_HELD(generation) (SLOT_HOLDS(0, generation) || SLOT_HOLDS(1, generation) || RECORD_HOLDS(generation))

/* --- Settling a slot, under the maintenance lock ------------------------------------------------------------------- */

inline settle(slot) {
#ifdef HOLD_GONE_FIRST
  STORE(slots[slot].hold = NO_HOLD; tell(only(FLIPPER)));
#endif
  if
  :: HAS_IT(slot) && state == NAMED ->
#ifdef OWNER_FIRST
     STORE(owner = NONE; owner_incarnation = 0);
     STORE(kept = slots[slot].hold; tell(only(FLIPPER)))
#else
     STORE(kept = (slots[slot].hold == NO_HOLD -> kept : slots[slot].hold));
     STORE(owner = NONE; owner_incarnation = 0)
#endif
  :: HAS_IT(slot) && state != NAMED ->
     STORE(state = FREE);
     STORE(owner = NONE; owner_incarnation = 0)
  :: else
  fi;
  STORE(slots[slot].hold = NO_HOLD; tell(only(FLIPPER)));
  STORE(slots[slot].state = FREE; slots[slot].who = NOBODY)
}

/* --- A reader ----------------------------------------------------------------------------------------------------- */

/* Under the lock. Says `resumes`, and in which generation it begins. */
inline take_record() {
  LOAD(resumes = (state == NAMED));
  if
  :: !resumes ->
#ifdef NAMED_FIRST
     STORE(state = NAMED; kept = NO_HOLD);
#else
     STORE(state = MAKING; kept = NO_HOLD);
#endif
     STORE(table_generation[0] = 0; table_generation[1] = 0)
  :: else
  fi;
  LOAD(generation = (resumes -> kept : oldest);
       assert(resumes || finished == 0);            /* a record that was read with is not lost */
       given = (!resumes && (generation - 1) * MESSAGES > given -> (generation - 1) * MESSAGES : given));
  STORE(owner = slot; owner_incarnation = slots[slot].incarnation)
}

inline attach() {
  atomic { maintenance == NOBODY && !IS_HAD && (slots[0].state == FREE || slots[1].state == FREE) -> maintenance = me };
  if
  :: LOAD(slots[0].state == FREE -> slot = 0)
  :: LOAD(slots[1].state == FREE -> slot = 1)
  fi;
  STORE(slots[slot].state = ATTACHING; slots[slot].incarnation++; slots[slot].who = me; slots[slot].hold = NO_HOLD);
  take_record();
  STORE(slots[slot].hold = generation);
  if
  :: !resumes -> STORE(kept = generation)
  :: else
  fi;
  STORE(slots[slot].state = ATTACHED);
  unlock()
}

/* Comes to a generation: `read` messages of it are behind the reader. */
inline enter() {
  LOAD(assert(generation >= oldest));
  if
  :: table_generation[generation % SLABS] != generation ->
#ifdef GENERATION_FIRST
     STORE(table_generation[generation % SLABS] = generation);
     STORE(table[generation % SLABS] = 0)
#else
#ifndef NO_CLEARING
     STORE(table[generation % SLABS] = 0);
#endif
     STORE(table_generation[generation % SLABS] = generation)
#endif
  :: else
  fi;
  LOAD(read = table[generation % SLABS])
}

#define POSITION ((generation - 1) * MESSAGES + read)

/* What is done with a message is seen by others, as a store is. */
inline give_out() {
  STORE(assert(generation >= oldest); assert(POSITION <= given);
        read++; given = (POSITION > given -> POSITION : given))
}

/* One range: it gives out one message, or what is left of the generation. */
inline read_range() {
#ifdef STORED_FIRST
  STORE(table[generation % SLABS] = read + 1);
#endif
  give_out();
  if
  :: read < MESSAGES -> give_out()
  :: true
  fi;
  STORE(table[generation % SLABS] = read; finished = (POSITION > finished -> POSITION : finished));
  if
  :: read == MESSAGES && generation < newest ->
     LOAD(generation++);
     STORE(slots[slot].hold = generation; tell(only(FLIPPER)));
     enter()
  :: else
  fi
}

/* Whoever else takes a slot, and holds nothing. */
proctype bystander() {
  byte me = BYSTANDER, slot;

  atomic { maintenance == NOBODY && (slots[0].state == FREE || slots[1].state == FREE) -> maintenance = me };
  if
  :: LOAD(slots[0].state == FREE -> slot = 0)
  :: LOAD(slots[1].state == FREE -> slot = 1)
  fi;
  LOAD(slots[slot].state = ATTACHED; slots[slot].incarnation++; slots[slot].who = me; slots[slot].hold = NO_HOLD);
  LOAD(maintenance = NOBODY);
  LOAD(slots[slot].state = FREE; slots[slot].who = NOBODY)
}

proctype reader(byte me) {
  byte slot, generation, read, ranges;
  bool resumes;

  attach();
  enter();
  LOAD(assert(POSITION <= given); assert(POSITION >= finished));
  STORE(state = NAMED);
  do
  :: ranges < RANGES && read < MESSAGES -> LOAD(ranges++); read_range()
  :: ranges < RANGES && read == MESSAGES && generation < newest ->
     LOAD(generation++);
     STORE(slots[slot].hold = generation; tell(only(FLIPPER)));
     enter()
  :: break
  od;
  lock();
  settle(slot);
  unlock();
  LOAD(ended++; tell(only(FLIPPER)));
killed:
  skip;
  LOAD(slot = 0; generation = 0; read = 0; ranges = 0; resumes = false)
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
     :: newest - oldest + 1 == SLABS && !IS_HELD(oldest) ->
        LOAD(oldest++);
        LOAD(newest++)
     :: else
     fi;
     LOAD(maintenance = NOBODY);
     if
     :: newest < GENERATIONS && newest - oldest + 1 == SLABS && IS_HELD(oldest) -> wait_for_news()
     :: else
     fi
  :: else -> break
  od;
killed:
  skip
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

#define NEEDS_IT(slot) (slots[slot].state != FREE && slots[slot].who < READERS && dead[slots[slot].who])

proctype recoverer() {
  byte me = RECOVERER, slot;

killed:
  skip;
  LOAD(slot = 0);
end_nobody_died:
  do
  :: atomic { maintenance == NOBODY && (NEEDS_IT(0) || NEEDS_IT(1)) ->
       maintenance = me;
       slot = (NEEDS_IT(0) -> 0 : 1)
     };
     if
     :: slots[slot].state == ATTACHING -> STORE(slots[slot].state = FREE; slots[slot].who = NOBODY; tell(only(FLIPPER)))
     :: else -> settle(slot)
     fi;
     LOAD(slot = 0);
     unlock()
  od
}

init {
  atomic {
    choose_deaths();
    slots[0].hold = NO_HOLD; slots[1].hold = NO_HOLD;
    slots[0].who = NOBODY; slots[1].who = NOBODY;
    run reader(0);
#if READERS > 1
    run reader(1);
#endif
#if READERS > 2
    run reader(2);
#endif
#ifdef WITH_BYSTANDER
    run bystander();
#endif
    run flipper(); run recoverer()
  };
  /* The record is removed. */
  atomic {
    ended == READERS && slots[0].state == FREE && slots[1].state == FREE && maintenance == NOBODY ->
    state = FREE; tell(only(FLIPPER))
  };
  newest == GENERATIONS
}
