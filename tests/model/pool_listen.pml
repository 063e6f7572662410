/* Listening: who has a descriptor of a pool with size classes is told that there may be a buffer.
 *
 * Mirrors   pool/waiters.cpp (serve_behind_release, serve_waiters, tell_listeners, say_that_nobody_waits),
 *           pool/acquire.cpp (arm, ask), segment/event_fd.hpp (arm). One or two listeners, who take a large buffer each;
 *           two releasers, of a small buffer, which is of no use to them, and of a large one for each of them.
 * Assumed   a listener's look at its descriptor, and the thread behind it, are one: it goes on when the event's sequence
 *           is another one than its ticket's. Each store of a request or of `waiting` is a locked instruction or followed
 *           by a fence, so there are no store buffers. The one who is stopped keeps the pool's lock, if he has it: others
 *           do without.
 * Deaths    none of them: a releaser may be *stopped* for good at any store behind the release of its buffer, which is
 *           worse, for nobody recovers what it left. The last one is not: what it does not do, nobody would.
 * Checked   every listener gets its buffer.
 * Bounds    1 or 2 LISTENERS; SMALLS, the small buffers, which are released before the large ones; STOPS, up to 1.
 *
 * Each of these leaves out one step, and must fail: ASKED_BEFORE_TICKET, STRUCK_OUT_FIRST, NO_TICKET_IN_REQUEST,
 * NO_LOOK_AGAIN, WAITING_FIRST, LOWERED_BY_STORE; LOWERED_AND_RAISED, for what is released in between is told to nobody: who
 * looks by himself, now and then, could bear that. */
#ifndef LISTENERS
#define LISTENERS 1
#endif
#ifndef SMALLS
#define SMALLS 2
#endif
#ifndef STOPS
#define STOPS 1
#endif
#define NOBODY 15

byte large;                       /* free ones */
byte request[LISTENERS];          /* 0: none; otherwise its ticket */
byte next_ticket;
byte waiting;                     /* 0, or a number that no other request has */
byte sequence[LISTENERS];         /* of the event that each sleeps on */
byte lock = NOBODY;
byte stops_left;
byte smalls_left = SMALLS;
byte larges_left = LISTENERS;

/* One store, before which the releaser may be stopped for good. */
#define STORE(x) \
  if \
  :: atomic { stops_left > 0 && behind_release && smalls_left + larges_left > 0 -> stops_left--; goto stopped } \
  :: atomic { true; x } \
  fi

inline tell_listeners() {
  who = 0;
  do
  :: who < LISTENERS ->
     seen = request[who];
     if
     :: seen != 0 ->
#ifdef STRUCK_OUT_FIRST
        STORE(if :: request[who] == seen -> request[who] = 0 :: else fi);
        STORE(sequence[who]++);
#else
        STORE(sequence[who]++);
#ifdef NO_TICKET_IN_REQUEST
        STORE(request[who] = 0);
#else
        STORE(if :: request[who] == seen -> request[who] = 0 :: else fi);
#endif
#endif
     :: else
     fi;
     who++
  :: else -> break
  od;
  atomic { who = 0; seen = 0 }
}

inline say_that_nobody_waits() {
#ifdef LOWERED_BY_STORE
  STORE(waiting = 0)
#else
#ifdef LOWERED_AND_RAISED
  STORE(waiting = 0);
  atomic { any = request[0] != 0 || request[LISTENERS - 1] != 0 };
  if
  :: any -> STORE(waiting = 1; any = false)
  :: else
  fi
#else
  STORE(if :: waiting == number -> waiting = 0 :: else fi; number = 0)
#endif
#endif
}

proctype releaser(byte me) {
  byte who, seen, number;
  bool any, behind_release;

  do
  :: atomic { smalls_left > 0 -> smalls_left--; behind_release = true };
     goto serve
  :: atomic { larges_left > 0 && smalls_left == 0 -> larges_left--; large++; behind_release = true };
serve:
     if
     :: waiting != 0 ->
        tell_listeners();
        if
        :: atomic { lock == NOBODY -> lock = me };
           number = waiting;
           tell_listeners();
           say_that_nobody_waits();
           STORE(lock = NOBODY)
        :: lock != NOBODY
        fi
     :: else
     fi;
     behind_release = false
  :: smalls_left + larges_left == 0 -> break
  od;
stopped:
  skip
}

inline ask() {
  atomic { next_ticket++; own = next_ticket };
#ifdef WAITING_FIRST
  waiting = own;
  request[me] = own;
#else
  request[me] = own;
  waiting = own
#endif
}

inline look() { atomic { found = large > 0 } }

proctype listener(byte me) {
  byte own, ticket;
  bool found;

  do
  :: request[me] = 0;
     if
     :: atomic { large > 0 -> large--; break }
     :: large == 0
     fi;
#ifdef ASKED_BEFORE_TICKET
     ask();
     ticket = sequence[me];
#else
     ticket = sequence[me];
     ask();
#endif
#ifndef NO_LOOK_AGAIN
     look();
#endif
     if
     :: found -> found = false
     :: !found -> atomic { sequence[me] != ticket -> ticket = 0; own = 0 }
     fi
  od;
  request[me] = 0
}

init {
  atomic {
    do
    :: stops_left < STOPS -> stops_left++
    :: break
    od;
    run releaser(LISTENERS);
    run releaser(LISTENERS + 1);
    run listener(0);
#if LISTENERS > 1
    run listener(1);
#endif
  }
}
