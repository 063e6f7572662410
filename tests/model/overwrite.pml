/* Overwriting: pins against reclaim, and the exact number of what was lost.
 *
 * Mirrors   stream/reclaim.cpp (reclaim, take_free_slab), stream/slabs.cpp (mend_states), stream/close.cpp
 *           (record_closed), stream/flip.cpp, stream/reader_pins.cpp (pin_windows, verify, lose_windows),
 *           stream/reader_loss.cpp (account_for_gap), stream/reader_windows.cpp (refresh).
 * Assumed   total store order for the slabs' states and the pins, as store_buffers.pml says; the other words are read
 *           behind these. A generation is written at once, and no extent stays open in an old one (extents_flip.pml):
 *           the reader has one window at a time.
 * Deaths    the flipper, at every store; another one follows.
 * Checked   no slab is cleaned under a pin; delivered + lost = committed, for the reader, at each gap and at the end;
 *           who lives comes to its end.
 * Bounds    3 slabs, GENERATIONS of 1 or 2 messages, DEATHS; one reader.
 *
 * Each of these leaves out one step, and must fail: NO_PIN_CHECK, NO_LIFE_CHECK, NO_RECLAIMER_FENCE, NO_READER_FENCE,
 * NO_STATE_SETTLING, CLEAN_WHILE_RECLAIMING, NO_RECORD. */
#ifndef GENERATIONS
#define GENERATIONS 5
#endif
#define SLABS 3
#define READER 0
#define FLIPPER 1
#define PARTICIPANTS 2
#define BUFFERED 2

#define PINS 0                                      /* the reader's: the slab's number, from 1; 0 for none */
#define life(slab) (1 + (slab))
#define WORDS (1 + SLABS)

#define FREE 0
#define ACTIVE 1
#define SEALED 2
#define RECLAIMING 3
#define CLEANING 4
#define make_life(generation, state) ((generation) * 8 + (state))
#define generation_of(word) ((word) / 8)
#define state_of(word) ((word) % 8)
#define is_readable(word) (state_of(word) == ACTIVE || state_of(word) == SEALED)

#include "participants.pml"
#include "store_buffers.pml"

/* --- Shared memory, but for `memory` ------------------------------------------------------------------------------ */

byte cursor_generation = 1;
byte closed_through;
byte frames_before[SLABS];                          /* plus one; 0: not known */
byte messages[SLABS];                               /* that stand in the slab */
byte standing[SLABS];                               /* whose generation they are; 0 once the slab is cleaned */
byte committed;                                     /* in all generations */

/* --- The flipper, under the maintenance lock ---------------------------------------------------------------------- */

inline find_slab(generation) {
  atomic {
    s = 0;
    do
    :: s < SLABS ->
       word = load(life(s));
       if
       :: generation_of(word) == (generation) -> break
       :: else -> s++
       fi
    :: else -> break
    od;
    word = 0
  }
}

/* close_ended(): what was written before the next generation is known now. */
inline record_closed() {
  do
  :: closed_through + 1 < cursor_generation ->
     find_slab(closed_through + 1);
     LOAD(before = frames_before[s] + messages[s]);
#ifndef NO_RECORD
     find_slab(closed_through + 2);
     STORE(frames_before[s] = before);
#endif
     STORE(closed_through++)
  :: else -> break
  od;
  LOAD(before = 0; s = 0)
}

/* The oldest readable slab of generation `from` or later. */
inline find_oldest(from) {
  atomic {
    n = SLABS; s = 0;
    do
    :: s < SLABS ->
       word = load(life(s));
       if
       :: is_readable(word) && generation_of(word) >= from && (n == SLABS || generation_of(word) < oldest) ->
          n = s; oldest = generation_of(word)
       :: else
       fi;
       s++
    :: else -> break
    od;
    s = 0; word = 0
  }
}

inline clean() {
  STORE(standing[n] = 0; messages[n] = 0);
  STORE(store(life(n), make_life(g, FREE)))
}

#ifdef NO_STATE_SETTLING
#define is_left_behind(word) (state_of(word) == ACTIVE && g < cursor_generation)
#else
#define is_left_behind(word) ((state_of(word) == ACTIVE && g < cursor_generation) || state_of(word) == RECLAIMING)
#endif

inline mend_states() {
  s = 0;
  do
  :: s < SLABS ->
     LOAD(word = load(life(s)); g = generation_of(word));
     if
     :: is_left_behind(word) -> STORE(store(life(s), make_life(g, SEALED)); tell(only(READER)))
     :: else
     fi;
     s++
  :: else -> break
  od
}

/* Says by n < SLABS that slab n, the oldest from generation `from` on, is free now. */
inline reclaim() {
  LOAD(g = generation_of(load(life(n))));
#ifdef NO_RECLAIMER_FENCE
  STORE(store(life(n), make_life(g, RECLAIMING)));
#else
  STORE(locked_store(life(n), make_life(g, RECLAIMING)));   /* and the fence behind it */
#endif
#ifdef CLEAN_WHILE_RECLAIMING
  STORE(standing[n] = 0; messages[n] = 0);
#endif
  LOAD(pinned = (load(PINS) == n + 1));
#ifdef NO_PIN_CHECK
  pinned = false;
#endif
  if
  :: pinned -> STORE(store(life(n), make_life(g, SEALED)); tell(only(READER))); from = g + 1
  :: else -> STORE(store(life(n), make_life(g, CLEANING)); tell(only(READER))); clean(); from = 0
  fi
}

inline find_free() {
  LOAD(n = 0;
       do
       :: n < SLABS ->
          word = load(life(n));
          if
          :: state_of(word) == CLEANING || state_of(word) == FREE -> break
          :: else -> n++
          fi
       :: else -> break
       od;
       g = generation_of(word));
  if
  :: n < SLABS && state_of(word) == CLEANING -> clean()
  :: else
  fi
}

/* n: a slab that is free now, or SLABS. */
inline take_free_slab() {
  find_free();
  if
  :: n == SLABS ->
     record_closed();
     from = 1;
     do
     :: from != 0 ->
        find_oldest(from);
        if
        :: n < SLABS && oldest <= closed_through -> reclaim()
        :: else -> n = SLABS; from = 0
        fi
     :: else -> break
     od
  :: else
  fi
}

/* A flipper that died prepared it? */
inline find_prepared() {
  LOAD(n = 0;
       do
       :: n < SLABS ->
          word = load(life(n));
          if
          :: word == make_life(cursor_generation + 1, ACTIVE) -> break
          :: else -> n++
          fi
       :: else -> break
       od)
}

proctype flipper() {
  byte me = FLIPPER, n, s, g, word, oldest, from, before;
  bool pinned;

killed:
  skip;
  LOAD(n = 0; s = 0; g = 0; word = 0; oldest = 0; from = 0; before = 0; pinned = false);
  do
  :: cursor_generation < GENERATIONS ->
     begin_look();
     lock();
     mend_states();
     find_prepared();
     if
     :: n == SLABS ->
        take_free_slab();
        if
        :: n < SLABS ->
           STORE(frames_before[n] = 0);
           STORE(store(life(n), make_life(cursor_generation + 1, ACTIVE)))
        :: else
        fi
     :: else
     fi;
     if
     :: n < SLABS ->
        find_slab(cursor_generation);
        /* The cursor moves by a locked exchange; what the new generation gets is written at once. */
        STORE(flush(me); cursor_generation++; standing[n] = cursor_generation; messages[n] = 1; committed++;
              tell(only(READER)));
        if
        :: STORE(messages[n]++; committed++; tell(only(READER)))
        :: true
        fi;
        STORE(store(life(s), make_life(cursor_generation - 1, SEALED)))
     :: else
     fi;
     LOAD(s = 0; g = 0; word = 0; oldest = 0; from = 0; before = 0; pinned = false);
     unlock();
     if
     :: n == SLABS -> wait_for_news()
     :: else
     fi;
     n = 0
  :: else -> break
  od
}

/* --- The reader --------------------------------------------------------------------------------------------------- */

byte window = 1, window_slab;                       /* its own, as all that follows */
byte expected = 1, passed, passed_before, delivered, lost;

inline pin() {
#ifdef NO_READER_FENCE
  store(PINS, window_slab + 1);
#else
  locked_store(PINS, window_slab + 1);
#endif
  LOAD(seen = load(life(window_slab)));
#ifdef NO_LIFE_CHECK
  seen = make_life(window, SEALED);
#endif
}

inline unpin() {
  store(PINS, 0);
  LOAD(tell(only(FLIPPER)))
}

inline account_for_gap() {
  LOAD(if
       :: window != expected ->
          expected = window;
          assert(frames_before[window_slab] != 0);
          assert(frames_before[window_slab] - 1 >= passed_before + lost);
          lost = frames_before[window_slab] - 1 - passed_before
       :: else
       fi)
}

inline read_some() {
  do
  :: passed < messages[window_slab] ->
     LOAD(assert(standing[window_slab] == window); passed++; delivered++)
  :: break                                          /* that is all there is, or all it wants now */
  od;
  LOAD(assert(standing[window_slab] == window))
}

inline next_window() {
  LOAD(passed_before = passed_before + passed; passed = 0);
  find_oldest(window + 1);
  LOAD(assert(n < SLABS); window = oldest; window_slab = n; n = 0; oldest = 0)
}

#define has_finished (cursor_generation > window && passed == messages[window_slab])
#define nothing_is_to_come (cursor_generation == GENERATIONS && maintenance == NOBODY)

proctype reader() {
  byte me = READER, seen, n, s, word, oldest;
  bool finished;

  do
  :: begin_look();
     pin();
     if
     :: generation_of(seen) == window && is_readable(seen) ->
        account_for_gap();
        read_some();
        LOAD(finished = has_finished);
        unpin();
        if
        :: finished -> LOAD(expected = window + 1; finished = false); next_window()
        :: window == GENERATIONS && nothing_is_to_come && passed == messages[window_slab] -> break
        :: else
        fi
     :: generation_of(seen) == window && state_of(seen) == RECLAIMING ->
        unpin();
        wait_for_news()                             /* or, if nobody comes to decide, recovery settles it */
     :: else ->
        unpin();
        next_window()
     fi;
     seen = 0
  od;
  assert(delivered + lost == committed)
}

init {
  atomic {
    memory[life(0)] = make_life(1, ACTIVE);
    frames_before[0] = 1;
    messages[0] = 1; standing[0] = 1; committed = 1;
    choose_deaths();
    run reader(); run flipper()
  }
}
