/* Total order: a slab is cleaned by steps, and the lock is let go between two of them.
 *
 * Mirrors   stream/reclaim.cpp (take_free_slab, find_to_clean, reclaim, clean), stream/flip.cpp, stream/slabs.cpp
 *           (mend_states), stream/flip_ahead.cpp (clean_ahead), stream/reader_start.cpp (choose_start at the oldest).
 * Assumed   sequential consistency. A claim and its frame are one step, so that a generation is closed when the cursor
 *           leaves it: what is open in it is in total_order.pml. Pins are in overwrite.pml. Writers may clean ahead
 *           after every claim, not in the last quarter of a slab only. What a step cleans is one store: a death within
 *           leaves what one before it leaves, something to be cleaned again.
 * Deaths    all; what the reader held goes with it (recovery is in extents_flip.pml).
 * Checked   whoever claims finds clean memory, in the generation that the cursor says; a lossless reader, which comes at
 *           any time, finds each generation from the oldest on, in order, as it was written; whoever is alive comes to
 *           its end.
 * Bounds    2 writers, with CLAIMS each; SLABS of PARTS, each of which is one claim, and one step; DEATHS; 1 reader.
 *
 * Each of these leaves out one step, and must fail: NO_SETTLING_AHEAD, NO_RESET, RESET_AFTER_STATE, CLEANED_FIRST,
 * FREE_AFTER_ONE_STEP, NO_GOING_ON, NO_HOLD_CHECK. */
#ifndef CLAIMS
#define CLAIMS 4
#endif
#ifndef SLABS
#define SLABS 3
#endif
#ifndef PARTS
#define PARTS 2
#endif
#define WRITERS 2
#define READER WRITERS
#define PARTICIPANTS (WRITERS + 1)

#define NO_HOLD 255
byte hold = NO_HOLD;                                /* the reader's */
#define ON_KILL if :: me == READER -> hold = NO_HOLD :: else fi

#include "participants.pml"

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte cursor_generation = 1, cursor_slab, cursor_parts;                       /* one word */

#define FREE 0
#define ACTIVE 1
#define SEALED 2
#define RECLAIMING 3
#define CLEANING 4
#define is_readable(slab) (life_state[slab] == ACTIVE || life_state[slab] == SEALED)
byte life_generation[SLABS], life_state[SLABS];                              /* one word each */
byte cleaned[SLABS];
byte part[SLABS * PARTS];                           /* 0, or the generation that wrote there */

/* --- What only the checks know ------------------------------------------------------------------------------------ */

bool done[WRITERS];

#define has_ended(writer) (done[writer] || dead[writer])

/* --- Reclaim ------------------------------------------------------------------------------------------------------ */

/* mend_states(); what is read here changes under the lock only. */
inline mend_states() {
  s = 0;
  do
  :: s < SLABS ->
     if
     :: (life_state[s] == ACTIVE && life_generation[s] < cursor_generation) || life_state[s] == RECLAIMING ->
        STORE(life_state[s] = SEALED)
     :: else
     fi;
     s++
  :: else -> break
  od;
  s = 0
}

inline find_in_state(which) {
  LOAD(slab = 0;
       do
       :: slab < SLABS && life_state[slab] != which -> slab++
       :: else -> break
       od)
}

inline find_oldest() {
  LOAD(slab = SLABS; s = 0;
       do
       :: s < SLABS ->
          if
          :: is_readable(s) && (slab == SLABS || life_generation[s] < oldest) -> slab = s; oldest = life_generation[s]
          :: else
          fi;
          s++
       :: else -> break
       od;
       s = 0; oldest = 0)
}

inline reclaim() {
  STORE(life_state[slab] = RECLAIMING);
#ifdef RESET_AFTER_STATE
  STORE(life_state[slab] = CLEANING);
  STORE(cleaned[slab] = 0)
#else
#ifndef NO_RESET
  STORE(cleaned[slab] = 0);
#endif
  STORE(life_state[slab] = CLEANING)
#endif
}

/* A step; says `cleaning`, and has no slab, if more are to come. */
inline clean() {
  LOAD(s = cleaned[slab]);
  if
  :: s < PARTS ->
#ifdef CLEANED_FIRST
     STORE(cleaned[slab] = s + 1);
     STORE(part[slab * PARTS + s] = 0)
#else
     STORE(part[slab * PARTS + s] = 0);
     STORE(cleaned[slab] = s + 1)
#endif
  :: else
  fi;
#ifdef FREE_AFTER_ONE_STEP
  cleaning = false;
#else
  cleaning = (cleaned[slab] < PARTS);
#endif
  s = 0;
  if
  :: cleaning -> slab = SLABS
  :: else -> STORE(life_state[slab] = FREE; tell(everybody))
  fi
}

/* SLABS: there is none, or not yet. */
inline take_free_slab() {
  cleaning = false;
  find_in_state(FREE);
  if
  :: slab == SLABS ->
#ifndef NO_GOING_ON
     find_in_state(CLEANING);
#endif
     if
     :: slab == SLABS ->
        find_oldest();
        if
        :: slab < SLABS ->
           if
           :: life_generation[slab] >= cursor_generation -> slab = SLABS
#ifndef NO_HOLD_CHECK
           :: life_generation[slab] < cursor_generation && hold <= life_generation[slab] -> slab = SLABS
           :: life_generation[slab] < cursor_generation && hold > life_generation[slab] -> reclaim()
#else
           :: else -> reclaim()
#endif
           fi
        :: else
        fi
     :: else
     fi;
     if
     :: slab < SLABS -> clean()
     :: else
     fi
  :: else
  fi
}

/* --- A writer ----------------------------------------------------------------------------------------------------- */

/* From `from`, in which there was no room. Says `no_slab` if none can be had. */
inline flip(from) {
  lock();
  mend_states();
  if
  :: cursor_generation == from ->
     LOAD(slab = 0;
          do
          :: slab < SLABS && !(life_state[slab] == ACTIVE && life_generation[slab] == from + 1) -> slab++
          :: else -> break
          od);
     if
     :: slab == SLABS ->
        take_free_slab();
        if
        :: slab < SLABS -> STORE(life_generation[slab] = from + 1; life_state[slab] = ACTIVE)
        :: else
        fi
     :: else                                        /* a dead flipper prepared it */
     fi;
     if
     :: slab < SLABS ->
        STORE(s = cursor_slab; cursor_generation = from + 1; cursor_slab = slab; cursor_parts = 0; tell(everybody));
        STORE(life_state[s] = SEALED)
     :: else -> no_slab = !cleaning
     fi
  :: else
  fi;
  LOAD(slab = 0; s = 0; cleaning = false);
  unlock()
}

/* Whoever finds the lock taken leaves it at that. */
inline clean_ahead() {
  if
  :: atomic { maintenance == NOBODY -> maintenance = me };
#ifndef NO_SETTLING_AHEAD
     mend_states();
#endif
     take_free_slab();
     LOAD(slab = 0; s = 0; cleaning = false);
     unlock()
  :: skip
  fi
}

inline claim() {
  STORE(got = (cursor_parts < PARTS);
        if
        :: got ->
           assert(life_generation[cursor_slab] == cursor_generation && is_readable(cursor_slab));
           assert(part[cursor_slab * PARTS + cursor_parts] == 0);
           part[cursor_slab * PARTS + cursor_parts] = cursor_generation;
           cursor_parts++; number++; tell(only(READER))
        :: else
        fi)
}

proctype writer(byte me) {
  byte number, slab, s, oldest, wanted;
  bool got, cleaning, no_slab;

  do
  :: number < CLAIMS ->
     LOAD(begin_look(); wanted = cursor_generation);
     claim();
     if
     :: got -> clean_ahead()
     :: else ->
        flip(wanted);
        LOAD(!no_slab || (news & only(me)) != 0 -> no_slab = false)
     fi;
     LOAD(got = false; wanted = 0)
  :: else -> break
  od;
  STORE(done[me] = true; tell(only(READER)));
killed:
  skip;
  LOAD(number = 0; slab = 0; s = 0; wanted = 0; got = false; cleaning = false; no_slab = false)
}

/* --- The lossless reader ------------------------------------------------------------------------------------------ */

/* All that stands in generation `hold` is as it was written. */
inline check_generation() {
  LOAD(slab = 0;
       do
       :: slab < SLABS && !(is_readable(slab) && life_generation[slab] == hold) -> slab++
       :: else -> break
       od;
       assert(slab < SLABS);                        /* else: "a generation that this reader holds is gone" */
       s = 0;
       do
       :: s < (cursor_generation > hold -> PARTS : cursor_parts) -> assert(part[slab * PARTS + s] == hold); s++
       :: else -> break
       od;
       finished = (cursor_generation > hold);
       slab = 0; s = 0)
}

proctype reader() {
  byte me = READER, slab, s, oldest;
  bool finished;

  lock();
  mend_states();
  find_oldest();
  STORE(assert(slab < SLABS); hold = life_generation[slab]; slab = 0);
  unlock();
  do
  :: begin_look();
     check_generation();
     if
     :: finished -> STORE(hold++; finished = false; tell(everybody))
     :: else ->
        if
        :: has_ended(0) && has_ended(1) -> break
        :: wait_for_news()
        fi
     fi
  od;
killed:
  skip
}

init {
  atomic {
    life_generation[0] = 1; life_state[0] = ACTIVE;
    choose_deaths();
    run writer(0); run writer(1); run reader()
  }
}
