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
 * Each of these leaves out one step, and must fail: NO_HEAVY_FENCE, NO_WAKER_FENCE (with SPACE), TICKET_AFTER_LOOK,
 * TICKET_AFTER_ANNOUNCEMENT, NO_COUNT, NO_LOOK_AGAIN, NO_LOOK_AFTER_DEATH. */
#ifndef CHANGES
#define CHANGES 3
#endif
#define WAKER 0
#define BUFFERED 3
#define PARTICIPANTS 3

#define CHANGED 0
#define EVENT 1                                     /* the event's word: twice the wakes, and whether it is awaited */
#define WORDS 2

#include "participants.pml"
#include "store_buffers.pml"

bool asleep[PARTICIPANTS];

inline futex_wake_all() {
  atomic { asleep[1] = false; asleep[2] = false }
}

inline wake_sleepers() {
#ifdef NO_COUNT
#define told 0
#else
#define told (memory[EVENT] + 1)
#endif
  STORE(flush(me); was_awaited = memory[EVENT] % 2; if :: was_awaited -> memory[EVENT] = told :: else fi);
  if
  :: was_awaited -> STORE(futex_wake_all())
  :: else
  fi
}

proctype waker() {
  byte me = WAKER, change;
  bool was_awaited;

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
     :: load(EVENT) % 2 != 0 -> wake_sleepers()
     :: else
     fi
  :: else -> break
  od;
killed:
  skip;
  LOAD(change = 0; was_awaited = false)
}

inline announce() {
  atomic { flush(me); memory[EVENT] = memory[EVENT] | 1; ticket = memory[EVENT] };
#ifndef NO_HEAVY_FENCE
#ifdef SPACE
  full_fence()
#else
  heavy_fence()
#endif
#endif
}

inline look() { LOAD(found = (load(CHANGED) > seen)) }
inline read_ticket() { LOAD(ticket = memory[EVENT]) }

proctype sleeper(byte me) {
  byte seen, ticket;
  bool found;

  do
  :: seen < CHANGES ->
     look();
     if
     :: !found ->
        announce();
#ifdef TICKET_AFTER_LOOK
        look();
        read_ticket();
#else
#ifdef TICKET_AFTER_ANNOUNCEMENT
        read_ticket();
#endif
#ifndef NO_LOOK_AGAIN
        look();
#endif
#endif
        if
        :: !found ->
           LOAD(asleep[me] = (memory[EVENT] == ticket); ticket = 0);
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
     :: found -> LOAD(seen = load(CHANGED); ticket = 0; found = false)
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
