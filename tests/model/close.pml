/* The close edge under store buffers: a writer in its extent, and a closer that takes the extent from it.
 *
 * Mirrors   include/sapbuf/writer.hpp (reserve, commit), stream/writer.cpp (reserve_in_extent, close_own_extent),
 *           stream/claim.cpp (claim_extent: from the extent's opening on), stream/close_extents.cpp (close_extents,
 *           may_close).
 *           With FULL_FENCES the segment that does not use membarrier.
 * Assumed   total store order, as store_buffers.pml says. The cursor has left the generation before the closer comes;
 *           how that is ordered against claims is in extents_flip.pml.
 * Checked   once the closer has closed the extent, no store of the writer reaches it, and what was committed in it
 *           before is all there; the closer comes to its end.
 * Bounds    MESSAGES that the writer has for the extent, ROOM for them.
 *
 * Each of these leaves out one step, and must fail: NO_HEAVY_FENCE, NO_LIGHT_FENCE (with FULL_FENCES),
 * NO_LOOK_AFTER_OPEN, NO_BUSY_CHECK, IDLE_BEFORE_FRAME. */
#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef ROOM
#define ROOM 3
#endif
#define GENERATION 1

#define WRITER 0
#define CLOSER 1
#define BUFFERED 2
#define BUSY 0
#define REVOKED 1
#define CLAIM 2                                     /* NONE, CLAIMING, LOCATED: in this extent */
#define TABLE 3                                     /* FREE, OPEN, CLOSED */
#define FRAMES 4                                    /* how many stand in the extent */
#define WORDS 5

#define NONE 0
#define CLAIMING 1
#define LOCATED 2
#define FREE 0
#define OPEN 1
#define CLOSED 2

#include "store_buffers.pml"

byte committed;                                     /* in this extent */
byte found;                                         /* by the closer when it closed it */
bool sealed;

inline light_fence() {
#ifdef FULL_FENCES
#ifndef NO_LIGHT_FENCE
  full_fence()
#else
  skip
#endif
#else
  skip
#endif
}

/* Whether the extent is still the writer's. It is busy. */
inline look_at_revoked() {
  light_fence();
  atomic { mine = (load(REVOKED) < GENERATION) }
}

inline commit() {
#ifdef IDLE_BEFORE_FRAME
  store(BUSY, 0);
  store(FRAMES, committed + 1);
  atomic { committed++; next++ }
#else
  store(FRAMES, committed + 1);
  atomic { committed++; next++ };
  store(BUSY, 0)
#endif
}

proctype writer() {
  byte me = WRITER, next;
  bool mine;

  /* In the middle of claim_extent: announced, taken, busy. */
  store(TABLE, OPEN);
  store(CLAIM, LOCATED);
#ifdef NO_LOOK_AFTER_OPEN
  mine = true;
#else
  look_at_revoked();
#endif
  do
  :: mine && next < ROOM && next < MESSAGES ->
     commit();
     if
     :: next < MESSAGES -> store(BUSY, 1); look_at_revoked()
     :: else -> break                               /* idle for good, with the extent in its hands */
     fi
  :: mine && next == ROOM ->
     store(TABLE, CLOSED);                          /* close_own_extent */
     store(CLAIM, NONE);
     break
  :: !mine ->
     store(CLAIM, NONE);                            /* drop_extent: the closer will close it */
     break
  od
}

proctype closer() {
  byte me = CLOSER;
  bool here;

  do
  :: memory[TABLE] != FREE;
     if
     :: load(TABLE) == CLOSED -> break
     :: else
     fi;
     store(REVOKED, GENERATION);
#ifndef NO_HEAVY_FENCE
#ifdef FULL_FENCES
     full_fence();
#else
     heavy_fence();
#endif
#endif
     atomic { here = (load(CLAIM) == LOCATED) };
#ifdef NO_BUSY_CHECK
     here = false;
#endif
     if
     :: here -> atomic { here = (load(BUSY) != 0) }
     :: else
     fi;
     if
     :: here ->                                     /* it keeps the extent until it comes back: later, another try */
        !(memory[CLAIM] == LOCATED && memory[BUSY] != 0)
     :: else -> break
     fi
  od;
  atomic { found = load(FRAMES); sealed = true };
  store(TABLE, CLOSED)
}

init {
  atomic {
    memory[CLAIM] = CLAIMING; memory[BUSY] = 1;
    run writer(); run closer()
  };
  (_nr_pr == 2 && buffer[0].filled == 0 && buffer[1].filled == 0);
  assert(sealed && memory[FRAMES] == found && found == committed)
}
