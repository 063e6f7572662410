/* Per-writer order: extents of several granules, holes of all kinds, and how a reader learns of them.
 *
 * Mirrors   layout/extent.hpp, stream/extents.cpp (open_extent, close_extent, close_hole, mark_last), stream/claim.cpp
 *           (claim_extent), stream/flip.cpp (the limit, and the cursor's move), stream/close_extents.cpp (what is closed),
 *           stream/repair.cpp (wait_for_claimers, repair_holes), stream/repair_extents.cpp (repair_table),
 *           stream/reader_windows.cpp (discover, trace), and the order in which a range drains its places
 *           (stream/reader_walk.cpp).
 * Assumed   sequential consistency. A slab for each generation, never reclaimed, and no revocation: they are in
 *           extents_flip.pml, and so is what happens inside of an extent; here a message fills the row claimed for it.
 * Deaths    writers, when they flip, too; and the recoverer (another one follows).
 * Checked   the reader gets every committed message once, and in its writer's order; it never finds words that
 *           contradict each other (where it would say that the table is corrupt); nobody writes into a generation that
 *           was found closed; whoever is alive comes to its end; then what is claimed of each slab is one unbroken
 *           chain of closed extents, and of frames.
 * Bounds    MESSAGES of the first writer and of each of the OTHERS, each for a claim of 1 to ROW granules, of which it
 *           needs as many or less; GRANULES of a slab; GENERATIONS; DEATHS; 2 writers; 1 reader, whose look is one step
 *           with COARSE_LOOKS.
 *
 * What a reader knows from the cursor's look before, and the order in which it looks at granules, each keep a writer's
 * order without the other: FORWARD and PAST_CLAIMED must be free of errors, and fail together.
 * Each of these leaves out one step, and must fail: NO_GRACE, NO_OVERRUN_HOLE, NO_MARKED_ROWS, MARKED_ROWS_APART,
 * HOLES_TOGETHER, STRICT_END, NO_GAPS_KEPT, OPEN_BEFORE_FRAME, CLOSED_BEFORE_FRAME. */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef ROW
#define ROW 2
#endif
#ifndef GRANULES
#define GRANULES 3
#endif
#ifndef GENERATIONS
#define GENERATIONS 2
#endif
#define WRITERS 2
#define READER WRITERS
#define RECOVERER (WRITERS + 1)
#define PARTICIPANTS (WRITERS + 2)

#include "participants.pml"

#define the_reader only(READER)
#define ALL (GENERATIONS * GRANULES)

/* --- Shared memory; granules are counted through all slabs -------------------------------------------------------- */

byte cursor_slab, cursor_granules;                                           /* one word */
byte limit[GENERATIONS];

#define FREE 0
#define OPEN 1
#define CLOSED 2
#define LAST 3
#define begins(state) ((state) == OPEN || (state) == CLOSED)
byte word_state[ALL], word_owner[ALL], word_granules[ALL];                   /* one word each */

#define UNWRITTEN 0
#define STALE 254                                                            /* what was there before */
#define NOP 255
#define message(writer, number) ((writer) * MESSAGES + (number) + 1)
byte header[ALL], header_span[ALL];                                          /* one word each: of an extent's frame */

#define NONE 0
#define CLAIMING 1
#define LOCATED 2
byte claim_state[WRITERS], claim_where[WRITERS];                             /* one word; where: sequence, or granule */

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte committed[WRITERS], delivered[WRITERS];
bool done[WRITERS], settled[WRITERS];
bool is_closed[GENERATIONS];
bool beyond_bounds;

#define has_ended(writer) (done[writer] || settled[writer])
#define slab_of(granule) ((granule) / GRANULES)
#define may_write(granule) (!is_closed[slab_of(granule)])
#define capped(granules) ((granules) < GRANULES -> (granules) : GRANULES)

/* --- Extents ------------------------------------------------------------------------------------------------------ */

#define put_frame(first, what, granules) header[first] = what; header_span[first] = granules
#define put_word(first, state, who, granules) \
  word_state[first] = state; word_owner[first] = who; word_granules[first] = granules

inline mark_last(first, granules, who) {
  if
  :: granules > 1 ->
     STORE(assert(may_write(first)); put_word(first + granules - 1, LAST, who, granules - 1); tell(the_reader))
  :: else
  fi
}

inline close_hole(first, granules) {
#ifdef CLOSED_BEFORE_FRAME
  STORE(put_word(first, CLOSED, 0, granules); tell(the_reader));
#endif
  STORE(assert(may_write(first)); put_frame(first, NOP, granules));
  mark_last(first, granules, 0);
  STORE(assert(may_write(first)); put_word(first, CLOSED, 0, granules); tell(the_reader))
}

/* Of the dead. */
inline close_extent(first) {
  if
  :: header[first] == UNWRITTEN -> STORE(put_frame(first, NOP, word_granules[first]); tell(the_reader))
  :: else
  fi;
  STORE(word_state[first] = CLOSED; tell(the_reader))
}

/* --- Flip --------------------------------------------------------------------------------------------------------- */

/* Whether all that is claimed of slab s is closed. What is closed stays so: to look at once hides nothing. */
inline close_ended(s) {
  LOAD(x = 0;
       do
       :: x < limit[s] && word_state[s * GRANULES + x] == CLOSED -> x = x + word_granules[s * GRANULES + x]
       :: else -> break
       od;
       is_closed[s] = is_closed[s] || x >= limit[s];
       x = 0)
}

/* From slab `from`, in which there was no room. */
inline flip(from) {
  lock();
  if
  :: cursor_slab == from && from + 1 == GENERATIONS -> beyond_bounds = true; false
  :: cursor_slab == from && from + 1 < GENERATIONS ->
     if
     :: from > 0 -> close_ended(from - 1)
     :: else
     fi;
     do
     :: LOAD(seen = cursor_granules; moved = false);
        STORE(limit[from] = capped(seen));
        STORE(if
              :: cursor_granules == seen -> moved = true; cursor_slab = from + 1; cursor_granules = 0; tell(the_reader)
              :: else
              fi);
        if
        :: moved -> break
        :: else
        fi
     od
  :: else
  fi;
  LOAD(seen = 0; moved = false);
  unlock()
}

/* --- A writer ----------------------------------------------------------------------------------------------------- */

inline look_for_room() {
  do
  :: LOAD(seen = cursor_granules; wanted = cursor_slab; has_room = (seen + least <= GRANULES);
          if
          :: has_room && granules > GRANULES - seen -> granules = GRANULES - seen
          :: else
          fi;
          seen = 0);
     if
     :: has_room -> break
     :: else -> flip(wanted)
     fi
  od;
  LOAD(wanted = 0; has_room = false)
}

inline withdraw() { STORE(claim_state[me] = NONE; claim_where[me] = 0) }

/* fetch_add: `taken` granules from `extent`, up to the slab's end. */
inline take() {
  STORE(taken = (cursor_granules >= GRANULES -> 0
                 : (cursor_granules + granules <= GRANULES -> granules : GRANULES - cursor_granules));
        extent = (taken == 0 -> 0 : cursor_slab * GRANULES + cursor_granules);
        cursor_granules = cursor_granules + granules;
        tell(the_reader))
}

inline open_extent() {
#ifdef OPEN_BEFORE_FRAME
  STORE(put_word(extent, OPEN, me, taken); tell(the_reader));
#endif
  STORE(assert(may_write(extent)); put_frame(extent, UNWRITTEN, 0));
  mark_last(extent, taken, me);
  STORE(assert(may_write(extent) && (word_state[extent] == FREE || word_owner[extent] == me));
        put_word(extent, OPEN, me, taken); tell(the_reader))
}

inline claim_extent() {
  do
  :: LOAD(if
          :: least = 1; granules = 1
          :: least = 1; granules = ROW
          :: least = ROW; granules = ROW
          fi);
     look_for_room();
     STORE(claim_state[me] = CLAIMING; claim_where[me] = sequence; sequence = 1 - sequence);
     take();
     if
     :: taken >= least -> break
     :: taken < least && taken > 0 ->
#ifndef NO_OVERRUN_HOLE
        close_hole(extent, taken);
#endif
        withdraw()
     :: else -> withdraw()
     fi
  od;
  open_extent();
  STORE(claim_state[me] = LOCATED; claim_where[me] = extent)
}

proctype writer(byte me) {
  byte number;                                      /* of the next message */
  byte extent, taken;                               /* in hand */
  byte least, granules;
  bit sequence;                                     /* of the claims */
  byte wanted, seen, x;
  bool has_room, moved;

  do
  :: number < (me == 0 -> MESSAGES : OTHERS) ->
     claim_extent();
     STORE(assert(may_write(extent) && word_state[extent] == OPEN && word_owner[extent] == me);
           put_frame(extent, message(me, number), taken); committed[me]++; number++; tell(the_reader));
     STORE(assert(may_write(extent) && word_state[extent] == OPEN); word_state[extent] = CLOSED; tell(the_reader));
     withdraw();
     LOAD(extent = 0; taken = 0; least = 0; granules = 0)
  :: else -> break
  od;
  STORE(done[me] = true; tell(the_reader));
killed:
  skip;
  LOAD(number = 0; extent = 0; taken = 0; least = 0; granules = 0; sequence = 0; wanted = 0; seen = 0; x = 0;
       has_room = false; moved = false)
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

inline wait_for_claimers() {
  x = 0;
  do
  :: x < WRITERS ->
     LOAD(here = (claim_state[x] == CLAIMING); seen = claim_where[x]);
     if
     :: !here || dead[x] || claim_state[x] != CLAIMING || claim_where[x] != seen -> x++
     fi
  :: else -> break
  od;
  LOAD(here = false; seen = 0; x = 0)
}

/* The `hole` granules in front of x. */
inline close_holes() {
#ifdef HOLES_TOGETHER
  if
  :: hole > 0 -> close_hole(x - hole, hole)
  :: else
  fi;
#else
  do
  :: hole > 0 -> close_hole(x - hole, 1); hole--
  :: else -> break
  od;
#endif
  hole = 0
}

/* A row that its dead claimer marked, and had not opened yet: x is its last granule. */
inline close_marked_row() {
#ifdef NO_MARKED_ROWS
  skip
#else
  LOAD(row = (word_granules[x] < hole -> word_granules[x] : hole); hole = hole - row; x = x - row);
  close_holes();
#ifdef MARKED_ROWS_APART
  LOAD(x = x + row + 1; hole = row + 1);
  close_holes();
  x--
#else
  close_hole(x, row + 1);
  x = x + row
#endif
#endif
}

inline repair_table() {
  LOAD(hole = 0; x = s * GRANULES; end = x + (s == now -> claimed : limit[s]));
  do
  :: x < end ->
     if
     :: word_state[x] == FREE -> hole++; x++
     :: word_state[x] == LAST -> close_marked_row(); x++
     :: begins(word_state[x]) ->
        close_holes();
        if
        :: word_state[x] == OPEN && word_owner[x] == victim -> close_extent(x)
        :: else
        fi;
        x = x + word_granules[x]
     fi
  :: else -> break
  od;
  close_holes()
}

inline repair_holes() {
  LOAD(now = cursor_slab; claimed = capped(cursor_granules));
#ifndef NO_GRACE
  wait_for_claimers();
#endif
  s = 0;
  do
  :: s <= now ->
     if
     :: !is_closed[s] -> repair_table()             /* else there is nothing to do */
     :: else
     fi;
     s++
  :: else -> break
  od
}

inline forget() {
  LOAD(victim = 0; now = 0; claimed = 0; s = 0; x = 0; end = 0; hole = 0; row = 0; seen = 0; here = false)
}

#define needs_settling(writer) (dead[writer] && !settled[writer])

proctype recoverer() {
  byte me = RECOVERER, victim, now, claimed, s, x, end, hole, row, seen;
  bool here;

killed:
  skip;
  forget();
end_nobody_died:
  if
  :: atomic { needs_settling(0) -> lock() }; victim = 0
  :: atomic { needs_settling(1) -> lock() }; victim = 1
  fi;
  if
  :: claim_state[victim] == CLAIMING -> repair_holes()
  :: else
  fi;
  LOAD(x = claim_where[victim]; here = (claim_state[victim] == LOCATED && word_state[x] == OPEN));
  if
  :: here -> close_extent(x)
  :: else
  fi;
  STORE(claim_state[victim] = NONE; claim_where[victim] = 0);
  STORE(settled[victim] = true; tell(the_reader));
  forget();
  unlock();
  goto end_nobody_died
}

/* --- The reader --------------------------------------------------------------------------------------------------- */

/* Its own. Granules below `discovered` that are not traced are its runs; one also begins at each `border`. */
byte discovered[GENERATIONS];
bool traced[ALL], border[ALL], to_drain[ALL];

inline add_place() {
  x = first;
  do
  :: x < first + granules -> assert(!traced[x]); traced[x] = true; x++
  :: else -> break
  od;
  to_drain[first] = true;
  x = 0
}

/* One run, from `begin` up to `end`. Where words contradict each other, the reader would say `corrupt`. */
inline trace_run() {
  do
  :: begin < end ->
     LOAD(first = begin; state = word_state[first]; granules = word_granules[first];
          if
          :: begins(state) -> assert(first + granules <= end); add_place(); begin = begin + granules
          :: else
#ifdef FORWARD
             -> begin++
#endif
          fi);
#ifndef FORWARD
     if
     :: !begins(state) -> break
     :: else
     fi
#endif
  :: else -> break
  od;
  LOAD(at = end; free_end = end);
  do
  :: at > begin ->
     LOAD(first = at - 1; state = word_state[first]; granules = word_granules[first]);
     if
     :: state == LAST ->
        LOAD(assert(granules <= first - begin); first = first - granules;
             state = word_state[first]; granules = word_granules[first])
     :: else
     fi;
     LOAD(if
          :: state == FREE -> at = first
          :: else ->
             assert(begins(state) && first + granules >= at && first + granules <= free_end);
#ifdef STRICT_END
             assert(first + granules == at);
#endif
             add_place(); at = first; free_end = first
          fi)
  :: else -> break
  od;
  LOAD(first = 0; state = 0; granules = 0; at = 0; free_end = 0)
}

/* Ends of the slab's runs, the newest first. */
inline discover() {
  LOAD(known = (s == newest -> claimed : limit[s]);
#ifdef PAST_CLAIMED
       known = GRANULES;
#endif
       if
       :: discovered[s] < known -> border[s * GRANULES + discovered[s]] = true; discovered[s] = known
       :: else
       fi;
       end = s * GRANULES + discovered[s];
       known = 0);
  do
  :: end > s * GRANULES && traced[end - 1] -> end--
  :: end > s * GRANULES && !traced[end - 1] ->
     LOAD(begin = end - 1;
          do
          :: begin > s * GRANULES && !border[begin] && !traced[begin - 1] -> begin--
          :: else -> break
          od;
          run_begin = begin);
     trace_run();
     LOAD(end = run_begin; run_begin = 0; begin = 0)
  :: else -> break
  od;
  LOAD(end = 0)
}

/* From the oldest place to the newest; as in extents_flip.pml, to do it at once hides nothing. */
inline drain() {
  LOAD(x = 0;
       do
       :: x < ALL ->
          if
          :: to_drain[x] && header[x] != UNWRITTEN ->
             assert(header[x] != STALE);
             to_drain[x] = false;
             if
             :: header[x] != NOP ->
                assert((header[x] - 1) % MESSAGES == delivered[(header[x] - 1) / MESSAGES]);
                delivered[(header[x] - 1) / MESSAGES]++
             :: else
             fi
          :: else
          fi;
          x++
       :: else -> break
       od;
       x = 0)
}

inline look() {
  LOAD(newest = cursor_slab; claimed = capped(cursor_granules));
  s = newest + 1;
  do
  :: s > 0 -> s--; discover()
  :: else -> break
  od;
#ifdef NO_GAPS_KEPT
  LOAD(x = 0;
       do
       :: x < ALL -> traced[x] = traced[x] || x % GRANULES < discovered[x / GRANULES]; x++
       :: else -> break
       od;
       x = 0);
#endif
  drain()
}

/* Says `finished` if every claim has been found, and drained; below its end, in the slab's words and frames, each
 * extent then leads to the next. */
inline check_chains() {
  LOAD(finished = true; s = 0;
       do
       :: s <= cursor_slab ->
          end = (s == cursor_slab -> capped(cursor_granules) : limit[s]);
          x = 0;
          do
          :: x < end -> finished = finished && traced[s * GRANULES + x] && !to_drain[s * GRANULES + x]; x++
          :: else -> break
          od;
          s++
       :: else -> break
       od;
       s = 0;
       do
       :: finished && s <= cursor_slab ->
          end = (s == cursor_slab -> capped(cursor_granules) : limit[s]);
          x = 0;
          do
          :: x < end ->
             assert(word_state[s * GRANULES + x] == CLOSED && header[s * GRANULES + x] != UNWRITTEN);
             assert(header_span[s * GRANULES + x] == word_granules[s * GRANULES + x]);
             x = x + word_granules[s * GRANULES + x]
          :: else -> break
          od;
          assert(x == end);
          s++
       :: else -> break
       od;
       s = 0; x = 0; end = 0)
}

#define has_got_all(writer) (has_ended(writer) && delivered[writer] == committed[writer])

proctype reader() {
  byte newest, claimed, known, s, x, begin, end, run_begin, at, free_end, first, state, granules;
  byte me = READER;
  bool finished;

  do
  :: begin_look();
#ifdef COARSE_LOOKS
     atomic { look() };
#else
     look();
#endif
     LOAD(newest = 0; claimed = 0; s = 0);
     if
     :: atomic { has_got_all(0) && has_got_all(1) -> check_chains() };
        if
        :: finished -> break
        :: else -> (news & only(me)) != 0
        fi
     :: wait_for_news()
     fi
  od;
killed:
  skip
}

init {
  atomic {
    byte i;
    do
    :: i < ALL -> header[i] = STALE; i++
    :: else -> break
    od;
    i = 0;
    choose_deaths();
    run writer(0); run writer(1); run recoverer(); run reader()
  };
end_of_bounds:
  do
  :: beyond_bounds                                  /* a run that needs more generations is followed no further */
  od
}
