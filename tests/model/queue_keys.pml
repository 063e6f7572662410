/* A queue with keys: blocks of one key are worked on one after the other, in their order, and a key that is busy is in nobody's way.
 *
 * Mirrors   queue/lanes.cpp, consumer.cpp, holdings.cpp. Keys are lanes here: who has a block of a lane has claimed that.
 *             ring      a block of a lane that is free, and of which nothing waits, is claimed, and held, by compare-and-swap. Otherwise it
 *                       is parked: its bit; `has` of its lane; then its word: queued -> waiting, by compare-and-swap; and passed by
 *             lane      claimed by compare-and-swap; the oldest block that waits, if no older one can be in the ring; held; its bit goes.
 *                       Where none waits: `has` goes, and comes back if there is a bit of a block of the lane that is somebody's by then
 *             done      the word says nothing; then the claim goes
 *             put back  the bit; `has`; the word: waiting; then the claim goes
 *             pass      a block that comes beside the ring, at the position of its end: as put back, without a claim
 *             recovery  under the lock: as put back, of what the dead one held; `has` of all bits of blocks that are somebody's; then
 *                       the dead one's claims go
 * Assumed   sequential consistency, as in queue.pml; the ring's release, and what is returned without a key, are there.
 * Deaths    consumers and whoever recovers, at every store; another one goes on in the slot once it is settled.
 * Checked   a block of a lane is held only when all older ones of that lane are done with, by one at a time; each is done with once;
 *           nobody waits for ever; when all is quiet, no lane is claimed.
 * Bounds    MESSAGES in the ring, every third one of another lane if there are 2 LANES; BLOCKS; PUT_BACKS in all; BESIDE one that
 *           comes beside the ring; DEATHS.
 *
 * Each of these leaves out one step, and must fail: BIT_LAST, HAS_LAST, PLAIN_CLAIM, NO_LOOK_AT_HAS, ANY_THAT_WAITS, NO_LOOK_AT_POSITION,
 * NO_SECOND_LOOK, NO_LOOK_AT_WHAT_COMES, BITS_GIVEN_UP, CLAIM_RELEASED_FIRST, NO_CLAIM_SETTLED, CLAIM_SETTLED_FIRST, NO_HAS_SETTLED. */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef PUT_BACKS
#define PUT_BACKS 1
#endif
#define CONSUMERS 2
#define WATCHDOG CONSUMERS
#define PARTICIPANTS (CONSUMERS + 1)
#include "participants.pml"

#ifdef BESIDE
#define ALL_MESSAGES (MESSAGES + 1)
#define ALL_BLOCKS (BLOCKS + 1)
#else
#define ALL_MESSAGES MESSAGES
#define ALL_BLOCKS BLOCKS
#endif

#define NONE 0
#define QUEUED 1
#define HELD 2
#define WAITING 3
#define PASSING 4

/* A block's word. The block of the ring's position p is p % BLOCKS; the one beside it has a block of its own. */
byte state[ALL_BLOCKS];
byte at_position[ALL_BLOCKS];
byte owner[ALL_BLOCKS];
byte filled;                                        /* positions */
/* The lanes. */
bool bit_of[ALL_BLOCKS];
bool has[LANES];
byte claim[LANES];
bool settled[PARTICIPANTS];
byte put_backs_left = PUT_BACKS;

/* To check. */
byte message[ALL_BLOCKS];
bool is_there[ALL_MESSAGES];
bool finished[ALL_MESSAGES];
byte unfinished = ALL_MESSAGES;
byte ended_consumers;

#if LANES > 1
#define lane_at(p) ((p) % 3 == 1 -> 1 : 0)
#else
#define lane_at(p) 0
#endif
#define lane_of(b) ((b) == BLOCKS -> 0 : lane_at(at_position[b]))
#define is_queued_at(b, p) (state[b] == QUEUED && at_position[b] == (p))

/* Of two blocks: one that came beside is before the one that is at its position. */
#define is_older(a, b) (at_position[a] < at_position[b] || (at_position[a] == at_position[b] && (a) == BLOCKS))

inline check_order(b) {
  i = 0;
  do
  :: i < ALL_BLOCKS ->
     assert(i == b || lane_of(i) != lane_of(b) || state[i] != HELD);
     assert(i == b || lane_of(i) != lane_of(b) || state[i] == NONE || is_older(b, i) || i == BLOCKS);
     i++
  :: else -> break
  od;
  i = 0
}

proctype releaser() {
  byte p, b;
  do
  :: p < MESSAGES ->
     b = p % BLOCKS;
     atomic {
       state[b] == NONE && filled == p ->
       state[b] = QUEUED; at_position[b] = p; message[b] = p; is_there[p] = true; filled++
     }
     p++
  :: else -> break
  od
}

#ifdef BESIDE
/* At the position of the ring's end, as it was. */
proctype passer() {
  atomic { state[BLOCKS] = PASSING; at_position[BLOCKS] = filled; message[BLOCKS] = MESSAGES }
  atomic { bit_of[BLOCKS] = true }
  atomic { has[0] = true }
  atomic { state[BLOCKS] = WAITING; is_there[MESSAGES] = true }
}
#endif

inline show_waiting() {
  STORE(bit_of[b] = true);
  STORE(has[l] = true)
}

inline hold(from) {
  STORE(
    if
    :: state[b] == from && (from == WAITING || is_queued_at(b, h)) ->
       assert(is_there[message[b]] && !finished[message[b]]);
       check_order(b);
       state[b] = HELD; owner[b] = me; is_mine = true
    :: else
    fi)
}

inline try_claim() {
#ifdef PLAIN_CLAIM
  STORE(claim[l] = me; is_claimed = true)
#else
  STORE(if :: claim[l] == NOBODY -> claim[l] = me; is_claimed = true :: else fi)
#endif
}

inline park() {
#ifdef BIT_LAST
  STORE(has[l] = true);
#else
#ifdef HAS_LAST
  STORE(bit_of[b] = true);
#else
  show_waiting();
#endif
#endif
  STORE(if :: is_queued_at(b, h) -> state[b] = WAITING :: else fi);
#ifdef BIT_LAST
  STORE(bit_of[b] = true);
#endif
#ifdef HAS_LAST
  STORE(has[l] = true);
#endif
  LOAD(h++)
}

/* Which of those whose bits are set, all read at once, is the oldest that waits. */
inline find_oldest() {
  LOAD(bits = 0; b = 0; do :: b < ALL_BLOCKS -> bits = bits | (bit_of[b] << b); b++ :: else -> break od; b = 0; oldest = NOBODY);
  do
  :: b < ALL_BLOCKS && (bits & (1 << b)) != 0 ->
#ifdef BITS_GIVEN_UP
     if
     :: LOAD(state[b] == NONE) ->
        STORE(bit_of[b] = false);
        if
        :: LOAD(state[b] == QUEUED || state[b] == WAITING) -> STORE(bit_of[b] = true)
        :: LOAD(state[b] != QUEUED && state[b] != WAITING)
        fi
     :: LOAD(state[b] != NONE)
     fi;
#endif
     LOAD(
       if
       :: state[b] == WAITING && lane_of(b) == l ->
#ifdef ANY_THAT_WAITS
          if
          :: oldest = b
          :: oldest == NOBODY -> oldest = b
          :: oldest != NOBODY
          fi
#else
          if
          :: oldest == NOBODY -> oldest = b
          :: oldest != NOBODY -> if :: is_older(b, oldest) -> oldest = b :: else fi
          fi
#endif
       :: else
       fi;
       b++)
  :: b < ALL_BLOCKS && (bits & (1 << b)) == 0 -> LOAD(b++)
  :: else -> break
  od;
  LOAD(b = 0; bits = 0)
}

inline settle_has() {
  STORE(has[l] = false);
#ifndef NO_SECOND_LOOK
  LOAD(bits = 0; b = 0; do :: b < ALL_BLOCKS -> bits = bits | (bit_of[b] << b); b++ :: else -> break od; b = 0);
  do
  :: b < ALL_BLOCKS ->
     LOAD(
#ifdef NO_LOOK_AT_WHAT_COMES
       comes = (bits & (1 << b)) != 0 && state[b] == WAITING && lane_of(b) == l;
#else
       comes = (bits & (1 << b)) != 0 && state[b] != NONE && lane_of(b) == l;
#endif
       b++);
     if
     :: comes -> STORE(has[l] = true)
     :: else
     fi
  :: else -> break
  od;
  LOAD(b = 0; bits = 0; comes = false)
#endif
}

/* The lane is claimed. */
inline take_from_lane() {
  find_oldest();
  if
  :: oldest == NOBODY -> settle_has()
#ifdef NO_LOOK_AT_POSITION
  :: oldest != NOBODY ->
#else
  :: oldest != NOBODY && at_position[oldest] > h -> skip
  :: oldest != NOBODY && at_position[oldest] <= h ->
#endif
     LOAD(b = oldest; oldest = NOBODY);
     hold(WAITING);
     if
     :: is_mine -> STORE(bit_of[b] = false)
     :: else
     fi
  fi;
  LOAD(oldest = NOBODY)
}

inline release_claim() {
  STORE(claim[l] = NOBODY);
  LOAD(is_claimed = false)
}

/* Where the consumer's position is. */
inline advance() {
  do
  :: LOAD(filled > h && !is_queued_at(h % BLOCKS, h)) -> LOAD(h++)
  :: LOAD(!(filled > h && !is_queued_at(h % BLOCKS, h))) -> break
  od
}

inline look_at_lane(which) {
  LOAD(l = which);
  if
  :: LOAD(!is_mine && has[l] && claim[l] == NOBODY) ->
     try_claim();
     if
     :: is_claimed ->
        take_from_lane();
        if :: !is_mine -> release_claim() :: else fi
     :: else
     fi
  :: LOAD(is_mine || !has[l] || claim[l] != NOBODY)
  fi
}

inline look_at_ring() {
  LOAD(b = h % BLOCKS; l = lane_at(h); comes = filled > h && is_queued_at(b, h));
  if
  :: comes ->
     LOAD(comes = false);
     try_claim();
     if
     :: is_claimed ->
#ifdef NO_LOOK_AT_HAS
        LOAD(comes = false);
#else
        LOAD(comes = has[l]);
#endif
        if
        :: comes -> LOAD(comes = false); park(); take_from_lane()
        :: else -> hold(QUEUED); LOAD(h++)
        fi;
        if :: !is_mine -> release_claim() :: else fi
     :: else -> park()
     fi
  :: else
  fi
}

inline finish() {
  STORE(assert(state[b] == HELD && owner[b] == me && !finished[message[b]]);
        finished[message[b]] = true; unfinished--; state[b] = NONE);
  release_claim()
}

inline put_back() {
  LOAD(put_backs_left--);
#ifdef CLAIM_RELEASED_FIRST
  release_claim();
#endif
  show_waiting();
  STORE(state[b] = WAITING);
#ifndef CLAIM_RELEASED_FIRST
  release_claim()
#endif
}

#define waits(b) (state[b] == WAITING && has[lane_of(b)] && claim[lane_of(b)] == NOBODY)
#define may_find (filled > h || waits(0) || waits(1) || waits(ALL_BLOCKS - 1))

proctype consumer(byte me) {
  byte b, h, l, i, bits;
  byte oldest = NOBODY;
  bool is_mine, is_claimed, comes;

born:
  do
  :: true ->
     advance();
     look_at_lane(0);
#if LANES > 1
     look_at_lane(1);
#endif
     if
     :: !is_mine -> look_at_ring()
     :: is_mine
     fi;
     if
     :: is_mine ->
        LOAD(l = lane_of(b));
        if
        :: finish()
        :: LOAD(put_backs_left > 0) -> put_back()
        fi;
        LOAD(is_mine = false; b = 0; l = 0)
     :: !is_mine ->
        LOAD(b = 0; l = 0);
        if
        :: LOAD(unfinished == 0) -> break
        :: LOAD(may_find)
        fi
     fi
  od;
killed:
  LOAD(b = 0; h = 0; l = 0; i = 0; bits = 0; oldest = NOBODY; is_mine = false; is_claimed = false; comes = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(ended_consumers++)
  fi
}

inline settle_claims(whom) {
  STORE(
    l = 0;
    do
    :: l < LANES -> if :: claim[l] == whom -> claim[l] = NOBODY :: else fi; l++
    :: else -> break
    od;
    l = 0)
}

/* Under the lock. */
inline settle_block(whom) {
  LOAD(l = lane_of(b));
  if
  :: LOAD(state[b] == HELD && owner[b] == whom) -> show_waiting(); STORE(state[b] = WAITING)
  :: LOAD(!(state[b] == HELD && owner[b] == whom))
  fi;
#ifndef NO_HAS_SETTLED
  LOAD(comes = bit_of[b] && state[b] != NONE; l = lane_of(b));
  if
  :: comes -> STORE(has[l] = true)
  :: else
  fi;
#endif
  LOAD(comes = false; l = 0)
}

inline recover(whom) {
  lock();
  if
  :: LOAD(dead[whom] && !settled[whom]) ->
#ifdef CLAIM_SETTLED_FIRST
     settle_claims(whom);
#endif
     LOAD(b = 0);
     do
     :: b < ALL_BLOCKS -> settle_block(whom); LOAD(b++)
     :: else -> break
     od;
     LOAD(b = 0);
#ifndef CLAIM_SETTLED_FIRST
#ifndef NO_CLAIM_SETTLED
     settle_claims(whom);
#endif
#endif
     STORE(settled[whom] = true)
  :: LOAD(!(dead[whom] && !settled[whom]))
  fi;
  unlock()
}

/* Whoever recovers; when it dies, another one comes. */
proctype watchdog(byte me) {
  byte b, l;
  bool comes;

born:
  do
  :: LOAD(dead[0] && !settled[0]) -> recover(0)
  :: LOAD(dead[1] && !settled[1]) -> recover(1)
  :: ended_consumers == CONSUMERS -> break
  od;
  LOAD(
    l = 0;
    do
    :: l < LANES -> assert(claim[l] == NOBODY); l++
    :: else -> break
    od);
killed:
  LOAD(b = 0; l = 0; comes = false);
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
    :: i < LANES -> claim[i] = NOBODY; i++
    :: else -> break
    od;
    i = 0;
    run releaser();
#ifdef BESIDE
    run passer();
#endif
    run consumer(0);
    run consumer(1);
    run watchdog(WATCHDOG)
  }
}
