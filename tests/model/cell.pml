/* A cell: its writers' copies, of which `current` names the newest value; read while it is replaced.
 *
 * Mirrors   include/sapbuf/cell.hpp. Two words of data; each writer has COPIES copies of its own, and one stands for the
 *           value that the cell was made with.
 *             store     current; one of the own copies that is not that; its version = none, the data, its version = one
 *                       more than current's; current by compare-exchange, or the version anew
 *             update    the same, but the data come from a read of current, and it begins anew where store only counts
 *             reader    current; its copy's data; that copy's version must be current's, or it begins anew
 * Assumed   total store order, as store_buffers.pml says; that versions do not come round.
 * Deaths    writers, at every store. Nothing is settled: another one goes on in the slot, and knows nothing of the first.
 * Checked   who reads finds the words that were written for that version, and versions never go back for a reader; each
 *           update stands on the version before its own; when all is quiet the current copy is whole.
 * Bounds    COPIES for each writer, STORES and UPDATES of each, READS, DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_MARK, NO_LOOK_BEHIND, LOOK_FIRST (at the version, before the data),
 * OVER_CURRENT (a successor begins with the first copy), PLAIN_STORE (instead of the compare-exchange), VERSION_LAST (behind
 * the compare-exchange), UPDATE_COUNTS_ON (an update goes on as a store does). */
#ifndef COPIES
#define COPIES 2
#endif
#ifndef STORES
#define STORES 2
#endif
#ifndef UPDATES
#define UPDATES 1
#endif
#ifndef READS
#define READS 2
#endif
#define PARTICIPANTS 3
#define BUFFERED 3
#define READER 2

#define CURRENT 0                                   /* version and copy */
#define copy_at(copy) (1 + 3 * (copy))              /* its version, and its two words */
#define WORDS (1 + 3 * (1 + 2 * COPIES))
#define make_current(version, copy) ((version) * 8 + (copy))
#define version_of(word) ((word) / 8)
#define copy_of(word) ((word) % 8)
#define WRITING 31                                  /* no version */
#define VERSIONS 16

#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

byte ended;
byte next_value = 1;
byte written[VERSIONS];                             /* what each version was written with */
byte base[VERSIONS];                                /* what an update of that version was computed from; 0: none */

inline read_current() {
  do
  :: LOAD(seen = load(CURRENT));
#ifdef LOOK_FIRST
     LOAD(is_whole = (load(copy_at(copy_of(seen))) == version_of(seen)));
#endif
     LOAD(first = load(copy_at(copy_of(seen)) + 1));
     LOAD(second = load(copy_at(copy_of(seen)) + 2));
#ifdef NO_LOOK_BEHIND
     is_whole = true;
#elif !defined(LOOK_FIRST)
     LOAD(is_whole = (load(copy_at(copy_of(seen))) == version_of(seen)));
#endif
     if
     :: is_whole ->
        LOAD(assert(first == second && first == written[version_of(seen)]); is_whole = false; second = 0);
        break
     :: else
     fi
  od
}

inline choose_copy() {
#ifdef OVER_CURRENT
  skip
#else
  if
  :: copy == copy_of(seen) -> copy = 1 + me * COPIES + (copy - me * COPIES) % COPIES
  :: else
  fi
#endif
}

inline fill(what) {
#ifndef NO_MARK
  STORE(store(copy_at(copy), WRITING));
#endif
  STORE(store(copy_at(copy) + 1, what));
  STORE(store(copy_at(copy) + 2, what))
}

/* `seen` becomes the word that was there. */
inline publish() {
#ifndef VERSION_LAST
  STORE(store(copy_at(copy), version_of(seen) + 1));
#endif
#ifdef PLAIN_STORE
  STORE(store(CURRENT, make_current(version_of(seen) + 1, copy)); written[version_of(seen) + 1] = value; swapped = true);
#else
  STORE(flush(me);
        if
        :: memory[CURRENT] == seen ->
           memory[CURRENT] = make_current(version_of(seen) + 1, copy); swapped = true;
           written[version_of(seen) + 1] = value; base[version_of(seen) + 1] = from
        :: else -> seen = memory[CURRENT]
        fi);
#endif
#ifdef VERSION_LAST
  if
  :: swapped -> STORE(store(copy_at(copy), version_of(seen) + 1))
  :: else
  fi
#endif
}

inline go_on() {
  LOAD(value = 0; first = 0; from = 0; swapped = false; seen = 0;
       copy = 1 + me * COPIES + (copy - me * COPIES) % COPIES)
}

inline store_value() {
  LOAD(seen = load(CURRENT); value = next_value; next_value++);
  choose_copy();
  fill(value);
  do
  :: swapped -> break
  :: else -> publish()
  od;
  go_on()
}

inline update_value() {
  LOAD(value = next_value; next_value++);
  do
  :: swapped -> break
  :: else ->
     read_current();
     LOAD(from = first);
     choose_copy();
     fill(value);
     publish();
#ifdef UPDATE_COUNTS_ON
     if
     :: !swapped -> publish()
     :: else
     fi
#endif
  od;
  LOAD(assert(base[version_of(seen) + 1] == written[version_of(seen)]));
  go_on()
}

byte stores_left[2] = STORES, updates_left[2] = UPDATES;

proctype writer(byte me) {
  byte seen, copy, value, first, second, from;
  bool swapped, is_whole;

born:
  LOAD(copy = 1 + me * COPIES);
  do
  :: stores_left[me] > 0 -> stores_left[me]--; store_value()
  :: updates_left[me] > 0 -> updates_left[me]--; update_value()
  :: break
  od;
killed:
  LOAD(seen = 0; value = 0; first = 0; second = 0; from = 0; swapped = false; is_whole = false; copy = 0);
  if
  :: dead[me] -> atomic { dead[me] = false; goto born }
  :: else -> LOAD(ended++)
  fi
}

proctype reader() {
  byte me = READER;
  byte seen, first, second, newest, reads;
  bool is_whole;

  do
  :: reads < READS ->
     read_current();
     LOAD(assert(version_of(seen) >= newest); newest = version_of(seen); reads++; seen = 0; first = 0)
  :: else -> break
  od;
  LOAD(newest = 0; reads = 0; ended++)
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0)

init {
  atomic {
    choose_deaths();
    run writer(0); run writer(1); run reader()
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(
    assert(memory[copy_at(copy_of(memory[CURRENT]))] == version_of(memory[CURRENT]));
    assert(memory[copy_at(copy_of(memory[CURRENT])) + 1] == written[version_of(memory[CURRENT])])
  )
}
