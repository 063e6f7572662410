/* Total order: claims of single frames, holes and their grace period, busy frames of the dead, flip, and cleaning.
 *
 * Mirrors   stream/claim.cpp (claim_frame, take), stream/writer.cpp (publish_slow), stream/repair.cpp
 *           (wait_for_claimers, repair_holes), stream/repair_frames.cpp, stream/close_frames.cpp (no_frame_is_open,
 *           may_write_into), stream/close.cpp (record_closed), stream/flip.cpp, stream/reclaim.cpp (clean, in one step:
 *           cleaning.pml has more), and a reader that walks the headers.
 * Assumed   sequential consistency. The reader's walk over what is there is one step. may_write_into looks twice, not
 *           200 times.
 * Deaths    writers, the reader when it lets go of a slab, and the recoverer (another one follows).
 * Checked   nobody writes into another generation than its own; the reader gets the committed messages, each once,
 *           and never steps into the middle of a frame; whoever is alive comes to its end.
 * Bounds    2 writers; MESSAGES of the first and of the OTHERS, of 1 or 2 units; UNITS of a slab; GENERATIONS;
 *           DEATHS; 2 slabs; 1 reader, or NO_READER.
 *
 * Each of these leaves out one step, and must fail: NO_ANNOUNCEMENT, NO_GRACE, NO_BUSY_HEADER_REPAIR,
 * NO_OPEN_FRAME_CHECK, LOCATED_BEFORE_HEADER, NO_CLEANING, NO_HOLD_CHECK, NO_FILLER. */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef UNITS
#define UNITS 2
#endif
#ifndef GENERATIONS
#define GENERATIONS 4
#endif
#define WRITERS 2
#define SLABS 2
#define READER WRITERS
#define RECOVERER (WRITERS + 1)
#define PARTICIPANTS (WRITERS + 2)

#include "participants.pml"

#define the_reader only(READER)
#define flippers (everybody & ~the_reader)

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte cursor_generation = 1, cursor_slab, cursor_units;                       /* one word */

#define FREE 0
#define ACTIVE 1
#define SEALED 2
#define CLEANING 4
#define is_readable(slab) (life_state[slab] == ACTIVE || life_state[slab] == SEALED)
byte life_generation[SLABS], life_state[SLABS];                              /* one word each */
byte limit[SLABS];
byte closed_through;

/* A word of a slab: a header, or payload, which is no zero. */
#define MESSAGE 1
#define BUSY 2
#define NOP 3
#define PAYLOAD 255
#define header(kind, span, owner) ((kind) * 16 + (span) * 4 + (owner))
#define kind_of(word) ((word) / 16)
#define span_of(word) (((word) / 4) % 4)
#define owner_of(word) ((word) % 4)
byte slab_word[SLABS * UNITS];

#define NONE 0
#define CLAIMING 1
#define LOCATED 2
byte claim_state[WRITERS], claim_where[WRITERS], claim_generation[WRITERS];  /* one word; where: sequence, or place */
bool busy[WRITERS];
byte hold = 1;                                                               /* the reader's */
#define NO_HOLD 255

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte committed[WRITERS], delivered[WRITERS];
bool done[WRITERS], settled[WRITERS];
bool beyond_bounds;

#define has_ended(writer) (done[writer] || settled[writer])
#define is_mine (life_generation[place / UNITS] == generation)

/* --- Close -------------------------------------------------------------------------------------------------------- */

/* may_write_into(): says `keep` if this writer may still have a claim or an open frame in the generation of slab s. */
inline look_at_writer(w) {
  LOAD(first = claim_state[w]; seen = claim_where[w]);
  look = 0; keep = true;
  do
  :: keep && look < 2 ->
     LOAD(if
          :: claim_state[w] == LOCATED && claim_generation[w] == life_generation[s] -> here = true
          :: claim_state[w] == CLAIMING && first == CLAIMING && claim_where[w] == seen -> here = false
          :: else -> here = false; keep = false     /* elsewhere, or a claim that began after the cursor had left */
          fi);
     if
     :: keep && here -> LOAD(keep = busy[w]; here = false)
     :: else
     fi;
     look++
  :: else -> break
  od;
  LOAD(first = 0; seen = 0; look = 0; here = false)
}

/* With two slabs, at most one generation has ended and is not closed. */
inline close_ended() {
  if
  :: closed_through + 1 < cursor_generation ->
     LOAD(s = (life_generation[0] == closed_through + 1 -> 0 : 1); w = 0; unfinished = false);
     do
     :: w < WRITERS ->
        if
        :: !settled[w] -> look_at_writer(w); unfinished = unfinished || keep
        :: else
        fi;
        w++
     :: else -> break
     od;
     w = 0; keep = false;
#ifdef NO_OPEN_FRAME_CHECK
     unfinished = false;
#endif
     if
     :: !unfinished && limit[s] < UNITS ->
        STORE(slab_word[s * UNITS + limit[s]] = header(NOP, UNITS - limit[s], 0))
     :: else
     fi;
     if
     :: !unfinished -> STORE(closed_through++)
     :: else
     fi
  :: else
  fi
}

/* --- Reclaim and flip --------------------------------------------------------------------------------------------- */

inline clean(slab) {
  STORE(x = 0;
        do
        :: x < UNITS ->
#ifndef NO_CLEANING
           slab_word[slab * UNITS + x] = 0;
#endif
           x++
        :: else -> break
        od;
        x = 0; life_state[slab] = FREE)
}

#define is_left_behind(slab) (life_state[slab] == ACTIVE && life_generation[slab] < cursor_generation)

inline lock_and_mend_states() {
  atomic { maintenance == NOBODY -> maintenance = me; s = (is_left_behind(0) -> 0 : (is_left_behind(1) -> 1 : SLABS)) };
  if
  :: s < SLABS -> STORE(life_state[s] = SEALED)
  :: else
  fi
}

inline find_reclaimable() {
  LOAD(slab = (life_generation[0] < life_generation[1] -> 0 : 1);
       if
       :: life_generation[slab] > closed_through || life_generation[slab] >= cursor_generation -> slab = SLABS
#ifndef NO_HOLD_CHECK
       :: else -> slab = (hold <= life_generation[slab] -> SLABS : slab)
#else
       :: else
#endif
       fi)
}

#define says(slab, state) (life_state[slab] == (state))

inline take_slab(from) {
  if
  :: slab < SLABS && (says(slab, SEALED) || says(slab, ACTIVE)) && life_generation[slab] <= from ->
     close_ended();
     find_reclaimable();
     if
     :: slab < SLABS -> STORE(life_state[slab] = CLEANING)
     :: else
     fi
  :: else
  fi;
  if
  :: slab < SLABS && says(slab, CLEANING) -> clean(slab)
  :: else
  fi;
  if
  :: slab < SLABS && says(slab, FREE) ->
     STORE(limit[slab] = 0; life_generation[slab] = from + 1; life_state[slab] = ACTIVE)
  :: else                                                     /* none, or a dead flipper prepared it */
  fi
}

inline move_cursor(slab) {
  do
  :: LOAD(seen = cursor_units; moved = false);
     STORE(limit[cursor_slab] = (seen < UNITS -> seen : UNITS));
     STORE(if
           :: cursor_units == seen ->
              moved = true;
              old = cursor_slab; cursor_generation++; cursor_slab = slab; cursor_units = 0;
              tell(everybody)
           :: else
           fi);
     if
     :: moved -> break
     :: else
     fi
  od;
  STORE(life_state[old] = SEALED)
}

inline flip(from) {
  lock_and_mend_states();
  if
  :: cursor_generation == from && from == GENERATIONS -> beyond_bounds = true; false
  :: else
  fi;
  LOAD(slab = (cursor_generation == from -> 1 - cursor_slab : SLABS); stay = (slab == SLABS));
  take_slab(from);
  LOAD(no_slab = (slab == SLABS && !stay));
  if
  :: slab < SLABS -> move_cursor(slab)
  :: else
  fi;
  LOAD(slab = 0; s = 0; x = 0; w = 0; keep = false; unfinished = false; seen = 0; moved = false; old = 0; stay = false);
  unlock()
}

/* --- A writer ----------------------------------------------------------------------------------------------------- */

inline look_for_room() {
  do
  :: LOAD(wanted = (cursor_units + span <= UNITS -> 0 : cursor_generation); begin_look());
     if
     :: wanted == 0 -> break
     :: else
     fi;
     flip(wanted);
     LOAD(!no_slab || (news & only(me)) != 0 -> no_slab = false; wanted = 0)
  od
}

inline announce() {
#ifdef NO_ANNOUNCEMENT
  skip
#else
  STORE(claim_state[me] = CLAIMING; claim_where[me] = sequence; claim_generation[me] = 0; sequence = 1 - sequence;
        tell(flippers))
#endif
}

inline locate() {
  STORE(claim_state[me] = LOCATED; claim_where[me] = place; claim_generation[me] = generation; tell(flippers))
}

inline withdraw() { STORE(claim_state[me] = NONE; claim_where[me] = 0; claim_generation[me] = 0; tell(flippers)) }

/* fetch_add: `taken` units from `place`, up to the slab's end. The offset may run past it by one claim of each
 * writer. */
inline take() {
  STORE(taken = (cursor_units >= UNITS -> 0 : (cursor_units + span <= UNITS -> span : UNITS - cursor_units));
        place = (taken == 0 -> 0 : cursor_slab * UNITS + cursor_units); generation = cursor_generation;
        cursor_units = cursor_units + span;
        tell(the_reader))
}

inline claim_frame() {
  announce();
  STORE(busy[me] = true);
  do
  :: LOAD(has_room = (cursor_units + span <= UNITS));
     if
     :: !has_room -> withdraw(); look_for_room(); announce()
     :: else
     fi;
     take();
     if
     :: taken == span -> break
     :: taken != span && taken != 0 ->
        STORE(assert(is_mine); slab_word[place] = header(NOP, taken, 0); tell(the_reader));
        announce()
     :: else -> announce()
     fi
  od;
#ifdef LOCATED_BEFORE_HEADER
  locate();
  STORE(assert(is_mine); slab_word[place] = header(BUSY, span, me))
#else
  STORE(assert(is_mine); slab_word[place] = header(BUSY, span, me));
  locate()
#endif
}

/* Of two reserved units, one or both are committed; the payload, or the filler, comes before the header. */
inline publish() {
  if
  :: span == 2 -> STORE(assert(is_mine); slab_word[place + 1] = PAYLOAD)
#ifndef NO_FILLER
  :: span == 2 -> STORE(assert(is_mine); slab_word[place + 1] = header(NOP, 1, 0)); span = 1
#else
  :: span == 2 -> span = 1
#endif
  :: span == 1
  fi;
  STORE(assert(is_mine && slab_word[place] == header(BUSY, span_of(slab_word[place]), me));
        slab_word[place] = header(MESSAGE, span, me); committed[me]++; number++; tell(the_reader));
  STORE(busy[me] = false; tell(flippers))
}

proctype writer(byte me) {
  byte number, span, taken, place, generation;
  bit sequence;
  bool has_room, no_slab;
  byte wanted, slab, s, x, w, seen, first, old, look;
  bool keep, here, unfinished, moved, stay;

  do
  :: number < (me == 0 -> MESSAGES : OTHERS) ->
     if
     :: span = 1
     :: span = 2
     fi;
     claim_frame();
     publish();
     LOAD(span = 0; taken = 0; place = 0; generation = 0; has_room = false)
  :: else -> break
  od;
  STORE(done[me] = true; tell(the_reader));
killed:
  skip;
  LOAD(number = 0; span = 0; taken = 0; place = 0; generation = 0; sequence = 0; has_room = false; no_slab = false;
       wanted = 0; slab = 0; s = 0; x = 0; w = 0; seen = 0; first = 0; old = 0; look = 0; keep = false; here = false;
       unfinished = false; moved = false; stay = false)
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

/* Walks over the frames of slab s, and makes NOP of holes and of the dead writer's busy frame. */
inline repair_frames() {
  x = 0;
  do
  :: x < claimed ->
     LOAD(seen = slab_word[s * UNITS + x];
          span = span_of(seen);
          if
          :: seen == 0 ->
             span = 1;
             do
             :: x + span < claimed && slab_word[s * UNITS + x + span] == 0 -> span++
             :: else -> break
             od
          :: else -> assert(seen != PAYLOAD && span != 0)
          fi);
     if
     :: seen == 0 || (kind_of(seen) == BUSY && owner_of(seen) == victim) ->
        STORE(slab_word[s * UNITS + x] = header(NOP, span, 0); tell(the_reader))
     :: else
     fi;
     LOAD(x = x + span; span = 0; seen = 0)
  :: else -> break
  od;
  x = 0
}

inline repair_holes() {
  LOAD(now = cursor_generation; until = (cursor_units < UNITS -> cursor_units : UNITS));
#ifndef NO_GRACE
  wait_for_claimers();
#endif
  s = 0;
  do
  :: s < SLABS ->
     LOAD(claimed = (is_readable(s) -> (life_generation[s] == now -> until : limit[s]) : 0));
     repair_frames();
     s++
  :: else -> break
  od;
  LOAD(now = 0; until = 0; claimed = 0; s = 0)
}

/* The frame at the place of the dead writer's claim, if the reservation was open. */
inline repair_busy_frame() {
  LOAD(x = claim_where[victim];
       here = (busy[victim] && claim_state[victim] == LOCATED
               && life_generation[x / UNITS] == claim_generation[victim] && is_readable(x / UNITS));
       seen = (here -> slab_word[x] : 0));
#ifndef NO_BUSY_HEADER_REPAIR
  if
  :: here && kind_of(seen) == BUSY && owner_of(seen) == victim ->
     STORE(slab_word[x] = header(NOP, span_of(seen), 0); tell(the_reader))
  :: else
  fi;
#endif
  STORE(busy[victim] = false; tell(flippers))
}

inline forget() { LOAD(victim = 0; now = 0; until = 0; claimed = 0; s = 0; x = 0; span = 0; seen = 0; here = false) }

#define needs_settling(writer) (dead[writer] && !settled[writer])

proctype recoverer() {
  byte me = RECOVERER, victim, now, until, claimed, s, x, span, seen;
  bool here;

killed:
  skip;
  forget();
end_nobody_died:
  if
  :: atomic { needs_settling(0) -> lock_and_mend_states() }; victim = 0
  :: atomic { needs_settling(1) -> lock_and_mend_states() }; victim = 1
  :: atomic { dead[READER] && hold != NO_HOLD -> lock() };
     STORE(hold = NO_HOLD; tell(flippers));
     unlock();
     goto end_nobody_died
  fi;
#ifdef NO_ANNOUNCEMENT
  if
  :: claim_state[victim] != LOCATED -> repair_holes()
  :: else
  fi;
#else
  if
  :: claim_state[victim] == CLAIMING -> repair_holes()
  :: else
  fi;
#endif
  repair_busy_frame();
  STORE(claim_state[victim] = NONE; claim_where[victim] = 0; claim_generation[victim] = 0; tell(flippers));
  STORE(settled[victim] = true; tell(everybody));
  forget();
  unlock();
  goto end_nobody_died
}

/* --- The lossless reader ------------------------------------------------------------------------------------------ */

/* Steps over all that is there. In a generation that has ended, up to its limit. */
inline walk() {
  LOAD(assert(life_generation[s] == hold);
       claimed = (cursor_generation > hold -> limit[s] : UNITS);
       do
       :: position < claimed && slab_word[s * UNITS + position] != 0
          && kind_of(slab_word[s * UNITS + position]) != BUSY ->
          seen = slab_word[s * UNITS + position];
          assert(seen != PAYLOAD && span_of(seen) != 0);
          if
          :: kind_of(seen) == MESSAGE ->
             delivered[owner_of(seen)]++;
             assert(delivered[owner_of(seen)] <= committed[owner_of(seen)])
          :: else
          fi;
          position = position + span_of(seen)
       :: else -> break
       od;
       finished = (cursor_generation > hold && position >= claimed);
       seen = 0; claimed = 0)
}

#define has_got_all(writer) (has_ended(writer) && delivered[writer] == committed[writer])

proctype reader() {
  byte me = READER, position, claimed, s, seen;
  bool finished;

  do
  :: begin_look();
     LOAD(s = (life_generation[0] == hold -> 0 : 1));
     walk();
     if
     :: finished -> STORE(hold++; position = 0; finished = false; tell(everybody))
     :: else
     fi;
     if
     :: has_got_all(0) && has_got_all(1) -> break
     :: wait_for_news()
     fi
  od;
killed:
  skip
}

init {
  atomic {
    life_generation[0] = 1; life_state[0] = ACTIVE;
    choose_deaths();
    run writer(0); run writer(1); run recoverer();
#ifdef NO_READER
    hold = NO_HOLD
#else
    run reader()
#endif
  };
end_of_bounds:
  do
  :: beyond_bounds                                  /* a run that needs more generations is followed no further */
  od
}
