/* A block that is passed on from one queue to another, done with there, and brought to the first one again.
 *
 * Mirrors   queue/pass.cpp, leaving.hpp, pool/hand_over.cpp (renew_rooted, free_rooted), scan.cpp. One block.
 *             pass      says that it passes; the other queue's root, of the next incarnation, and `passing`; the buffer's word gets
 *                       that incarnation by compare-and-swap; the block leaves the first queue; it is released in the other one; the
 *                       passer says that it passes nothing
 *             done      the word of the queue says none; then the buffer is freed by compare-and-swap, of the root's incarnation
 *             release   of the first queue, of a buffer that is free: root; `queued`; the buffer is shared; the slot
 *             scan      what is shared and has no root is dying; the roots once more; then free. Roots are read one after the other
 *             recovery  of the passer: see settle_pass()
 * Assumed   sequential consistency: what decides is a compare-and-swap of the buffer's word, and each store before it comes from the
 *           same participant. The ring, and what is put back: queue.pml has them; here a queue has a flag that leads to its block.
 * Deaths    everybody but who recovers, at every store. Whoever comes next in the slot goes on once it is settled.
 * Checked   a message is done with once, and none is lost; nobody gets the buffer while a consumer has it; when all is quiet,
 *           the block is in one of the queues, or its buffer is free.
 * Bounds    MESSAGES; SCANS; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_RENEWAL, LEFT_LAST, NO_PASS_SETTLED, ALWAYS_UNDONE, NO_PASSING_ROOT, ROOT_LAST. */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef SCANS
#define SCANS 1
#endif
#define PARTICIPANTS 3
#define PASSER 0
#define OTHER 1
#define SCANNER 2
#include "participants.pml"

/* The buffer's word. */
mtype = { FREE, LOCAL, SHARED, DYING, NONE, QUEUED, HELD, PASSING };
mtype word = FREE;
byte incarnation;
/* Of each queue: the block's word, its root, and the slot that leads there. */
mtype state[2] = NONE;
byte root[2];
byte owner[2] = NOBODY;
bool in_ring[2];
/* The passer's slot. */
bool says_passing;
bool settled[PARTICIPANTS];

byte message;                                        /* in the buffer */
byte sent, finished;
bool is_finished[MESSAGES + 1];
byte ended;

#define has_root(q) (state[q] != NONE && root[q] == incarnation)

inline take(q) {
  if
  :: atomic { in_ring[q] && state[q] == QUEUED -> state[q] = HELD; owner[q] = me; in_ring[q] = false; has = true;
              assert(word == SHARED || word == DYING); assert(root[q] == incarnation) }
  :: atomic { !(in_ring[q] && state[q] == QUEUED) }
  fi
}

inline renew() {
#ifdef NO_RENEWAL
  STORE(renewed = true)
#else
  STORE(if
        :: (word == SHARED || word == DYING) && incarnation == root[0] -> word = SHARED; incarnation++; renewed = true
        :: else
        fi)
#endif
}

#ifdef NO_RENEWAL
#define next_of(inc) (inc)
#else
#define next_of(inc) ((inc) + 1)
#endif

inline pass() {
  STORE(says_passing = true);
#ifdef ROOT_LAST
  STORE(state[1] = PASSING; owner[1] = me);
#else
  STORE(root[1] = next_of(root[0]));
#ifndef NO_PASSING_ROOT
  STORE(state[1] = PASSING; owner[1] = me);
#endif
#endif
  renew();
  assert(renewed);
#ifdef ROOT_LAST
  STORE(root[1] = next_of(root[0]));
#endif
#ifndef LEFT_LAST
  STORE(state[0] = NONE);
#endif
  STORE(state[1] = QUEUED; owner[1] = me);
  STORE(in_ring[1] = true);
#ifdef LEFT_LAST
  STORE(state[0] = NONE);
#endif
  STORE(says_passing = false)
}

proctype passer(byte me) {
  bool has, renewed;
born:
  do
  :: take(0);
     if
     :: has -> pass(); LOAD(has = false; renewed = false)
     :: else -> if :: atomic { finished == MESSAGES } -> break :: atomic { in_ring[0] } fi
     fi
  od;
killed:
  LOAD(has = false; renewed = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(ended++)
  fi
}

/* Finishes what the other queue has, and sends the next message by the first one. */
proctype other(byte me) {
  bool has;
born:
  do
  :: take(1);
     if
     :: has ->
        STORE(assert(!is_finished[message] && state[1] == HELD && owner[1] == me);
              is_finished[message] = true; finished++; state[1] = NONE; has = false);
        STORE(if :: word == SHARED && incarnation == root[1] -> word = FREE; incarnation++ :: else fi)
     :: else
     fi;
     if
     :: atomic { word == FREE && sent < MESSAGES ->
                 assert(owner[0] == NOBODY || state[0] != HELD); assert(owner[1] == NOBODY || state[1] != HELD);
                 word = LOCAL; sent++; message = sent };
        STORE(root[0] = incarnation);
        STORE(state[0] = QUEUED; owner[0] = me);
        STORE(word = SHARED);
        STORE(in_ring[0] = true)
     :: atomic { in_ring[1] }
     :: atomic { finished == MESSAGES } -> break
     fi
  od;
killed:
  LOAD(has = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(ended++)
  fi
}

inline look_for_roots() {
  LOAD(rooted = has_root(1));
  if
  :: !rooted -> LOAD(rooted = has_root(0))
  :: else
  fi
}

proctype scanner(byte me) {
  byte scans, seen;
  bool rooted;
  do
  :: scans < SCANS ->
     look_for_roots();
     LOAD(scans++; seen = incarnation);
     if
     :: rooted
     :: !rooted ->
        STORE(if :: word == SHARED && incarnation == seen -> word = DYING :: else fi);
        if
        :: LOAD(word == DYING) ->
           look_for_roots();
           if
           :: rooted -> STORE(if :: word == DYING && incarnation == seen -> word = SHARED :: else fi)
           :: !rooted -> STORE(if :: word == DYING && incarnation == seen -> word = FREE; incarnation++ :: else fi)
           fi
        :: LOAD(word != DYING)
        fi
     fi;
     LOAD(rooted = false; seen = 0)
  :: else -> break
  od;
killed:
  LOAD(ended++)
}

/* settle_pass(), and what else recovery does about the passer. */
inline settle_passer() {
  LOAD(is_there = !(state[0] == HELD && owner[0] == PASSER) || incarnation != root[0]);
#ifdef ALWAYS_UNDONE
  LOAD(is_there = false);
#endif
  if
  :: says_passing && is_there && state[0] == HELD && owner[0] == PASSER -> LOAD(state[0] = NONE)
  :: else
  fi;
  LOAD(on_its_way = says_passing && owner[1] == PASSER && (state[1] == PASSING || (state[1] == QUEUED && !in_ring[1])));
  if
  :: on_its_way && is_there -> LOAD(state[1] = QUEUED); LOAD(in_ring[1] = true)
  :: on_its_way && !is_there -> LOAD(state[1] = NONE)
  :: else
  fi;
  LOAD(says_passing = false)
}

proctype watchdog() {
  byte me = NOBODY - 1;
  bool is_there, on_its_way;
  do
  :: atomic { dead[PASSER] && !settled[PASSER] };
#ifndef NO_PASS_SETTLED
     settle_passer();
#endif
     atomic {
       if
       :: state[0] == HELD && owner[0] == PASSER -> state[0] = QUEUED; in_ring[0] = true
       :: else
       fi;
       settled[PASSER] = true; is_there = false; on_its_way = false
     }
  :: atomic { dead[OTHER] && !settled[OTHER] ->
       if
       :: state[1] == HELD && owner[1] == OTHER -> state[1] = QUEUED; in_ring[1] = true
       :: else
       fi;
       if
       :: state[0] == QUEUED && owner[0] == OTHER && !in_ring[0] -> state[0] = NONE; sent--
       :: word == LOCAL && !in_ring[0] -> sent--
       :: else
       fi;
       if :: word == LOCAL -> word = FREE; incarnation++ :: else fi;
       settled[OTHER] = true
     }
  /* Nobody else needs a buffer here: a scan comes as often as it is needed. */
  :: atomic { word == SHARED && state[0] == NONE && state[1] == NONE && !says_passing ->
              word = FREE; incarnation++ }
  :: atomic { word == DYING && ended >= 1 && dead[SCANNER] -> word = SHARED; dead[SCANNER] = false }
  :: atomic { ended == PARTICIPANTS } -> break
  od;
  assert(state[0] == NONE && state[1] == NONE && (word == FREE || word == SHARED || word == DYING))
}

init {
  atomic {
    choose_deaths();
    run passer(PASSER); run other(OTHER); run scanner(SCANNER); run watchdog()
  }
}
