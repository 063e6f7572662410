/* Waiting for a buffer of a pool: what becomes free is handed to the oldest waiter.
 *
 * Mirrors   pool/waiters.cpp, pool/acquire.cpp. A buffer's word says incarnation and FREE, or local and whose. Each
 *           participant has a `request`: none, asks with a ticket, given a buffer, or left it, with the ticket still. One word of
 *           the pool's, `waiting`, says by a number that somebody may be asking.
 *             acquire    FREE -> local by compare-and-swap, but not of what it was promised. Is none free: a ticket, request,
 *                        waiting + 1; then, round by round: serve, if the pool's lock is to be had; else withdraw,
 *                        take for itself, or ask again; then look at the request: it is over once it says given, and the word
 *                        says local; sleep
 *             withdraw   request: asks -> none by compare-and-swap. Is it given, and the word says local: it has that. Else
 *                        given -> left by compare-and-swap, then the word once more: is it local, left -> none by
 *                        compare-and-swap, and it has that. Else the same under the lock, if that is to be had: then nobody is
 *                        about to give, and nothing is left
 *             ask again  left -> given, or asks, with the same ticket
 *             release    local -> FREE of the next incarnation, full fence, look at waiting. Is it not 0, serve; is the lock
 *                        not to be had, wake all
 *             serve      under the pool's lock: what was left is none, and FREE, if its word says local of the one who left it.
 *                        Then, of the oldest who asks, and a buffer that was seen FREE behind that: request: asks -> given by
 *                        compare-and-swap; the word: FREE -> local of that one by compare-and-swap. Was somebody faster, given
 *                        -> asks. Did it leave that meanwhile, left -> none, and the buffer is FREE again. Else wake it. Asks,
 *                        too, whoever was given one whose word is not his: a server died in between. Nobody asks: waiting = 0,
 *                        if it is what it was in the beginning. None is free: wake the oldest
 *             recover    under the pool's lock: a dead one's request = none; his buffers are freed; then a look at waiting as
 *                        behind a release, and all are woken
 * Assumed   total store order, as store_buffers.pml says; no wake-up is lost between look and sleep (wait.pml); that the
 *           locks of the kernel are fences. Nobody looks by himself after a nap, unless somebody was killed, or had the lock at his
 *           look. A wake-up tells of nothing but itself. Magazines are not in it: who waits has an empty one (pool_magazine.pml).
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go. Slots are not reused.
 * Checked   what somebody uses is his by its word, and nobody else uses it; nobody waits for good; when all is quiet, and the
 *           dead are settled, each buffer is free, and no request stands; behind a death one may be left, of a buffer that is free, or
 *           the one's who left it; nobody is handed a buffer while one who asked before him, and was seen, is alive and asks still.
 * Bounds    2 or 3 PARTICIPANTS, each of whom acquires a buffer, ROUNDS times, and releases it; with HOLDER the first of them has
 *           one in the beginning, and releases that; 1 or 2 BUFFERS; TIMEOUTS; DEATHS; each finds the lock taken OUT_OF_TURN
 *           times, and then waits for it.
 *
 * Each of these leaves out one step, and must fail: NO_FULL_FENCE, NO_LOOK_BEHIND_FREE, NO_LOOK_FOR_FREE,
 * LOWERED_BY_STORE, NO_WAKE, NO_WAKE_WITHOUT_LOCK, NEWEST_FIRST; with a timeout GIVEN_BY_STORE, WITHDRAWN_BY_STORE, NOT_LEFT,
 * NO_LOOK_BEHIND_LEFT, NO_LOOK_BEHIND_WORD; with a death, too, LEFT_FOR_GOOD, and, where they wait twice, WORD_BEFORE_REQUEST,
 * CUT_OFF_NOT_SERVED, NO_REQUEST_SETTLED, ASKED_OVER_FREED. */
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
#ifndef OUT_OF_TURN
#define OUT_OF_TURN 1
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
#define asks(ticket) ((ticket) * 8 + 1)
#define given(ticket, b) ((ticket) * 8 + 2 + (b))
#define left(ticket, b) ((ticket) * 8 + 4 + (b))
#define is_asking(request) ((request) % 8 == 1)
#define is_given(request) ((request) % 8 == 2 || (request) % 8 == 3)
#define freed(ticket, b) ((ticket) * 8 + 6 + (b))   /* it was left, and is being freed */
#define is_left(request) ((request) % 8 >= 4)
#define is_freed(request) ((request) % 8 >= 6)
#define which(request) ((request) % 2)              /* of one that was given, or left */
#define ticket_of(request) ((request) / 8)

/* The kernel drops a dead one's locks behind his last store. A dead one uses nothing. */
#define ON_KILL flush(me); forget_uses()
#include "participants.pml"
#include "store_buffers.pml"

byte tickets, timeouts_left = TIMEOUTS, ended;
bool is_settled[PARTICIPANTS];                      /* of the dead */
bool somebody_died;
byte gave_way;                                      /* bits: withdrew since the server looked who asks */

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
  (is_asking(request) || (is_given(request) && !is_local(load(word(which(request))), n)))
#endif

/* For the check of the order. */
#define still_asks(who) \
  (is_asking(memory[request(who)]) || \
   (is_given(memory[request(who)]) && !is_local(memory[word(which(memory[request(who)]))], who)))
inline note_who_asks() {
  asked_before = 0;
  gave_way = 0;
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
     assert(n == oldest || dead[n] || !(asked_before & ~gave_way & only(n)) || !still_asks(n) ||
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

/* Of those who gave up what nobody is about to give any more. */
inline end_cut_off() {
#ifdef LEFT_FOR_GOOD
  skip
#else
  do
  :: n < PARTICIPANTS ->
     LOAD(seen = load(request(n)));
     if
     :: is_left(seen) ->
        STORE(flush(me);
              if
              :: memory[request(n)] == seen -> memory[request(n)] = freed(ticket_of(seen), which(seen)); was_left = true
              :: else
              fi);
        if
        :: was_left ->
           LOAD(was_left = false; asked = which(seen); seen = load(word(asked)));
           if
           :: is_local(seen, n) -> STORE(store(word(asked), next(seen, FREE)))
           :: else
           fi;
           STORE(store(request(n), NONE); asked = 0)
        :: else
        fi
     :: else
     fi;
     n++
  :: else -> LOAD(n = 0; seen = 0); break
  od
#endif
}

/* Buffer `place`, which was seen to be free, to the oldest. */
inline hand_over() {
#ifdef WORD_BEFORE_REQUEST
  STORE(flush(me);
        if
        :: state_of(memory[word(place)]) == FREE ->
           memory[word(place)] = make_word(incarnation_of(memory[word(place)]), local_of(oldest))
        :: else
        fi);
#endif
  STORE(flush(me);
        if
#ifdef GIVEN_BY_STORE
        :: true ->
#else
        :: memory[request(oldest)] == asked ->
#endif
           check_order(); memory[request(oldest)] = given(ticket_of(asked), place); is_promised = true
        :: else
        fi);
  if
  :: is_promised ->
     STORE(flush(me); is_promised = false;
           if
           :: state_of(memory[word(place)]) == FREE ->
              memory[word(place)] = make_word(incarnation_of(memory[word(place)]), local_of(oldest)); handed = true
#ifdef WORD_BEFORE_REQUEST
           :: is_local(memory[word(place)], oldest) -> handed = true
#endif
           :: else
           fi);
     if
     :: handed ->
        LOAD(handed = false);
#ifndef NO_LOOK_BEHIND_WORD
        STORE(flush(me);
              if
              :: memory[request(oldest)] == left(ticket_of(asked), place) ->
                 memory[request(oldest)] = freed(ticket_of(asked), place); was_left = true
              :: else
              fi);
#endif
        if
        :: was_left -> LOAD(seen = load(word(place))); STORE(was_left = false; store(word(place), next(seen, FREE)); seen = 0);
#ifndef LEFT_FOR_GOOD
           STORE(store(request(oldest), NONE))
#endif
        :: else ->
#ifndef NO_WAKE
           wake(only(oldest));
#endif
           place++
        fi
     :: else ->
        STORE(flush(me);
              if
              :: memory[request(oldest)] == given(ticket_of(asked), place) -> memory[request(oldest)] = asks(ticket_of(asked))
              :: memory[request(oldest)] == left(ticket_of(asked), place) -> memory[request(oldest)] = NONE
              :: else
              fi);
        place++
     fi
  :: else
  fi
}

/* By one who has the lock: the buffers [place, last). */
inline serve() {
  LOAD(number = load(WAITING));
  end_cut_off();
  do
  :: LOAD(oldest = NOBODY; asked = 0);
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
                 memory[WAITING] = 0
              :: else
              fi);
        break
     :: else ->
        do
        :: LOAD(place < last && state_of(load(word(place))) != FREE -> place++)
        :: LOAD(place == last -> skip); break
        :: LOAD(place < last && state_of(load(word(place))) == FREE -> skip); break
        od;
        if
        :: place == last ->
           if
           :: oldest != me -> wake(only(oldest))
           :: else
           fi;
           break
        :: else -> hand_over()
        fi
     fi
  od;
  LOAD(oldest = NOBODY; asked = 0; asked_before = 0; number = 0; place = 0; last = 0)
}

/* --- Releasing ---------------------------------------------------------------------------------------------------- */

inline set_free() { LOAD(seen = load(word(b))); STORE(store(word(b), next(seen, FREE)); seen = 0) }

inline release() {
  LOAD(assert(is_local(load(word(b)), me)); user[b] = NOBODY);
#ifdef NO_LOOK_BEHIND_FREE
  LOAD(is_waited_for = (load(WAITING) != 0));
  set_free();
#else
  set_free();
#ifndef NO_FULL_FENCE
  STORE(flush(me));
#endif
  LOAD(is_waited_for = (load(WAITING) != 0));
#endif
  if
  :: is_waited_for ->
     if
     :: lock_pool(); LOAD(place = b; last = b + 1); serve(); unlock_pool()
     :: atomic { maintenance != NOBODY -> skip };   /* the lock is not to be had */
#ifndef NO_WAKE_WITHOUT_LOCK
        wake(everybody)
#endif
     fi
  :: else
  fi;
  LOAD(b = NO_BUFFER; is_waited_for = false)
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

#define is_to_settle(who) (dead[who] && !is_settled[who])
#if PARTICIPANTS > 2
#define somebody_is_dead (is_to_settle(0) || is_to_settle(1) || is_to_settle(2))
#else
#define somebody_is_dead (is_to_settle(0) || is_to_settle(1))
#endif

inline settle(who) {
#ifndef NO_REQUEST_SETTLED
  STORE(store(request(who), NONE));
#endif
  b = 0;
  do
  :: b < BUFFERS ->
     if
     :: is_local(load(word(b)), who) -> set_free()
     :: else
     fi;
     b++
  :: else -> break
  od;
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

#if BUFFERS > 1
#define is_one_free (state_of(memory[word(0)]) == FREE || state_of(memory[word(1)]) == FREE)
#else
#define is_one_free (state_of(memory[word(0)]) == FREE)
#endif
#define is_promised_to_me is_given(memory[request(me)])
#define is_left_to_somebody (is_left(memory[request(0)]) || is_left(memory[request(1)]) || is_left(memory[request(PARTICIPANTS - 1)]))

/* --- One who acquires --------------------------------------------------------------------------------------------- */

inline take_free() {
  LOAD(seen = load(request(me)); avoid = (is_given(seen) || is_left(seen) -> which(seen) : NO_BUFFER); seen = 0);
  do
  :: n < BUFFERS && b == NO_BUFFER ->
     if
     :: LOAD(state_of(load(word(n))) == FREE && n != avoid) ->
        STORE(flush(me);
              if
              :: state_of(memory[word(n)]) == FREE ->
                 memory[word(n)] = make_word(incarnation_of(memory[word(n)]), local_of(me)); b = n
              :: else
              fi)
     :: LOAD(state_of(load(word(n))) != FREE || n == avoid)
     fi;
     n++
  :: else -> LOAD(n = 0; avoid = NO_BUFFER); break
  od
}

/* Says by `is_mine` whether it waits for what it had left. */
inline wait_for_left() {
  LOAD(seen = load(request(me)));
  if
  :: is_left(seen) && !is_freed(seen) ->
     STORE(flush(me);
           if
           :: memory[request(me)] == seen -> memory[request(me)] = given(ticket_of(seen), which(seen)); is_mine = true
           :: else
           fi)
  :: else
  fi;
  LOAD(seen = 0)
}

inline ask_with(ticket) {
  STORE(store(request(me), asks(ticket)));
  STORE(flush(me); memory[WAITING]++)
}

inline announce() {
  wait_for_left();
  if
#ifdef ASKED_OVER_FREED
  :: !is_mine ->
#else
  :: !is_mine && load(request(me)) == NONE ->
#endif
     LOAD(tickets++; ticket = tickets);
     ask_with(ticket)
  :: else -> LOAD(is_mine = false; ticket = ticket_of(load(request(me))))
  fi
}

/* What `seen` says it left. */
inline take_left() {
#ifndef NO_LOOK_BEHIND_LEFT
  LOAD(is_mine = !is_freed(seen) && is_local(load(word(which(seen))), me));
#endif
  if
  :: is_mine ->
     STORE(flush(me); is_mine = false;
           if
           :: memory[request(me)] == seen -> memory[request(me)] = NONE; spare = which(seen)
           :: else
           fi)
  :: else ->
     if
     :: lock_pool();
        end_cut_off();
        unlock_pool()
     :: atomic { maintenance != NOBODY -> skip }
     fi
  fi
}

/* It may have been given one meanwhile: that is `spare`. */
inline withdraw() {
#ifdef WITHDRAWN_BY_STORE
  STORE(store(request(me), NONE));
#else
  do
  :: LOAD(seen = load(request(me)));
     if
     :: seen == NONE -> break
     :: is_asking(seen) ->
        STORE(flush(me);
              if
              :: memory[request(me)] == seen -> memory[request(me)] = NONE; gave_way = gave_way | only(me)
              :: else
              fi)
     :: is_given(seen) ->
        LOAD(is_mine = is_local(load(word(which(seen))), me));
        if
        :: is_mine -> STORE(is_mine = false; spare = which(seen); store(request(me), NONE)); break
        :: else ->
#ifdef NOT_LEFT
           break
#else
           STORE(flush(me);
                 if
                 :: memory[request(me)] == seen ->
                    memory[request(me)] = left(ticket_of(seen), which(seen)); gave_way = gave_way | only(me)
                 :: else
                 fi)
#endif
        fi
     :: is_left(seen) -> take_left(); break
     fi
  od;
  LOAD(seen = 0)
#endif
}

/* Who has the lock may be stopped. */
inline take_out_of_turn() {
  withdraw();
  if
  :: spare == NO_BUFFER ->
     take_free();
     if
     :: b == NO_BUFFER ->
        wait_for_left();
        if
        :: !is_mine && load(request(me)) == NONE -> ask_with(ticket)
        :: else -> LOAD(is_mine = false)
        fi
     :: else
     fi
  :: else
  fi
}

inline take_given() {
  LOAD(seen = load(request(me)); is_mine = is_given(seen) && is_local(load(word(which(seen))), me));
  if
  :: is_mine -> STORE(is_mine = false; b = which(seen); store(request(me), NONE))
  :: else
  fi;
  LOAD(seen = 0)
}

inline wait_for_one() {
  announce();
  do
  :: atomic { begin_look() };
#ifndef NO_LOOK_FOR_FREE
     if
     :: lock_pool(); LOAD(last = BUFFERS); serve(); unlock_pool()
     :: atomic { maintenance != NOBODY && out_of_turn < OUT_OF_TURN -> out_of_turn++ };
        take_out_of_turn();
        LOAD(had_no_lock = true)
     fi;
#endif
     if
     :: b == NO_BUFFER && spare == NO_BUFFER -> take_given()
     :: else
     fi;
     if
     :: b != NO_BUFFER || spare != NO_BUFFER ->
        if
        :: spare == NO_BUFFER -> withdraw()
        :: else
        fi;
        break
     :: else
     fi;
     if
     :: b == NO_BUFFER && spare == NO_BUFFER && load(request(me)) == NONE -> ask_with(ticket); LOAD(had_no_lock = true)
     :: else
     fi;
     if
     :: wait_for_news()
     :: atomic { had_no_lock && maintenance == NOBODY -> skip }
     :: atomic { somebody_is_dead && maintenance == NOBODY -> maintenance = me; flush(me) };
        recover()
     :: atomic { somebody_died && maintenance == NOBODY && (is_one_free || is_promised_to_me || is_left_to_somebody) -> skip }
     :: atomic { timeouts_left > 0 -> timeouts_left-- };
        withdraw();
        break
     fi;
     LOAD(had_no_lock = false)
  od;
  LOAD(had_no_lock = false; ticket = 0)
}

proctype participant(byte me) {
  byte b = NO_BUFFER, spare = NO_BUFFER;            /* what it has */
  byte ticket, avoid = NO_BUFFER, out_of_turn;
  byte rounds, n, seen, whom, number, place, last;
  byte oldest = NOBODY, asked, asked_before;
  bool handed, is_promised, was_left, is_waited_for, is_mine, had_no_lock;

#ifdef HOLDER
  if
  :: me == 0 -> b = 0; rounds = ROUNDS
  :: else
  fi;
#endif
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
  LOAD(b = NO_BUFFER; spare = NO_BUFFER; ticket = 0; avoid = NO_BUFFER; out_of_turn = 0; rounds = 0; n = 0; seen = 0; whom = 0; number = 0; place = 0;
       last = 0; oldest = NOBODY; asked = 0; asked_before = 0; handed = false; is_promised = false; was_left = false;
       is_waited_for = false; is_mine = false; had_no_lock = false; ended++)
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

inline check_at_the_end() {
  do
  :: n < PARTICIPANTS ->
     assert(dead[n] || memory[request(n)] == NONE || (somebody_died && is_left(memory[request(n)])));
     n++
  :: else -> n = 0; break
  od;
  do
  :: n < BUFFERS ->
     assert(state_of(memory[word(n)]) == FREE || is_to_settle(state_of(memory[word(n)]) - local_of(0)) ||
            (is_left(memory[request(state_of(memory[word(n)]) - local_of(0))]) &&
             which(memory[request(state_of(memory[word(n)]) - local_of(0))]) == n));
     n++
  :: else -> break
  od
}

#define is_quiet (buffer[0].filled == 0 && buffer[PARTICIPANTS - 2].filled == 0 && buffer[PARTICIPANTS - 1].filled == 0)

init {
  byte n;

  atomic {
    choose_deaths();
#ifdef HOLDER
    memory[word(0)] = make_word(0, local_of(0));
#endif
    do
    :: n < PARTICIPANTS -> run participant(n); n++
    :: else -> break
    od;
    n = 0
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(check_at_the_end())
}
