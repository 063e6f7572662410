/* Waiting for a buffer of a pool: whoever releases one hands it over to the oldest waiter.
 *
 * Mirrors   pool/waiters.cpp, pool/acquire.cpp. A buffer's word says incarnation and FREE, or local and whose. Each
 *           participant has a `request`: none, asks with a ticket, or given a buffer, with the ticket still. One word of the
 *           pool's, `waiting`, says by a number that somebody may be asking.
 *             acquire    FREE -> local by compare-and-swap. Is none free: a ticket, request, waiting = the ticket, heavy fence;
 *                        then, round by round, look for a free one; look at the request: it is over once it says given, and
 *                        the word says local; sleep
 *             retract    who has found one, or gives up: request -> none by compare-and-swap. If it was given one meanwhile, it
 *                        looks under the pool's lock, and takes what has become its own
 *             release    look at waiting; if it is 0: local -> FREE of the next incarnation, light fence, look again. If it
 *                        is not, hand over under the pool's lock, what was freed already once it is taken again; if the lock
 *                        is not to be had: free, wake all
 *             hand over  under the pool's lock: of the oldest who asks, request: asks -> given by compare-and-swap; then the
 *                        word: local of the giver -> local of the other one, next incarnation; wake. Asks, too, whoever was
 *                        given one whose word is not his: a giver died in between. Nobody asks: waiting = 0, if it is
 *                        what it was before the look, and free; else look again
 *             recover    under the pool's lock: a dead one's request = none; his buffers are handed over, or freed; then a
 *                        look at waiting as behind a release, and all are woken
 * Assumed   total store order, as store_buffers.pml says; no wake-up is lost between look and sleep (wait.pml); that the
 *           locks of the kernel are fences. Nobody looks by himself after a nap, unless somebody was killed. A wake-up
 *           tells of nothing but itself. Magazines are not in it: who waits has an empty one (pool_magazine.pml).
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go. Slots are not reused.
 * Checked   what somebody uses is his by its word, and nobody else uses it; nobody waits for good; when all is quiet, and the
 *           dead are settled, each buffer is free, and no request is left; nobody is handed a buffer while one who asked
 *           before him, and was seen, is alive and asks still.
 * Bounds    2 or 3 PARTICIPANTS, each of whom acquires a buffer, ROUNDS times, and releases it; 1 or 2 BUFFERS; TIMEOUTS;
 *           DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_HEAVY_FENCE, NO_LOOK_BEHIND_FREE, NO_LOOK_FOR_FREE,
 * LOWERED_BY_STORE, NO_WAKE, NO_WAKE_WITHOUT_LOCK, NEWEST_FIRST; with a timeout GIVEN_BY_STORE, RETRACTED_BY_STORE,
 * NO_LOCK_TO_RETRACT; with a death WORD_BEFORE_REQUEST, CUT_OFF_NOT_SERVED, NO_REQUEST_SETTLED, REQUEST_SETTLED_LAST.
 * FREED_PAST_WAITERS is free of errors: a recovery that frees, and wakes all, loses nothing but their order. */
#ifndef PARTICIPANTS
#define PARTICIPANTS 3
#endif
#ifndef BUFFERS
#define BUFFERS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 1
#endif
#define BUFFERED PARTICIPANTS

#define word(b) (b)
#define WAITING BUFFERS
#define request(who) (BUFFERS + 1 + (who))
#define WORDS (BUFFERS + 1 + PARTICIPANTS)

#define FREE 0
#define local_of(who) (1 + (who))
#define make_word(incarnation, state) ((incarnation) * 4 + (state))
#define state_of(word) ((word) % 4)
#define incarnation_of(word) ((word) / 4)
#define next(word, state) make_word(incarnation_of(word) + 1, state)
#define is_local(word, who) (state_of(word) == local_of(who))

#define NONE 0
#define asks(ticket) ((ticket) * 4 + 1)
#define given(ticket, b) ((ticket) * 4 + 2 + (b))
#define is_asking(request) ((request) % 4 == 1)
#define is_given(request) ((request) % 4 >= 2)
#define given_one(request) ((request) % 4 - 2)
#define ticket_of(request) ((request) / 4)

/* The kernel drops a dead one's locks behind his last store. A dead one uses nothing. */
#define ON_KILL flush(me); forget_uses()
#include "participants.pml"
#include "store_buffers.pml"

byte tickets, timeouts_left = TIMEOUTS, ended;
bool is_settled[PARTICIPANTS];                      /* of the dead */
bool somebody_died;

/* For the checks: who uses each buffer. */
byte user[BUFFERS] = NOBODY;

inline forget_uses() {
  somebody_died = true;
  n = 0;
  do
  :: n < BUFFERS ->
     if
     :: user[n] == me -> user[n] = NOBODY
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}

inline use(b) { assert(user[b] == NOBODY && is_local(memory[word(b)], me)); user[b] = me }

inline wake(whom) { STORE(flush(me); tell(whom)) }
inline lock_pool() { atomic { maintenance == NOBODY -> maintenance = me; flush(me) } }
inline unlock_pool() { STORE(flush(me); maintenance = NOBODY) }
#define NO_BUFFER 9

/* --- Handing over, under the pool's lock -------------------------------------------------------------------------- */

/* Asks, or was given what its giver did not live to hand over. */
#ifdef CUT_OFF_NOT_SERVED
#define counts_as_asking(request) is_asking(request)
#else
#define counts_as_asking(request) \
  (is_asking(request) || (is_given(request) && !is_local(load(word(given_one(request))), n)))
#endif

/* For the check of the order. */
#define still_asks(who) \
  (is_asking(memory[request(who)]) || \
   (is_given(memory[request(who)]) && !is_local(memory[word(given_one(memory[request(who)]))], who)))
inline note_who_asks() {
  asked_before = 0;
  do
  :: n < PARTICIPANTS ->
     if
     :: still_asks(n) -> asked_before = asked_before | only(n)
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}
inline check_order() {
  do
  :: n < PARTICIPANTS ->
     assert(n == oldest || dead[n] || !(asked_before & only(n)) || !still_asks(n) ||
            ticket_of(memory[request(n)]) > ticket_of(asked));
     n++
  :: else -> n = 0; break
  od
}

/* Says by `oldest` who it is, and by `asked` what his request says; NOBODY, if nobody asks. */
inline find_oldest() {
  LOAD(note_who_asks());
  do
  :: n < PARTICIPANTS ->
     LOAD(seen = load(request(n));
          if
#ifdef NEWEST_FIRST
          :: seen != NONE && counts_as_asking(seen) && (oldest == NOBODY || ticket_of(seen) > ticket_of(asked)) ->
#else
          :: seen != NONE && counts_as_asking(seen) && (oldest == NOBODY || ticket_of(seen) < ticket_of(asked)) ->
#endif
             oldest = n; asked = seen
          :: else
          fi;
          seen = 0; n++)
  :: else -> n = 0; break
  od
}

/* Buffer b, whose word nobody else changes: says by `handed` whether somebody has it now. */
inline hand_over() {
  do
  :: LOAD(number = load(WAITING));
     find_oldest();
     if
     :: oldest == NOBODY ->
        STORE(flush(me);
              if
#ifdef LOWERED_BY_STORE
              :: true ->
#else
              :: memory[WAITING] == number ->
#endif
                 memory[WAITING] = 0; is_lowered = true
              :: else
              fi;
              number = 0);
        if
        :: is_lowered -> is_lowered = false; break
        :: else
        fi
     :: else ->
        number = 0;
#ifdef WORD_BEFORE_REQUEST
        LOAD(seen = load(word(b)));
        STORE(store(word(b), next(seen, local_of(oldest))); seen = 0);
#endif
        STORE(flush(me);
              if
#ifdef GIVEN_BY_STORE
              :: true ->
#else
              :: memory[request(oldest)] == asked ->
#endif
                 check_order(); memory[request(oldest)] = given(ticket_of(asked), b); handed = true
              :: else
              fi);
        if
        :: handed ->
#ifndef WORD_BEFORE_REQUEST
           LOAD(seen = load(word(b)));
           STORE(store(word(b), next(seen, local_of(oldest))); seen = 0);
#endif
#ifndef NO_WAKE
           wake(only(oldest));
#endif
           LOAD(oldest = NOBODY; asked = 0);
           break
        :: else -> oldest = NOBODY; asked = 0
        fi
     fi
  od;
  asked_before = 0
}

/* --- Releasing ---------------------------------------------------------------------------------------------------- */

inline set_free() { LOAD(seen = load(word(b))); STORE(store(word(b), next(seen, FREE)); seen = 0) }

/* Buffer b is the releaser's still, or was freed already: then it may be somebody's by now. */
inline serve() {
  if
  :: lock_pool();
     if
     :: is_freed ->
        STORE(flush(me);
              if
              :: state_of(memory[word(b)]) == FREE ->
                 memory[word(b)] = make_word(incarnation_of(memory[word(b)]), local_of(me)); is_freed = false
              :: else
              fi)
     :: else
     fi;
     if
     :: !is_freed ->
        hand_over();
        if
        :: !handed -> set_free(); is_freed = true
        :: else
        fi
     :: else -> handed = true                       /* by whoever took it */
     fi;
     unlock_pool()
  :: atomic { maintenance != NOBODY -> skip };      /* the lock is not to be had */
     if
     :: !is_freed -> set_free()
     :: else
     fi;
#ifdef NO_WAKE_WITHOUT_LOCK
     handed = true
#else
     wake(everybody);
     handed = true
#endif
  fi
}

inline release() {
  LOAD(assert(is_local(memory[word(b)], me)); user[b] = NOBODY; is_waited_for = (load(WAITING) != 0));
  do
  :: !is_waited_for && !is_freed -> set_free(); is_freed = true;
#ifdef NO_LOOK_BEHIND_FREE
     break
#else
     LOAD(is_waited_for = (load(WAITING) != 0))
#endif
  :: !is_waited_for && is_freed -> break
  :: is_waited_for ->
     serve();
     if
     :: handed -> break
     :: else -> LOAD(is_waited_for = (load(WAITING) != 0))
     fi
  od;
  LOAD(b = NO_BUFFER; handed = false; is_freed = false; is_waited_for = false)
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

#define is_to_settle(who) (dead[who] && !is_settled[who])
#if PARTICIPANTS > 2
#define somebody_is_dead (is_to_settle(0) || is_to_settle(1) || is_to_settle(2))
#else
#define somebody_is_dead (is_to_settle(0) || is_to_settle(1))
#endif

inline settle(who) {
#if !defined(NO_REQUEST_SETTLED) && !defined(REQUEST_SETTLED_LAST)
  STORE(store(request(who), NONE));
#endif
  b = 0;
  do
  :: b < BUFFERS ->
     if
     :: is_local(load(word(b)), who) ->
#ifndef FREED_PAST_WAITERS
        hand_over();
#endif
        if
        :: !handed -> set_free()
        :: else
        fi;
        handed = false
     :: else
     fi;
     b++
  :: else -> break
  od;
#ifdef REQUEST_SETTLED_LAST
  STORE(store(request(who), NONE));
#endif
  STORE(flush(me); b = NO_BUFFER; is_settled[who] = true)
}

/* By one who has the lock already. */
inline recover() {
  do
  :: whom < PARTICIPANTS ->
     if
     :: is_to_settle(whom) -> settle(whom)
     :: else
     fi;
     whom++
  :: else -> whom = 0; break
  od;
  unlock_pool();
  LOAD(is_waited_for = (load(WAITING) != 0));
  if
  :: is_waited_for -> is_waited_for = false; wake(everybody)
  :: else
  fi
}

/* --- One who acquires --------------------------------------------------------------------------------------------- */

inline take_free() {
  do
  :: n < BUFFERS && b == NO_BUFFER ->
     if
     :: LOAD(state_of(load(word(n))) == FREE) ->
        STORE(flush(me);
              if
              :: state_of(memory[word(n)]) == FREE ->
                 memory[word(n)] = make_word(incarnation_of(memory[word(n)]), local_of(me)); b = n
              :: else
              fi)
     :: LOAD(state_of(load(word(n))) != FREE)
     fi;
     n++
  :: else -> n = 0; break
  od
}

inline announce() {
  LOAD(tickets++; mine = asks(tickets));
  STORE(store(request(me), mine));
  STORE(flush(me); memory[WAITING] = ticket_of(mine));
#ifndef NO_HEAVY_FENCE
  heavy_fence()
#endif
}

/* Has it found one, or gives it up, its request may have been granted meanwhile: that one comes on top. */
inline retract() {
#ifdef RETRACTED_BY_STORE
  STORE(store(request(me), NONE));
#else
  STORE(flush(me);
        if
        :: memory[request(me)] == mine -> memory[request(me)] = NONE
        :: else -> is_granted = true
        fi);
  if
  :: is_granted ->
#ifndef NO_LOCK_TO_RETRACT
     lock_pool();
#endif
     LOAD(seen = given_one(load(request(me)));
          if
          :: seen != b && is_local(load(word(seen)), me) -> spare = seen
          :: else
          fi;
          seen = 0; is_granted = false);
     STORE(store(request(me), NONE));
#ifndef NO_LOCK_TO_RETRACT
     unlock_pool()
#endif
  :: else
  fi;
#endif
  LOAD(mine = 0)
}

#define is_mine(request) (is_given(request) && is_local(load(word(given_one(request))), me))
#if BUFFERS > 1
#define is_one_free (state_of(memory[word(0)]) == FREE || state_of(memory[word(1)]) == FREE)
#else
#define is_one_free (state_of(memory[word(0)]) == FREE)
#endif

inline wait_for_one() {
  announce();
  do
  :: atomic { begin_look() };
#ifndef NO_LOOK_FOR_FREE
     take_free();
#endif
     if
     :: b != NO_BUFFER -> retract(); break
     :: else
     fi;
     LOAD(seen = load(request(me));
          if
          :: is_mine(seen) -> b = given_one(seen)
          :: else
          fi;
          seen = 0);
     if
     :: b != NO_BUFFER -> STORE(store(request(me), NONE); mine = 0); break
     :: else
     fi;
     if
     :: wait_for_news()
     :: atomic { somebody_is_dead && maintenance == NOBODY -> maintenance = me; flush(me) };
        recover()
     :: atomic { somebody_died && (is_one_free || is_mine(memory[request(me)])) -> skip }
     :: atomic { timeouts_left > 0 -> timeouts_left-- };
        retract();
        break
     fi
  od
}

proctype participant(byte me) {
  byte b = NO_BUFFER, spare = NO_BUFFER;            /* what it has */
  byte mine;                                        /* its request, as it made it */
  byte rounds, n, seen, whom, number;
  byte oldest = NOBODY, asked, asked_before;
  bool handed, is_freed, is_waited_for, is_lowered, is_granted;

  do
  :: rounds < ROUNDS && b == NO_BUFFER ->
     rounds++;
     take_free();
     if
     :: b == NO_BUFFER -> wait_for_one()
     :: else
     fi;
     if
     :: b == NO_BUFFER -> b = spare; spare = NO_BUFFER
     :: else
     fi
  :: b != NO_BUFFER ->
     LOAD(use(b));
     release();
     b = spare;
     spare = NO_BUFFER
  :: rounds == ROUNDS && b == NO_BUFFER -> break
  od;
killed:
  LOAD(b = NO_BUFFER; spare = NO_BUFFER; mine = 0; rounds = 0; n = 0; seen = 0; whom = 0; number = 0; oldest = NOBODY; asked = 0;
       asked_before = 0; handed = false; is_freed = false; is_waited_for = false; is_lowered = false; is_granted = false;
       ended++)
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

inline check_at_the_end() {
  do
  :: n < PARTICIPANTS -> assert(dead[n] || memory[request(n)] == NONE); n++
  :: else -> n = 0; break
  od;
  do
  :: n < BUFFERS ->
     assert(state_of(memory[word(n)]) == FREE || is_to_settle(state_of(memory[word(n)]) - local_of(0)));
     n++
  :: else -> break
  od
}

#define is_quiet (buffer[0].filled == 0 && buffer[PARTICIPANTS - 2].filled == 0 && buffer[PARTICIPANTS - 1].filled == 0)

init {
  byte n;

  atomic {
    choose_deaths();
    do
    :: n < PARTICIPANTS -> run participant(n); n++
    :: else -> break
    od;
    n = 0
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(check_at_the_end())
}
