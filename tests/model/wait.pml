/* Waiting: an eventcount without a lost wake-up.
 *
 * Mirrors   segment/event.hpp and event.cpp (SleepTicket, notify, wake_sleepers), include/sapbuf/writer.hpp
 *           (publish), stream/reader_wait.cpp (wait). Two sleepers (readers that wait for data), one waker (a
 *           writer). With SPACE the other event: the waker uses a real fence, and the sleepers' fence is local.
 * Assumed   total store order, as store_buffers.pml says; the kernel's futex: compare and sleep is one step. Nobody
 *           looks by itself after 50 ms, unless the waker was killed between its change and its wake.
 * Deaths    the waker.
 * Checked   whoever sleeps is woken by the change that it waits for: nobody sleeps for good.
 * Bounds    CHANGES that the waker makes, each awaited by both sleepers; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_HEAVY_FENCE, NO_WAKER_FENCE (with SPACE), SEQUENCE_AFTER_LOOK,
 * SEQUENCE_AFTER_ANNOUNCEMENT, NO_SEQUENCE, NO_LOOK_AGAIN, NO_LOOK_AFTER_DEATH. */
#ifndef CHANGES
#define CHANGES 3
#endif
#define WAKER 0
#define BUFFERED 3
#define PARTICIPANTS 3

#define CHANGED 0
#define SLEEPERS 1
#define SEQUENCE 2
#define WORDS 3

#include "participants.pml"
#include "store_buffers.pml"

bool asleep[PARTICIPANTS];

inline futex_wake_all() {
  atomic { asleep[1] = false; asleep[2] = false }
}

inline wake_sleepers() {
  atomic { flush(me); had_sleepers = memory[SLEEPERS]; memory[SLEEPERS] = 0 };
  if
  :: had_sleepers ->
#ifndef NO_SEQUENCE
     STORE(flush(me); memory[SEQUENCE] = memory[SEQUENCE] + 1);
#endif
     STORE(futex_wake_all())
  :: else
  fi
}

proctype waker() {
  byte me = WAKER, change;
  bool had_sleepers;

  do
  :: change < CHANGES ->
     change++;
     STORE(store(CHANGED, change));
#ifdef SPACE
#ifndef NO_WAKER_FENCE
     full_fence();
#endif
#endif
     /* light fence */
     if
     :: load(SLEEPERS) != 0 -> wake_sleepers()
     :: else
     fi
  :: else -> break
  od;
killed:
  skip;
  LOAD(change = 0; had_sleepers = false)
}

inline announce() {
  locked_store(SLEEPERS, 1);
#ifndef NO_HEAVY_FENCE
#ifdef SPACE
  full_fence()
#else
  heavy_fence()
#endif
#endif
}

inline look() { LOAD(found = (load(CHANGED) > seen)) }
inline read_sequence() { LOAD(sequence = load(SEQUENCE)) }

proctype sleeper(byte me) {
  byte seen, sequence;
  bool found;

  do
  :: seen < CHANGES ->
     look();
     if
     :: !found ->
#ifdef SEQUENCE_AFTER_LOOK
        announce();
        look();
        read_sequence();
#else
#ifdef SEQUENCE_AFTER_ANNOUNCEMENT
        announce();
        read_sequence();
#else
        read_sequence();
        announce();
#endif
#ifndef NO_LOOK_AGAIN
        look();
#endif
#endif
        if
        :: !found ->
           LOAD(asleep[me] = (memory[SEQUENCE] == sequence); sequence = 0);
           if
           :: !asleep[me]
#ifndef NO_LOOK_AFTER_DEATH
           :: dead[WAKER] -> asleep[me] = false
#endif
           fi;
           look()
        :: else
        fi
     :: else
     fi;
     if
     :: found -> LOAD(seen = load(CHANGED); sequence = 0; found = false)
     :: !found && !(dead[WAKER] && buffer[WAKER].filled == 0 && memory[CHANGED] == seen)
     :: !found && dead[WAKER] && buffer[WAKER].filled == 0 && memory[CHANGED] == seen -> break
     fi
  :: else -> break
  od
}

init {
  atomic {
    choose_deaths();
    run waker(); run sleeper(1); run sleeper(2)
  }
}
