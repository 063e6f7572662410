/* A pool of shared buffers: who holds a buffer says so in a root of his own; a scan of all roots frees what nobody holds.
 *
 * Mirrors   pool/sharing.cpp, pool/scan.cpp, pool/holdings.cpp. One buffer, whose word says incarnation, state and owner; each
 *           participant has ROOTS roots, which only he writes (recovery, once he is dead). There is no count to keep right.
 *             acquire   FREE -> LOCAL by compare-and-swap; then the owner writes the bytes
 *             release   LOCAL -> FREE of the next incarnation, a plain store
 *             share     root, then LOCAL -> SHARED; then the reference may travel
 *             adopt     root, light fence, look: SHARED is fine; DYING must be swapped to SHARED; all else is stale
 *             let go    root = 0
 *             scan      under the pool's lock: settle the dead, SHARED -> DYING, heavy fence, read the roots, and swap
 *                       DYING to SHARED if one is there, to FREE of the next incarnation if none is
 *           A scan's first look at the roots, which only spares it the rest, stands in the last scan alone: the others go on
 *           to DYING whatever is rooted, which asks more. Roots are read one by one.
 * Assumed   total store order, as store_buffers.pml says; that the locks of the kernel are fences; that a slot is taken in
 *           one step (attach.pml), and only once it is free in memory; that incarnations do not come round again while
 *           somebody has an old reference. Buffers do not touch each other: one stands for all.
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go. His slot may be
 *           taken by another one once he is settled.
 * Checked   whoever owns or has adopted a buffer finds its word of his incarnation, not free, and its bytes as the owner of
 *           that use wrote them: as soon as he has it and again when he lets it go, which is enough, since neither an
 *           incarnation nor a use comes back; so no reference yields what it was not made for; a reference that somebody
 *           holds from when it was taken to the look is not stale; when all is quiet and a last scan has run, the buffer is
 *           free unless one who lives roots it.
 * Bounds    2 or 3 PARTICIPANTS, each of whom does anything; ACQUIRES, ADOPTIONS, SCANS (before the last) and MOVES among
 *           them all; 1 or 2 ROOTS each; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_DYING, NO_HEAVY_FENCE, FENCE_BEFORE_DYING, ROOTS_BEFORE_DYING,
 * FREED_BY_STORE, NO_LOCK, NO_GOING_ON, NO_RESCUE, RESCUE_UNCHECKED, NO_LOOK_AGAIN, NO_ROOT_FIRST, SHARED_BEFORE_ROOT,
 * PUBLISHED_FIRST, NO_INCARNATION, NO_SETTLING, NO_OWNERS_SETTLED, SLOT_FREED_FIRST; MOVE_WITHOUT_LOOK, with ROOTS=2.
 * PLAIN_STORES is free of errors: a scan, whose lock keeps every other one away, needs no compare-and-swap but to free. */
#ifndef PARTICIPANTS
#define PARTICIPANTS 3
#endif
#ifndef ACQUIRES
#define ACQUIRES 2
#endif
#ifndef ADOPTIONS
#define ADOPTIONS 2
#endif
#ifndef SCANS
#define SCANS 1
#endif
#ifndef ROOTS
#define ROOTS 1
#endif
#ifndef MOVES
#define MOVES 2
#endif
#define BUFFERED PARTICIPANTS

#define WORD 0                                      /* the buffer's */
#define BYTES 1                                     /* which use of the buffer wrote them */
#define REFERENCE 2                                 /* where a reference travels: a message, say */
#define slot(who) (3 + (who))
#define root(who, k) (3 + PARTICIPANTS + (who) * ROOTS + (k))
#define WORDS (3 + PARTICIPANTS + PARTICIPANTS * ROOTS)

#define FREE 0
#define SHARED 1
#define DYING 2
#define local_of(who) (3 + (who))
#define make_word(incarnation, state) ((incarnation) * 8 + (state))
#define state_of(word) ((word) % 8)
#define incarnation_of(word) ((word) / 8)
#define is_local(word) (state_of(word) >= local_of(0))
#ifdef NO_INCARNATION
#define freed(incarnation) make_word(incarnation, FREE)
#else
#define freed(incarnation) make_word((incarnation) + 1, FREE)
#endif

#define TAKEN 1                                     /* a slot, or FREE */

/* A reference is an incarnation. To check, it carries the use for which it was made as well; nobody acts on that. */
#define make_reference(incarnation, use) ((incarnation) * 8 + (use))
#define use_of(reference) ((reference) % 8)
#define rooted(reference) (incarnation_of(reference) + 1)  /* what stands in a root */

/* The kernel drops a dead one's locks behind his last store. */
#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

byte acquires_left = ACQUIRES, adoptions_left = ADOPTIONS, scans_left = SCANS;
#if ROOTS > 1
byte moves_left = MOVES;
#endif
byte ended;

/* For the checks: which use each participant holds; and who has held what an adopter goes for since it took the reference. */
byte uses;
byte holds[PARTICIPANTS];
byte relied_on[PARTICIPANTS];

inline note_holders() {
  n = 0;
  do
  :: n < PARTICIPANTS ->
     if
     :: holds[n] == use_of(hand) -> relied_on[me] = relied_on[me] | only(n)
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}

inline forget_holder(who) {
  holds[who] = 0;
  n = 0;
  do
  :: n < PARTICIPANTS -> relied_on[n] = relied_on[n] & ~only(who); n++
  :: else -> n = 0; break
  od
}

/* What one who holds the buffer sees. */
#define is_as_shared \
  ((load(WORD) == make_word(incarnation_of(hand), SHARED) || load(WORD) == make_word(incarnation_of(hand), DYING)) && \
   load(BYTES) == use_of(hand))
#define is_as_owned (load(WORD) == make_word(incarnation_of(hand), local_of(me)) && load(BYTES) == use_of(hand))

/* A compare-and-swap of the buffer's word. */
inline swap(expected, wanted) {
  true;                                             /* an `else` that an alternative begins with is the alternatives' own */
  flush(me);
  if
  :: memory[WORD] == (expected) -> memory[WORD] = wanted; swapped = true
  :: else -> swapped = false
  fi
}

/* --- One who uses buffers ----------------------------------------------------------------------------------------- */

#ifdef SHARED_BEFORE_ROOT
#define share() \
  STORE(store(WORD, make_word(incarnation_of(hand), SHARED)); holds[me] = use_of(hand)); \
  STORE(store(root(me, k), rooted(hand))); \
  STORE(store(REFERENCE, hand))
#elif defined(PUBLISHED_FIRST)
#define share() \
  STORE(store(root(me, k), rooted(hand)); holds[me] = use_of(hand)); \
  STORE(store(REFERENCE, hand)); \
  STORE(store(WORD, make_word(incarnation_of(hand), SHARED)))
#else
#define share() \
  STORE(store(root(me, k), rooted(hand)); holds[me] = use_of(hand)); \
  STORE(store(WORD, make_word(incarnation_of(hand), SHARED))); \
  STORE(store(REFERENCE, hand))
#endif

/* Says by `seen`, DYING or SHARED of the incarnation, that root `at` holds the buffer. */
inline look_at_word() {
  do
  :: LOAD(seen = load(WORD));
     if
     :: seen == make_word(incarnation_of(hand), DYING) ->
#ifdef NO_RESCUE
        break
#else
        STORE(swap(make_word(incarnation_of(hand), DYING), make_word(incarnation_of(hand), SHARED)));
#ifdef RESCUE_UNCHECKED
        swapped = true;
#endif
        if
        :: swapped -> swapped = false; break
        :: else ->
#ifdef NO_LOOK_AGAIN
           seen = 0; break
#endif
        fi
#endif
     :: else -> break
     fi
  od
}
#define is_adopted (incarnation_of(seen) == incarnation_of(hand) && (state_of(seen) == SHARED || state_of(seen) == DYING))

inline adopt() {
#ifdef NO_ROOT_FIRST
  look_at_word();
  STORE(store(root(me, k), rooted(hand)));
#else
  STORE(store(root(me, k), rooted(hand)));
  look_at_word();
#endif
  if
  :: is_adopted -> LOAD(holds[me] = use_of(hand); relied_on[me] = 0; seen = 0; assert(is_as_shared))
  :: else ->
     LOAD(assert(relied_on[me] == 0));
     STORE(store(root(me, k), 0); hand = 0; seen = 0)
  fi
}

inline let_go() { STORE(assert(is_as_shared); store(root(me, k), 0); hand = 0; forget_holder(me)) }

#if ROOTS > 1
/* The holder copies the reference into another root of his, and then drops it from the first one. A scan may read the one
 * before and the other behind that, so it takes a look as an adopter's. */
inline move() {
  STORE(store(root(me, 1 - k), rooted(hand)));
#ifndef MOVE_WITHOUT_LOOK
  look_at_word();
  LOAD(assert(is_adopted); seen = 0);
#endif
  STORE(assert(is_as_shared); store(root(me, k), 0); k = 1 - k)
}
#endif

/* --- One who scans ------------------------------------------------------------------------------------------------ */

inline settle_one(who) {
#ifdef SLOT_FREED_FIRST
  STORE(store(slot(who), FREE));
#endif
  LOAD(seen = load(WORD));
#ifndef NO_OWNERS_SETTLED
  if
  :: state_of(seen) == local_of(who) -> STORE(store(WORD, freed(incarnation_of(seen))))
  :: else
  fi;
#endif
  seen = 0;
  STORE(store(root(who, 0), 0); forget_holder(who));
#if ROOTS > 1
  STORE(store(root(who, 1), 0));
#endif
#ifndef SLOT_FREED_FIRST
  STORE(store(slot(who), FREE))
#endif
}

inline settle_dead() {
#ifndef NO_SETTLING
  each_one = 0;
  do
  :: each_one < PARTICIPANTS ->
     if
     :: LOAD(dead[each_one] && load(slot(each_one)) == TAKEN) -> settle_one(each_one)
     :: LOAD(!(dead[each_one] && load(slot(each_one)) == TAKEN))
     fi;
     each_one++
  :: else -> each_one = 0; break
  od
#else
  skip
#endif
}

inline read_roots() {
  each_one = 0;
  do
  :: each_one < PARTICIPANTS * ROOTS && !is_rooted ->
     LOAD(is_rooted = (load(root(0, each_one)) == incarnation_of(seen) + 1); each_one++)
  :: else -> each_one = 0; break
  od
}

inline judge() {
#ifdef ROOTS_BEFORE_DYING
  read_roots();
#endif
#if defined(FENCE_BEFORE_DYING) || defined(NO_DYING)
  heavy_fence();
#endif
#ifndef NO_DYING
  if
  :: state_of(seen) == SHARED ->
#ifdef PLAIN_STORES
     STORE(store(WORD, make_word(incarnation_of(seen), DYING)); seen = make_word(incarnation_of(seen), DYING))
#else
     STORE(swap(seen, make_word(incarnation_of(seen), DYING)); swapped = false;
           seen = make_word(incarnation_of(seen), DYING))
#endif
  :: else
  fi;
#endif
#if !defined(NO_HEAVY_FENCE) && !defined(FENCE_BEFORE_DYING) && !defined(NO_DYING)
  heavy_fence();
#endif
#ifndef ROOTS_BEFORE_DYING
  read_roots();
#endif
  if
  :: is_rooted ->
#ifdef PLAIN_STORES
     STORE(store(WORD, make_word(incarnation_of(seen), SHARED)))
#else
     STORE(swap(seen, make_word(incarnation_of(seen), SHARED)); swapped = false)
#endif
  :: else ->
#ifdef FREED_BY_STORE
     STORE(store(WORD, freed(incarnation_of(seen))))
#else
     STORE(swap(seen, freed(incarnation_of(seen))); swapped = false)
#endif
  fi
}

#ifdef NO_GOING_ON
#define is_to_judge(word) (state_of(word) == SHARED)
#else
#define is_to_judge(word) (state_of(word) == SHARED || state_of(word) == DYING)
#endif

inline scan() {
  settle_dead();
  LOAD(seen = load(WORD));
  if
  :: is_to_judge(seen) -> judge()
  :: else
  fi;
  LOAD(full_fence(); seen = 0; is_rooted = false);
#ifndef NO_LOCK
  STORE(maintenance = NOBODY)
#endif
}

proctype participant(byte me) {
  byte hand;                                        /* the reference it has: it goes for it, or owns or holds the buffer */
  byte k;                                           /* the root for it */
  byte seen, each_one, n;
  bool swapped, is_rooted;

born:
  do
  :: hand == 0 && acquires_left > 0 && state_of(memory[WORD]) == FREE ->
     STORE(true; flush(me);
           if
           :: state_of(memory[WORD]) == FREE && acquires_left > 0 ->
              acquires_left--; uses++;
              hand = make_reference(incarnation_of(memory[WORD]), uses);
              memory[WORD] = make_word(incarnation_of(memory[WORD]), local_of(me))
           :: else
           fi);
     if
     :: hand != 0 ->
        STORE(store(BYTES, use_of(hand)));
        LOAD(assert(is_as_owned));
        if
        :: STORE(assert(is_as_owned); store(WORD, freed(incarnation_of(hand))); hand = 0)
        :: share()
        fi
     :: else
     fi
  :: atomic { hand == 0 && adoptions_left > 0 && load(REFERENCE) != 0 ->
              adoptions_left--; hand = load(REFERENCE); note_holders() };
     adopt()
  :: hand != 0 -> let_go()
#if ROOTS > 1
  :: atomic { hand != 0 && moves_left > 0 -> moves_left-- };
     move()
#endif
#ifdef NO_LOCK
  :: atomic { scans_left > 0 -> scans_left--; flush(me) };
#else
  :: atomic { scans_left > 0 && maintenance == NOBODY -> scans_left--; maintenance = me; flush(me) };
#endif
     scan()
  :: break                                          /* it may go on to hold what it holds */
  od;
killed:
  LOAD(hand = 0; k = 0; seen = 0; each_one = 0; n = 0; swapped = false; is_rooted = false; relied_on[me] = 0);
  if
  :: atomic { dead[me] && memory[slot(me)] == FREE -> dead[me] = false; memory[slot(me)] = TAKEN; forget_holder(me); goto born }
  :: LOAD(ended++)
  fi
}

/* The last scan, when nobody stores any more. */
inline scan_at_the_end() {
#ifndef NO_SETTLING
  n = 0;
  do
  :: n < PARTICIPANTS ->
     if
     :: dead[n] && memory[slot(n)] == TAKEN ->
#ifndef NO_OWNERS_SETTLED
        if
        :: state_of(memory[WORD]) == local_of(n) -> memory[WORD] = freed(incarnation_of(memory[WORD]))
        :: else
        fi;
#endif
        memory[root(n, 0)] = 0; memory[root(n, ROOTS - 1)] = 0; memory[slot(n)] = FREE
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od;
#endif
  do
  :: n < PARTICIPANTS * ROOTS ->
     if
     :: memory[root(0, n)] == incarnation_of(memory[WORD]) + 1 -> is_rooted = true; is_held = is_held || !dead[n / ROOTS]
     :: else
     fi;
     n++
  :: else -> break
  od;
  if
  :: is_to_judge(memory[WORD]) && is_rooted -> memory[WORD] = make_word(incarnation_of(memory[WORD]), SHARED)
  :: is_to_judge(memory[WORD]) && !is_rooted -> memory[WORD] = freed(incarnation_of(memory[WORD]))
  :: else
  fi;
  assert(is_held || state_of(memory[WORD]) == FREE);
  assert(!is_held || state_of(memory[WORD]) == SHARED)
}

#define is_quiet (buffer[0].filled == 0 && buffer[PARTICIPANTS - 2].filled == 0 && buffer[PARTICIPANTS - 1].filled == 0)

init {
  byte n;
  bool is_rooted, is_held;

  atomic {
    choose_deaths();
    do
    :: n < PARTICIPANTS -> memory[slot(n)] = TAKEN; run participant(n); n++
    :: else -> break
    od;
    n = 0
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(scan_at_the_end())
}
