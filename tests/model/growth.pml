/* A region that grows, and what stands in it: who finds nothing free lets it grow, beside others who do, and users.
 *
 * Mirrors   segment/directory.cpp (grow), pool/growth.cpp (grow_by_one_step), map/keys.cpp (MapWriterState::grow): the
 *           directory's lock, the allocation, the entry's `bytes`; then, without a lock, the pool's `count`, or the map's
 *           `entries`, by compare-exchange. A buffer is a page here.
 *             grower    count; where the region has no more than that: lock; bytes; allocate the next page (or two); bytes;
 *                       unlock; then count = what bytes says, if it was less
 *             user      count; touches the last buffer that this says is there
 * Assumed   total store order, as store_buffers.pml says; that the locks of the kernel are fences, and that a page that was
 *           allocated is in every process's mapping.
 * Deaths    growers, at every store and at every page. What a dead one has in its buffer comes out before its lock goes.
 * Checked   what a user touches is allocated; neither word ever goes back; when all is quiet, the count is no more than the
 *           region has, and who did not die and was told of no failure finds more than before.
 * Bounds    GROWERS, GROWTHS of each, LOOKS of a user, PAGES, FAILURES (of the system, for want of room), DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_LOCK, BYTES_FIRST (before the pages), OLD_BYTES (as they were before
 * the lock), COUNT_FIRST (before the region grows), PLAIN_COUNT (a store instead of the compare-exchange), TAKES_ALL (count
 * is what was asked for, also if the system had no room). */
#ifndef GROWERS
#define GROWERS 2
#endif
#ifndef GROWTHS
#define GROWTHS 2
#endif
#ifndef LOOKS
#define LOOKS 2
#endif
#ifndef FAILURES
#define FAILURES 1
#endif
#define PAGES 6
#define USER GROWERS
#define PARTICIPANTS (GROWERS + 1)
#define BUFFERED PARTICIPANTS

#define BYTES 0                                     /* of the region, in pages */
#define COUNT 1                                     /* of the buffers that there are */
#define WORDS 2

#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

bool is_allocated[PAGES];
byte failures_left = FAILURES;
byte highest_bytes = 1, highest_count = 1;
byte ended;

#define smaller(a, b) ((a) < (b) -> (a) : (b))

/* Both only grow, as memory sees them. */
#define note_words \
  assert(memory[BYTES] >= highest_bytes && memory[COUNT] >= highest_count); \
  highest_bytes = memory[BYTES]; highest_count = memory[COUNT]

inline let_region_grow() {
#ifdef OLD_BYTES
  LOAD(there = load(BYTES));
#endif
#ifndef NO_LOCK
  lock();
#endif
#ifndef OLD_BYTES
  LOAD(there = load(BYTES));
#endif
  if
  :: there < wanted ->
#ifdef BYTES_FIRST
     STORE(store(BYTES, wanted));
#endif
     LOAD(page = there);
     do
     :: page < wanted && failures_left > 0 -> LOAD(failures_left--; failed = true); break
     :: page < wanted -> STORE(is_allocated[page] = true; page++)
     :: page == wanted -> break
     od;
#ifndef BYTES_FIRST
     if
     :: !failed -> STORE(store(BYTES, wanted))
     :: else
     fi
#endif
  :: else
  fi;
#ifndef NO_LOCK
  STORE(flush(me); maintenance = NOBODY);
#endif
  LOAD(page = 0; there = 0)
}

inline say_count(most) {
  do
  :: LOAD(seen = load(COUNT));
     if
     :: seen >= most -> break
     :: else ->
#ifdef PLAIN_COUNT
        STORE(store(COUNT, most)); break
#else
        STORE(flush(me);
              if
              :: memory[COUNT] == seen -> memory[COUNT] = most
              :: else
              fi)
#endif
     fi
  od
}

proctype grower(byte me) {
  byte before, seen, wanted, there, page, grown, growths;
  bool failed;

  do
  :: atomic { growths < GROWTHS && load(COUNT) < PAGES -> growths++; before = load(COUNT) };
     if
     :: LOAD(wanted = smaller(before + 1, PAGES))
     :: LOAD(wanted = smaller(before + 2, PAGES))
     fi;
#ifdef COUNT_FIRST
     say_count(wanted);
#endif
     if
     :: load(BYTES) <= before -> let_region_grow()
     :: else
     fi;
#ifdef TAKES_ALL
     LOAD(grown = wanted);
#else
     LOAD(grown = load(BYTES));
#endif
     say_count(grown);
     LOAD(assert(failed || load(COUNT) > before); failed = false)
  :: else -> break
  od;
killed:
  LOAD(before = 0; seen = 0; wanted = 0; there = 0; page = 0; grown = 0; growths = 0; failed = false; ended++)
}

proctype user() {
  byte me = USER;
  byte seen, looks;

  do
  :: looks < LOOKS ->
     LOAD(assert(load(COUNT) >= seen); seen = load(COUNT); looks++);
     LOAD(assert(is_allocated[seen - 1]))
  :: else -> break
  od;
  LOAD(seen = 0; looks = 0; ended++)
}

#if GROWERS == 2
#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0)
#else
#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[2].filled == 0)
#endif

/* Somebody who looks at memory at any time. */
proctype onlooker() {
  do
  :: LOAD(note_words)
  :: ended == PARTICIPANTS && is_quiet -> break
  od
}

init {
  atomic {
    choose_deaths();
    memory[BYTES] = 1; memory[COUNT] = 1; is_allocated[0] = true;
    run grower(0); run grower(1);
#if GROWERS > 2
    run grower(2);
#endif
    run user(); run onlooker()
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(assert(memory[COUNT] <= memory[BYTES] && is_allocated[memory[BYTES] - 1]))
}
