/* Per-writer order: extents, flip, close, reclaim, repair, and a lossless reader.
 *
 * Mirrors   include/sapbuf/writer.hpp and stream/writer.cpp (reserve, commit), stream/claim.cpp (claim_extent),
 *           stream/extents.cpp, stream/flip.cpp, stream/close.cpp and close_extents.cpp, stream/reclaim.cpp,
 *           stream/slabs.cpp, stream/repair.cpp (wait_for_claimers, repair_holes), stream/repair_extents.cpp,
 *           stream/reader_windows.cpp (discover, forget_finished).
 * Assumed   sequential consistency (the close edge under store buffers: close.pml); claims of one extent, so that none
 *           runs over a slab's end. Slabs are not zeroed: what an older generation wrote stays there. The counts of
 *           the ledger are in ledger.pml, pins in overwrite.pml.
 * Deaths    writers, the reader when it lets go of a slab (with READER_DIES also while it waits), and the recoverer
 *           (another one follows).
 * Checked   nobody writes a frame into another generation than its own; the reader gets every committed message once,
 *           and in its writer's order; whoever is alive comes to its end.
 * Bounds    WRITERS; EXTENTS of a slab; FRAMES of an extent; MESSAGES of the first writer and of each of the OTHERS;
 *           GENERATIONS; DEATHS. 2 slabs, 1 reader, whose look at the tables is one step with COARSE_LOOKS.
 *
 * Each of these leaves out one step, and must fail: NO_REVOKE, NO_BUSY_CHECK, NO_LOOK_AFTER_OPEN, NO_GRACE,
 * NO_HOLD_CHECK, LIMIT_AFTER_CURSOR, WORD_BEFORE_NOP, NO_ZERO_BEHIND, CLEAR_BEFORE_LOOK, DRAIN_NEWEST_FIRST. */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef EXTENTS
#define EXTENTS 1
#endif
#ifndef FRAMES
#define FRAMES 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef OTHERS
#define OTHERS 1
#endif
#ifndef GENERATIONS
#define GENERATIONS 5
#endif
#define SLABS 2
#define READER WRITERS
#define RECOVERER (WRITERS + 1)
#define PARTICIPANTS (WRITERS + 2)

#include "participants.pml"

#define the_reader only(READER)
#define flippers (everybody & ~the_reader)

/* --- Shared memory ------------------------------------------------------------------------------------------------ */

byte cursor_generation = 1, cursor_slab, cursor_extents;                     /* one word */

#define FREE 0
#define ACTIVE 1
#define SEALED 2
#define CLEANING 4
#define is_readable(slab) (life_state[slab] == ACTIVE || life_state[slab] == SEALED)
byte life_generation[SLABS], life_state[SLABS];                              /* one word each */
byte limit[SLABS];
byte closed_through;

#define OPEN 1
#define CLOSED 2
byte table_state[SLABS * EXTENTS], table_owner[SLABS * EXTENTS];             /* one word each: FREE, OPEN, CLOSED */

#define PLACES (FRAMES + 1)                                                  /* headers; the last is its tail */
#define NOP 255
#define message(writer, number) ((writer) * MESSAGES + (number) + 1)
#define header_at(extent, place) header[(extent) * PLACES + (place)]
byte header[SLABS * EXTENTS * PLACES];

#define NONE 0
#define CLAIMING 1
#define LOCATED 2
byte claim_state[WRITERS], claim_where[WRITERS], claim_generation[WRITERS];  /* one word; where: sequence, or extent */
bool busy[WRITERS];
byte revoked[WRITERS];
byte hold = 1;                                                               /* the reader's */
#define NO_HOLD 255

/* --- What only the checks know ------------------------------------------------------------------------------------ */

byte committed[WRITERS], delivered[WRITERS];
bool done[WRITERS], settled[WRITERS];
bool beyond_bounds;

#define has_ended(writer) (done[writer] || settled[writer])
#define slab_of(extent) ((extent) / EXTENTS)
#define is_mine(extent) (life_generation[slab_of(extent)] == generation)

/* --- Extents ------------------------------------------------------------------------------------------------------ */

/* close_extent(): all that is not committed becomes NOP, then the table says so. Nobody writes there meanwhile. */
inline close_extent(which) {
  LOAD(at = 0;
       do
       :: at < PLACES && header_at(which, at) != 0 && header_at(which, at) != NOP -> at++
       :: else -> break
       od);
#ifdef WORD_BEFORE_NOP
  STORE(table_state[which] = CLOSED; table_owner[which] = 0);
#endif
  if
  :: at < PLACES -> STORE(header_at(which, at) = NOP; tell(the_reader))
  :: else
  fi;
  STORE(table_state[which] = CLOSED; table_owner[which] = 0; at = 0; tell(everybody))
}

inline close_hole(which) {
  STORE(header_at(which, 0) = NOP);
  STORE(table_state[which] = CLOSED; tell(everybody))
}

/* --- Close -------------------------------------------------------------------------------------------------------- */

/* may_close(): the claim is read first, then the progress word. Says `keep` if the owner may be writing there. */
inline look_at_owner(which) {
  LOAD(owner = table_owner[which];
       keep = (claim_state[owner] == LOCATED && claim_where[owner] == which
               && claim_generation[owner] == life_generation[slab_of(which)]));
#ifdef NO_BUSY_CHECK
  keep = false;
#endif
  LOAD(keep = keep && busy[owner])
}

/* The extents of slab s. */
inline close_extents() {
  LOAD(x = s * EXTENTS; any_open = false; unfinished = false);
  do
  :: x < s * EXTENTS + limit[s] ->
     LOAD(if
          :: table_state[x] == FREE -> unfinished = true; owner = NOBODY
          :: table_state[x] == OPEN -> any_open = true; owner = table_owner[x]
          :: else -> owner = NOBODY
          fi;
          x++);
#ifndef NO_REVOKE
     if
     :: owner != NOBODY && revoked[owner] < life_generation[s] -> STORE(revoked[owner] = life_generation[s])
     :: else
     fi
#endif
  :: else -> break
  od;
  /* heavy fence */
  x = s * EXTENTS;
  do
  :: any_open && x < s * EXTENTS + limit[s] ->
     if
     :: table_state[x] == OPEN ->
        look_at_owner(x);
        if
        :: keep -> unfinished = true
        :: else -> close_extent(x)
        fi
     :: else
     fi;
     x++
  :: else -> break
  od
}

/* With two slabs, at most one generation has ended and is not closed. */
inline close_ended() {
  if
  :: closed_through + 1 < cursor_generation ->
     LOAD(s = (life_generation[0] == closed_through + 1 -> 0 : 1));
     close_extents();
     if
     :: !unfinished -> STORE(closed_through++)
     :: else
     fi
  :: else
  fi
}

/* --- Reclaim and flip --------------------------------------------------------------------------------------------- */

/* Nobody looks into a table that is being cleaned, and a half cleaned one is cleaned anew. */
inline clean(slab) {
  STORE(x = 0;
        do
        :: x < EXTENTS -> table_state[slab * EXTENTS + x] = FREE; table_owner[slab * EXTENTS + x] = 0; x++
        :: else -> break
        od;
        life_state[slab] = FREE)
}

/* An older slab that still says `active` is sealed; with two slabs there is one at most. What is read here changes
 * under the lock only. */
#define is_left_behind(slab) (life_state[slab] == ACTIVE && life_generation[slab] < cursor_generation)

inline lock_and_mend_states() {
  atomic { maintenance == NOBODY -> maintenance = me; s = (is_left_behind(0) -> 0 : (is_left_behind(1) -> 1 : SLABS)) };
  if
  :: s < SLABS -> STORE(life_state[s] = SEALED)
  :: else
  fi
}

/* The oldest slab, if it is sealed, closed and not held; otherwise SLABS. */
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

/* With two slabs, only the one that the cursor is not in can be had. SLABS: it cannot. */
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
  :: LOAD(seen = cursor_extents; moved = false);
#ifndef LIMIT_AFTER_CURSOR
     STORE(limit[cursor_slab] = seen);
#endif
     STORE(if
           :: cursor_extents == seen ->
              moved = true; old = cursor_slab; cursor_generation++; cursor_slab = slab; cursor_extents = 0;
              tell(everybody)
           :: else
           fi);
     if
     :: moved -> break
     :: else
     fi
  od;
#ifdef LIMIT_AFTER_CURSOR
  STORE(limit[old] = seen);
#endif
  STORE(life_state[old] = SEALED)
}

/* From `from`, in which there was no room. Says `no_slab` if none can be had. */
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
  LOAD(slab = 0; s = 0; x = 0; owner = 0; keep = false; any_open = false; unfinished = false; seen = 0; moved = false;
       old = 0; stay = false);
  unlock()
}

/* --- A writer ----------------------------------------------------------------------------------------------------- */

inline look_for_room() {
  do
  :: LOAD(wanted = (cursor_extents < EXTENTS -> 0 : cursor_generation); begin_look());
     if
     :: wanted == 0 -> break
     :: else
     fi;
     flip(wanted);
     LOAD(!no_slab || (news & only(me)) != 0 -> no_slab = false; wanted = 0)
  od
}

inline claim_extent() {
  look_for_room();
  STORE(claim_state[me] = CLAIMING; claim_where[me] = sequence; claim_generation[me] = 0; sequence = 1 - sequence);
  /* fetch_add; an overshoot takes nothing */
  STORE(has = (cursor_extents < EXTENTS);
        if
        :: has ->
           extent = cursor_slab * EXTENTS + cursor_extents; generation = cursor_generation; cursor_extents++;
           tell(the_reader)
        :: else
        fi);
  if
  :: has ->
     STORE(assert(is_mine(extent)); header_at(extent, 0) = 0;
           table_state[extent] = OPEN; table_owner[extent] = me; tell(everybody));
     STORE(claim_state[me] = LOCATED; claim_where[me] = extent; claim_generation[me] = generation; fresh = true;
           tell(flippers))
  :: else ->
     STORE(claim_state[me] = NONE; claim_where[me] = 0; tell(flippers))
  fi
}

inline drop_extent() { LOAD(has = false; fresh = false; extent = 0; generation = 0; next = 0) }

inline close_own_extent() {
  STORE(assert(is_mine(extent)); header_at(extent, next) = NOP; tell(the_reader));
  STORE(assert(is_mine(extent)); table_state[extent] = CLOSED; table_owner[extent] = 0; tell(everybody));
  drop_extent()
}

/* Zeroes what is free in the extent that was just claimed. It stays as it is here: only where that is, matters. */
inline clear_extent() {
  STORE(assert(is_mine(extent) && table_state[extent] == OPEN); fresh = false)
}

/* Ends with room for a frame at `next`. */
inline reserve() {
  STORE(busy[me] = true);
  do
  :: has ->
#ifdef CLEAR_BEFORE_LOOK
     if
     :: fresh -> clear_extent()
     :: else
     fi;
#endif
     /* light fence */
     LOAD(is_revoked = (revoked[me] >= generation));
#ifdef NO_LOOK_AFTER_OPEN
     is_revoked = is_revoked && next != 0;
#endif
     if
     :: is_revoked -> drop_extent(); is_revoked = false
     :: !is_revoked && next < FRAMES && fresh -> clear_extent(); break
     :: !is_revoked && next < FRAMES && !fresh -> break
     :: else -> close_own_extent()
     fi
  :: else ->
     if
     :: claim_state[me] != NONE ->
        STORE(claim_state[me] = NONE; claim_where[me] = 0; claim_generation[me] = 0; tell(flippers))
     :: else
     fi;
     claim_extent()
  od
}

inline commit() {
  STORE(assert(is_mine(extent) && table_state[extent] == OPEN);
#ifndef NO_ZERO_BEHIND
        header_at(extent, next + 1) = 0;
#endif
        header_at(extent, next) = message(me, number); committed[me]++; next++; number++; tell(the_reader));
  STORE(busy[me] = false; tell(flippers))
}

proctype writer(byte me) {
  byte number;                                      /* of the next message */
  bool has, fresh;                                  /* an extent; not cleared yet: */
  byte extent, generation, next;
  bit sequence;                                     /* of the claims */
  bool is_revoked, no_slab;
  byte wanted, slab, s, x, at, seen, owner, old;
  bool keep, any_open, unfinished, moved, stay;

  do
  :: number < (me == 0 -> MESSAGES : OTHERS) -> reserve(); commit()
  :: else -> break
  od;
  STORE(done[me] = true; tell(the_reader));         /* from here on it is idle, and keeps its extent */
killed:
  skip;
  LOAD(number = 0; has = false; fresh = false; extent = 0; generation = 0; next = 0; sequence = 0; is_revoked = false; no_slab = false;
       wanted = 0; slab = 0; s = 0; x = 0; at = 0; seen = 0; owner = 0; old = 0; keep = false; any_open = false;
       unfinished = false; moved = false; stay = false)
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

/* Waits until every live writer that was between its announcement and its trace has been seen elsewhere. */
inline wait_for_claimers() {
  x = 0;
  do
  :: x < WRITERS ->
     LOAD(keep = (claim_state[x] == CLAIMING); seen = claim_where[x]);
     if
     :: !keep || dead[x] || claim_state[x] != CLAIMING || claim_where[x] != seen -> x++
     fi
  :: else -> break
  od;
  LOAD(keep = false; seen = 0; x = 0)
}

/* Closes, in all slabs, what is claimed and has no trace, and what the dead writer has open. */
inline repair_holes() {
  LOAD(now = cursor_generation; claimed = (cursor_extents < EXTENTS -> cursor_extents : EXTENTS));
#ifndef NO_GRACE
  wait_for_claimers();
#endif
  x = 0;
  do
  :: x < SLABS * EXTENTS ->
     LOAD(s = slab_of(x);
          state = CLOSED;
          if
          :: is_readable(s) && x - s * EXTENTS < (life_generation[s] == now -> claimed : limit[s]) ->
             state = table_state[x]; owner = table_owner[x]
          :: else
          fi);
     if
     :: state == FREE -> close_hole(x)
     :: state == OPEN && owner == victim -> close_extent(x)
     :: else
     fi;
     x++
  :: else -> break
  od;
  LOAD(now = 0; claimed = 0; x = 0; s = 0; state = 0; owner = 0)
}

/* The extent that the dead writer had open. That nobody is busy in it is said before it is closed. */
inline repair_extent() {
  LOAD(x = claim_where[victim];
       keep = (claim_state[victim] == LOCATED && life_generation[slab_of(x)] == claim_generation[victim]
               && is_readable(slab_of(x)) && table_state[x] == OPEN && table_owner[x] == victim));
  STORE(busy[victim] = false; tell(flippers));
  if
  :: keep -> close_extent(x)
  :: else
  fi
}

inline forget() {
  LOAD(victim = 0; now = 0; claimed = 0; s = 0; x = 0; at = 0; seen = 0; owner = 0; state = 0; keep = false)
}

#define needs_settling(writer) (dead[writer] && !settled[writer])

proctype recoverer() {
  byte me = RECOVERER, victim, now, claimed, s, x, at, seen, owner, state;
  bool keep;

killed:
  skip;
  forget();
end_nobody_died:
  if
  :: atomic { needs_settling(0) -> lock_and_mend_states() }; victim = 0
  :: atomic { needs_settling(WRITERS - 1) -> lock_and_mend_states() }; victim = WRITERS - 1
  :: atomic { dead[READER] && hold != NO_HOLD -> lock() };
     STORE(hold = NO_HOLD; tell(flippers));
     unlock();
     goto end_nobody_died
  fi;
  if
  :: claim_state[victim] == CLAIMING -> repair_holes()
  :: else
  fi;
  repair_extent();
  STORE(claim_state[victim] = NONE; claim_where[victim] = 0; claim_generation[victim] = 0; tell(flippers));
  STORE(settled[victim] = true; tell(the_reader));
  forget();
  unlock();
  goto end_nobody_died
}

/* --- The lossless reader ------------------------------------------------------------------------------------------ */

/* Where it stands in each extent; its own. */
#define UNTRACED 0
#define ENDED 255
byte position[SLABS * EXTENTS];                     /* otherwise the number of the next header, from 1 */

/* Words that are held change no more, but for the tables and headers. */
inline find_window(generation) {
  LOAD(s = (life_generation[0] == generation -> 0 : 1);
       assert(life_generation[s] == generation))    /* else: "a generation that this reader holds is gone" */
}

inline take_up(which) {
  LOAD(if
       :: position[which] == UNTRACED && table_state[which] != FREE -> position[which] = 1
       :: else
       fi)
}

inline discover(generation) {
  find_window(generation);
  LOAD(known = (generation == newest -> claimed : limit[s]));
  x = known;
  do
  :: x > 0 -> x--; take_up(s * EXTENTS + x)
  :: else -> break
  od
}

/* Headers change from nothing to what they stay, and only extents that were discovered before are drained: to do it at
 * once hides nothing. */
inline drain_extents() {
  do
  :: x < (s + 1) * EXTENTS ->
     do
     :: position[x] != UNTRACED && position[x] != ENDED && header_at(x, position[x] - 1) != 0 ->
        v = header_at(x, position[x] - 1);
        if
        :: v == NOP -> position[x] = ENDED
        :: else ->
           v--;
           assert(v % MESSAGES == delivered[v / MESSAGES]);  /* once, and in its writer's order */
           delivered[v / MESSAGES]++;
           position[x]++
        fi
     :: else -> break
     od;
     x++
  :: else -> break
  od
}

#define slab_with(generation) (life_generation[0] == (generation) -> 0 : 1)

inline drain() {
  LOAD(
#ifdef DRAIN_NEWEST_FIRST
       s = slab_with(newest); x = s * EXTENTS; drain_extents();
#endif
       s = slab_with(hold); x = s * EXTENTS; drain_extents();
       s = slab_with(newest); x = s * EXTENTS; drain_extents();
       s = 0; x = 0; v = 0)
}

inline forget_finished() {
  if
  :: newest > hold ->
     find_window(hold);
     LOAD(x = 0;
          do
          :: x < limit[s] && position[s * EXTENTS + x] == ENDED -> x++
          :: else -> break
          od;
          finished = (x == limit[s]);
          x = 0;
          do
          :: finished && x < EXTENTS -> position[s * EXTENTS + x] = UNTRACED; x++
          :: else -> break
          od);
     if
     :: finished -> STORE(hold++; tell(flippers | the_reader))
     :: else
     fi
  :: else
  fi
}

inline look() {
  LOAD(newest = cursor_generation; claimed = (cursor_extents < EXTENTS -> cursor_extents : EXTENTS));
  if
  :: newest > hold -> discover(newest)
  :: else
  fi;
  discover(hold);
  drain()
}

#define has_got_all(writer) (has_ended(writer) && delivered[writer] == committed[writer])

proctype reader() {
  byte me = READER, newest, claimed, known, s, x, v;
  bool finished;

  do
  :: begin_look();
#ifdef COARSE_LOOKS
     atomic { look() };
#else
     look();
#endif
     forget_finished();
     LOAD(newest = 0; claimed = 0; known = 0; s = 0; x = 0; finished = false);
     if
     :: has_got_all(0) && has_got_all(WRITERS - 1) -> break
     :: wait_for_news()
#ifdef READER_DIES
     :: atomic { kills_left > 0 -> kill_me() }; goto killed
#endif
     fi
  od;
killed:
  skip
}

init {
  atomic {
    life_generation[0] = 1; life_state[0] = ACTIVE;
    choose_deaths();
    run writer(0);
#if WRITERS > 1
    run writer(1);
#endif
    run recoverer();
    run reader()
  };
end_of_bounds:
  do
  :: beyond_bounds                                  /* a run that needs more generations is followed no further */
  od
}
