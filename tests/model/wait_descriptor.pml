/* Descriptors to wait on: told by wakers that may be stopped, or killed, in the midst of it.
 *
 * Mirrors   segment/event.cpp (wake_sleepers), segment/event_fd.cpp (look_after, is_armed), segment/event_fd.hpp (arm). Two
 *           listeners: a handle whose look found nothing, and the thread that naps in its place; two wakers.
 * Assumed   real fences between a change and the look at the event's word, and between a ticket and the look behind it: so
 *           there are no store buffers (wait.pml has those). A listener that was told of nothing looks at nothing but that
 *           word.
 * Deaths    none, but the first waker may be *stopped* for good at any store of its wake, which is worse, for no recovery
 *           comes. One that stops between its change and its wake tells nobody, until somebody else wakes.
 * Checked   every change that a wake was begun for, or that a later wake was, is seen by both listeners.
 * Bounds    CHANGES of each waker; STOPS, up to 1.
 *
 * Each of these leaves out one step, and must fail: NO_COUNT; COUNTED_LATER, TOLD_LATER, which take two stores for it. */
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef STOPS
#define STOPS 1
#endif

byte changes[2];                  /* of each waker */
byte announced;                   /* of these of the first one: a wake was begun */
bool awaited;                     /* the two parts of the event's word */
byte wakes;
byte wakers_ended;
byte stops_left;
bool stopped;

#define STORE(x) \
  if \
  :: atomic { me == 0 && stops_left > 0 -> stops_left--; stopped = true; goto ended } \
  :: atomic { true; x } \
  fi

#ifdef NO_COUNT
#define count_wake skip
#else
#define count_wake wakes++
#endif
inline announce_wake() { if :: me == 0 -> announced = changes[0] :: else fi }

proctype waker(byte me) {
  bool was_awaited;
  do
  :: changes[me] < CHANGES ->
     changes[me]++;
     if
     :: awaited ->
#ifdef TOLD_LATER
        STORE(wakes++; announce_wake());
        STORE(awaited = false)
#else
#ifdef COUNTED_LATER
        STORE(was_awaited = awaited; awaited = false; announce_wake());
        if
        :: was_awaited -> STORE(wakes++)
        :: else
        fi
#else
        STORE(if :: awaited -> awaited = false; count_wake :: else fi; announce_wake())
#endif
#endif
     :: else
     fi
  :: else -> break
  od;
ended:
  atomic { was_awaited = false; wakers_ended++ }
}

/* Those that it must have seen in the end. */
#define all_seen (seen[1] == CHANGES && seen[0] >= (stopped -> announced : CHANGES))

proctype listener() {
  byte seen[2], ticket;
  do
  :: atomic { awaited = true; ticket = wakes };
     /* the look behind it */
     if
     :: atomic { changes[0] > seen[0] || changes[1] > seen[1] -> seen[0] = changes[0]; seen[1] = changes[1] }
     :: atomic { changes[0] == seen[0] && changes[1] == seen[1] };
        if
        :: wakes != ticket || !awaited
        :: wakes == ticket && awaited && wakers_ended == 2 && all_seen -> break
        fi
     fi
  od
}

init {
  atomic {
    stops_left = STOPS;
    run waker(0); run waker(1); run listener(); run listener()
  }
}
