/* A queue: blocks that are released, taken, done with, put back, and handed out again when their consumer dies.
 *
 * Mirrors   queue/ring.hpp, producer.cpp, consumer.cpp, returned.cpp, holdings.cpp. A block's state and its position are one word; so are a slot's
 *           position and its block.
 *             release   finds the first position that nobody filled; looks whether what stood in its slot was taken; says
 *                       `queued`, and at which position, in the block's word; then the slot by compare-and-swap, which decides
 *             take      what was put back first; then the slot at the own position leads to a block: if that is queued at that
 *                       position it is held, by compare-and-swap of its word
 *             done      the word says nothing; then the buffer is free
 *             put back  the word says `returned`; then the block's bit; then the flag, in one word with how often it was set
 *             look      of a taker, at what was put back: the flag; then the bits, and their blocks' words; a bit goes by who has the
 *                       block. Where none is returned the flag goes, by compare-and-swap of that word
 *             recovery  under the lock: what the dead one held is returned; the bits of all that is returned are set; what it was
 *                       about to release stands in no slot, and is let go
 * Assumed   sequential consistency: each store that somebody else decides by is a locked instruction, or stands before one of the
 *           same participant (the block's word before the slot's, or before its bit). A buffer that is nobody's and not free is
 *           found by the pool's scan. Hints (head and tail) are left out: everybody begins at the first position.
 * Deaths    everybody, at every store; another one goes on in the slot once it is settled.
 * Checked   no block is two consumers'; no message is done with before it is there, or overwritten while it is queued; each
 *           message is done with once; nobody waits for ever; when all is quiet, nothing is left, and all buffers are free.
 * Bounds    PRODUCERS of PUSHES messages each, CONSUMERS; SLOTS; BLOCKS; PUT_BACKS in all; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_POSITION, SLOT_FIRST, NO_LOOK_AT_TAKEN, PLAIN_SLOT, PLAIN_TAKE,
 * FLAG_FIRST, NO_CHANGES, BITS_GIVEN_UP, NO_BITS_OF_OTHERS, NO_UNCOMMITTED, NO_LOOK_AT_SLOT. */
#ifndef PUSHES
#define PUSHES 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef BLOCKS
#define BLOCKS 3
#endif
#ifndef PUT_BACKS
#define PUT_BACKS 1
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
/* More than there can be of them. */
#define CHANGES 16
#define WATCHDOG (PRODUCERS + CONSUMERS)
#define PARTICIPANTS (PRODUCERS + CONSUMERS + 1)
#include "participants.pml"

#define NONE 0
#define QUEUED 1
#define HELD 2
#define RETURNED 3
#define MESSAGES (PRODUCERS * PUSHES)

/* A block's word. */
byte state[BLOCKS];
byte at_position[BLOCKS];
byte owner[BLOCKS];
/* A slot's; positions begin at SLOTS, so that the lap before the first one is there. */
byte filled_at[SLOTS];
byte filled_with[SLOTS];
/* What was put back. */
bool bit_of[BLOCKS];
bool flag;
byte changes;
#define set_flag() flag = true; changes = (changes + 1) % CHANGES
/* The pool. */
byte local_of[BLOCKS];
/* The slots of the registry. */
bool settled[PARTICIPANTS];
byte put_backs_left = PUT_BACKS;

/* To check. */
byte message[BLOCKS];                               /* plus one */
bool pushed[MESSAGES];
bool finished[MESSAGES];
byte unfinished;
byte ended, ended_consumers;

#define slot_of(p) ((p) % SLOTS)
#define is_in_slot(b) (filled_at[slot_of(at_position[b])] == at_position[b] && filled_with[slot_of(at_position[b])] == b)

#ifdef NO_POSITION
#define is_queued_at(b, p) (state[b] == QUEUED)
#else
#define is_queued_at(b, p) (state[b] == QUEUED && at_position[b] == (p))
#endif

inline say_queued() {
  STORE(assert(local_of[b] == me || is_released); state[b] = QUEUED; at_position[b] = p; owner[b] = me)
}

/* Says by `is_released` whether it is there now. */
inline fill_slot() {
  STORE(
    if
#ifndef PLAIN_SLOT
    :: filled_at[slot_of(p)] != p - SLOTS || filled_with[slot_of(p)] != before -> skip
    :: else ->
#else
    :: true ->
#endif
       assert(!(p >= 2 * SLOTS && is_queued_at(filled_with[slot_of(p)], p - SLOTS)));
       filled_at[slot_of(p)] = p; filled_with[slot_of(p)] = b;
       pushed[message[b] - 1] = true; unfinished++; local_of[b] = NOBODY; is_released = true
    fi)
}

#ifdef NO_LOOK_AT_TAKEN
#define is_full false
#else
#define is_full (p >= 2 * SLOTS && is_queued_at(before, p - SLOTS))
#endif

inline release() {
  do
  :: is_released -> break
  :: else ->
     LOAD(
       do
       :: filled_at[slot_of(p)] >= p -> p = filled_at[slot_of(p)] + 1
       :: else -> break
       od;
       before = filled_with[slot_of(p)]);
     if
     :: LOAD(!is_full) ->
#ifdef SLOT_FIRST
        fill_slot();
        if :: is_released -> say_queued() :: else fi
#else
        say_queued();
        fill_slot()
#endif
     :: LOAD(is_full && filled_at[slot_of(p)] >= p) -> skip
     fi
  od
}

/* What the pool gives. */
#define acquire(which) \
  atomic { \
    state[which] == NONE && local_of[which] == NOBODY -> \
    b = which; local_of[which] = me; pushes++; message[b] = me * PUSHES + pushes; p = SLOTS \
  }

proctype producer(byte me) {
  byte b, p, before, pushes;
  bool is_released;

born:
  do
  :: pushes < PUSHES ->
     if
     :: acquire(0)
     :: acquire(1)
#if BLOCKS > 2
     :: acquire(2)
#endif
#if BLOCKS > 3
     :: acquire(3)
#endif
     fi;
     release();
     LOAD(is_released = false; p = 0; b = 0; before = 0)
  :: else -> break
  od;
killed:
  LOAD(is_released = false; p = 0; b = 0; before = 0);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(pushes = 0; ended++)
  fi
}

/* Makes `b` this consumer's, if it is `from` still. */
inline take(from) {
  STORE(
    if
#ifndef PLAIN_TAKE
    :: state[b] != from || (from == QUEUED && !is_queued_at(b, h)) -> skip
#endif
    :: else ->
       assert(message[b] != 0 && pushed[message[b] - 1]);
       assert(state[b] != HELD || dead[owner[b]]);
       state[b] = HELD; owner[b] = me; has = true
    fi)
}

/* One bit that was seen. */
inline take_returned() {
  LOAD(is_so = (state[b] == RETURNED); any = any || is_so);
  if
  :: is_so -> take(RETURNED)
  :: else
  fi;
#ifdef BITS_GIVEN_UP
  if
  :: !is_so -> STORE(bit_of[b] = false)
  :: else
  fi;
#endif
  if
  :: has -> STORE(bit_of[b] = false)
  :: else
  fi
}

inline look_at_returned() {
  LOAD(is_so = flag; seen = changes; any = false; b = 0);
  if
  :: is_so ->
     do
     :: LOAD(!has && b < BLOCKS && bit_of[b]) -> take_returned(); LOAD(if :: !has -> b++ :: else fi)
     :: LOAD(!has && b < BLOCKS && !bit_of[b]) -> LOAD(b++)
     :: LOAD(has || b == BLOCKS) -> break
     od;
     if
#ifndef NO_CHANGES
     :: !any -> STORE(if :: flag && changes == seen -> flag = false :: else fi)
#else
     :: !any -> STORE(flag = false)
#endif
     :: else
     fi
  :: else
  fi;
  LOAD(seen = 0; any = false)
}

inline look_at_ring() {
  LOAD(
    if
    :: filled_at[slot_of(h)] > h -> h = filled_at[slot_of(h)] - SLOTS + 1
    :: else
    fi;
    is_so = filled_at[slot_of(h)] == h;
    if :: is_so -> b = filled_with[slot_of(h)] :: else fi);
  if
  :: is_so ->
     LOAD(is_so = is_queued_at(b, h); if :: !is_so -> h++ :: else fi);
     if
     :: is_so -> take(QUEUED); LOAD(h++)
     :: else
     fi
  :: else
  fi
}

inline finish() {
  STORE(assert(state[b] == HELD && owner[b] == me && !finished[message[b] - 1]);
        finished[message[b] - 1] = true; unfinished--; message[b] = 0; state[b] = NONE)
}

inline put_back() {
  LOAD(put_backs_left--);
#ifdef FLAG_FIRST
  STORE(set_flag());
#endif
  STORE(state[b] = RETURNED);
  STORE(bit_of[b] = true);
#ifndef FLAG_FIRST
  STORE(set_flag())
#endif
}

/* Under the lock. */
inline settle_block(whom) {
  if
  :: LOAD(state[b] == HELD && owner[b] == whom) -> STORE(state[b] = RETURNED)
  :: LOAD(!(state[b] == HELD && owner[b] == whom))
  fi;
#ifndef NO_UNCOMMITTED
  LOAD(is_so = (state[b] == QUEUED && owner[b] == whom && !is_in_slot(b)));
#ifdef NO_LOOK_AT_SLOT
  LOAD(is_so = (state[b] == QUEUED && owner[b] == whom));
#endif
  if
  :: is_so -> STORE(if :: state[b] == QUEUED && owner[b] == whom -> state[b] = NONE :: else fi)
  :: else
  fi;
#endif
#ifdef NO_BITS_OF_OTHERS
  LOAD(is_so = (state[b] == RETURNED && owner[b] != whom));
#else
  LOAD(is_so = (state[b] == RETURNED));
#endif
  if
  :: is_so -> STORE(bit_of[b] = true)
  :: else
  fi
}

inline recover(whom) {
  lock();
  if
  :: LOAD(dead[whom] && !settled[whom]) ->
     LOAD(b = 0);
     do
     :: b < BLOCKS -> settle_block(whom); LOAD(b++)
     :: else -> break
     od;
     STORE(set_flag());
     /* The pool's own: what was the dead one's alone. */
     STORE(
       b = 0;
       do
       :: b < BLOCKS ->
          if :: local_of[b] == whom -> local_of[b] = NOBODY; message[b] = 0 :: else fi;
          b++
       :: else -> break
       od;
       b = 0; settled[whom] = true)
  :: LOAD(!(dead[whom] && !settled[whom]))
  fi;
  unlock()
}

#define is_over (ended == PRODUCERS && unfinished == 0)

proctype consumer(byte me) {
  byte b, h, seen;
  bool has, is_so, any;

born:
  LOAD(h = SLOTS);
  do
  :: true ->
     look_at_returned();
     if
     :: !has -> look_at_ring()
     :: has
     fi;
     if
     :: has ->
        if
        :: finish()
        :: LOAD(put_backs_left > 0) -> put_back()
        fi;
        LOAD(has = false; b = 0; is_so = false)
     :: !has ->
        LOAD(b = 0; is_so = false);
        if
        :: LOAD(is_over) -> break
        :: LOAD(flag || filled_at[slot_of(h)] >= h)
        fi
     fi
  od;
killed:
  LOAD(has = false; b = 0; h = 0; is_so = false; seen = 0; any = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(ended_consumers++)
  fi
}

/* Whoever recovers; when it dies, another one comes. */
proctype watchdog(byte me) {
  byte b, whom;
  bool is_so;

born:
  do
  :: atomic { dead[0] && !settled[0] -> whom = 0 }; recover(whom)
  :: atomic { dead[1] && !settled[1] -> whom = 1 }; recover(whom)
#if WATCHDOG > 2
  :: atomic { dead[2] && !settled[2] -> whom = 2 }; recover(whom)
#endif
#if WATCHDOG > 3
  :: atomic { dead[3] && !settled[3] -> whom = 3 }; recover(whom)
#endif
  :: ended_consumers == CONSUMERS -> break
  od;
  LOAD(
    b = 0;
    do
    :: b < BLOCKS -> assert(state[b] == NONE && local_of[b] == NOBODY); b++
    :: else -> break
    od);
killed:
  LOAD(b = 0; whom = 0; is_so = false);
  if
  :: dead[me] -> LOAD(dead[me] = false); goto born
  :: else
  fi
}

init {
  atomic {
    byte i;
    choose_deaths();
    i = 0;
    do
    :: i < BLOCKS -> local_of[i] = NOBODY; i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < SLOTS -> filled_at[i] = i; filled_with[i] = NOBODY; i++
    :: else -> break
    od;
    i = 0;
    run producer(0);
#if PRODUCERS > 1
    run producer(1);
#endif
    run consumer(PRODUCERS);
#if CONSUMERS > 1
    run consumer(PRODUCERS + 1);
#endif
    run watchdog(WATCHDOG)
  }
}
