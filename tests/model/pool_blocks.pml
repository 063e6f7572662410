/* A pool with size classes: adjacent chunks become a block of buffers of one class, and chunks again.
 *
 * Mirrors   pool/chunks.cpp, pool/blocks.cpp, as pool_chunks.pml does for chunks of one class. CHUNKS chunks of two units. A buffer of
 *           class A is a unit, and a block of A a chunk with two of them. A buffer of class B is two units; a block of B is
 *           two chunks with two of them, of which the second begins with the second chunk. Each unit has a word: incarnation,
 *           and FREE, or local and whose; of a buffer the first unit's word counts, all others say FREE. A chunk's word says
 *           FREE; SPLIT for A or B: the first of a block, whose words decide; TAIL: it is the one before's; or what somebody does with
 *           it: whole, joining for A or B, parting.
 *             form A      chunk: FREE -> SPLIT for A by compare-and-swap
 *             form B      first chunk: FREE -> whole, second chunk: FREE -> whole by compare-and-swap; second = TAIL; first = SPLIT
 *                         for B; plain stores. Is the second not to be had: first = FREE
 *             take        the buffer's word; then the block's first chunk: is it SPLIT for that class, the word as it was seen: FREE ->
 *                         local by compare-and-swap
 *             release     word = FREE of the next incarnation
 *             join        are all words of the block FREE: first chunk: SPLIT -> joining by compare-and-swap; each word: FREE -> FREE of
 *                         the next incarnation by compare-and-swap; was one not FREE any more, first = SPLIT. Else A:
 *                         first = FREE; B: first = parting; second = FREE; first = FREE
 *             recover     under the pool's lock: words that say local of the dead -> FREE of the next incarnation; then each chunk:
 *                         joining -> SPLIT; whole or parting: the next one, if it says TAIL, -> FREE; then it, too, -> FREE
 * Assumed   as in pool_chunks.pml.
 * Deaths    everybody, at every store.
 * Checked   no unit has two users; what is in use is its user's by its word, in a block of its class; when all is quiet, and the dead
 *           are settled, no TAIL is without its block, and nobody does anything with a chunk.
 * Bounds    PARTICIPANTS, each of whom does anything; FORMS, TAKES, JOINS among them all; CHUNKS; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_LOOK_AT_BLOCK, BLOCK_BEFORE_WORD, LOOK_AT_ANY_CLASS, NO_INCARNATION, JOINED_BY_STORE,
 * SPLIT_BEFORE_TAIL; with a death NO_PARTING, HEAD_FREED_FIRST, NO_TAIL_SETTLED; with two TAIL_SETTLED_LAST. */
#ifndef PARTICIPANTS
#define PARTICIPANTS 2
#endif
#ifndef CHUNKS
#define CHUNKS 2
#endif
#ifndef FORMS
#define FORMS 3
#endif
#ifndef TAKES
#define TAKES 2
#endif
#ifndef JOINS
#define JOINS 2
#endif
#define UNITS (2 * CHUNKS)
#define BUFFERED PARTICIPANTS

#define word(u) (u)
#define chunk(c) (UNITS + (c))
#define WORDS (UNITS + CHUNKS)

#define FREE 0                                      /* a buffer, or a chunk */
#define local_of(who) (1 + (who))
#define make_word(incarnation, state) ((incarnation) * 4 + (state))
#define state_of(word) ((word) % 4)
#define incarnation_of(word) ((word) / 4)
#define next(word, state) make_word(incarnation_of(word) + 1, state)
#define is_local(word, who) (state_of(word) == local_of(who))

#define A 0
#define B 1
#define TAIL 1
#define split_for(class) (2 + (class))
#define whole_of(who) (4 + 4 * (who))
#define joining_of(who, class) (5 + (class) + 4 * (who))
#define parting_of(who) (7 + 4 * (who))

/* The kernel drops a dead one's locks behind his last store. A dead one uses nothing. */
#define ON_KILL flush(me); forget_uses()
#include "participants.pml"
#include "store_buffers.pml"

byte forms_left = FORMS, takes_left = TAKES, joins_left = JOINS;
byte ended;

/* For the checks, and to choose what to release: who uses each unit, and as the first one of which class. */
byte user[UNITS] = NOBODY;
#define NONE 2
byte begins[UNITS] = NONE;

inline forget_uses() {
  n = 0;
  do
  :: n < UNITS ->
     if
     :: user[n] == me -> user[n] = NOBODY; begins[n] = NONE
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}

inline use(u, class) {
  assert(user[u] == NOBODY);
  user[u] = me;
  begins[u] = class;
  if
  :: class == B -> assert(user[(u) + 1] == NOBODY); user[(u) + 1] = me
  :: else
  fi
}

/* A compare-and-swap of a chunk's word: says so by `swapped`. */
inline swap_chunk(c, expected, wanted) {
  STORE(flush(me);
        if
        :: memory[chunk(c)] == (expected) -> memory[chunk(c)] = (wanted); swapped = true
        :: else -> swapped = false
        fi)
}

/* --- Forming a block ---------------------------------------------------------------------------------------------- */

inline form() {
  if
  :: class == A -> swap_chunk(c, FREE, split_for(A))
  :: class == B ->
     swap_chunk(c, FREE, whole_of(me));
     if
     :: swapped ->
        swap_chunk(c + 1, FREE, whole_of(me));
        if
        :: swapped ->
#ifdef SPLIT_BEFORE_TAIL
           STORE(store(chunk(c), split_for(B)));
           STORE(store(chunk(c + 1), TAIL))
#else
           STORE(store(chunk(c + 1), TAIL));
           STORE(store(chunk(c), split_for(B)))
#endif
        :: else -> STORE(store(chunk(c), FREE))
        fi
     :: else
     fi
  fi
}

/* --- Its buffers -------------------------------------------------------------------------------------------------- */

inline take_word() {
  STORE(flush(me);
        if
        :: memory[word(u)] == seen -> memory[word(u)] = make_word(incarnation_of(seen), local_of(me)); use(u, class)
        :: else
        fi)
}

inline take() {
#ifdef BLOCK_BEFORE_WORD
  LOAD(there = load(chunk(c)));
  LOAD(seen = load(word(u)));
#else
  LOAD(seen = load(word(u)));
  LOAD(there = load(chunk(c)));
#endif
#ifdef NO_LOOK_AT_BLOCK
  LOAD(there = split_for(class));
#endif
  if
#ifdef LOOK_AT_ANY_CLASS
  :: (there == split_for(A) || there == split_for(B)) && state_of(seen) == FREE -> take_word()
#else
  :: there == split_for(class) && state_of(seen) == FREE -> take_word()
#endif
  :: else
  fi
}

inline release() {
  LOAD(seen = load(word(u)));
  STORE(if
        :: begins[u] == B -> user[u + 1] = NOBODY
        :: else
        fi;
        user[u] = NOBODY; begins[u] = NONE;
        store(word(u), next(seen, FREE)))
}

/* --- Joining ------------------------------------------------------------------------------------------------------ */

#define second_of(c, class) (2 * (c) + 1 + (class))

inline join_word(at) {
  STORE(flush(me);
        if
#ifdef JOINED_BY_STORE
        :: true ->
#else
        :: state_of(memory[word(at)]) == FREE ->
#endif
#ifndef NO_INCARNATION
           memory[word(at)] = next(memory[word(at)], FREE)
#else
           skip
#endif
        :: else -> swapped = false
        fi)
}

inline part() {
#ifdef HEAD_FREED_FIRST
  STORE(store(chunk(c), FREE));
  STORE(store(chunk(c + 1), FREE))
#else
#ifndef NO_PARTING
  STORE(store(chunk(c), parting_of(me)));
#endif
  STORE(store(chunk(c + 1), FREE));
  STORE(store(chunk(c), FREE))
#endif
}

inline join() {
  LOAD(swapped = (state_of(load(word(2 * c))) == FREE && state_of(load(word(second_of(c, class)))) == FREE));
  if
  :: swapped ->
     swap_chunk(c, split_for(class), joining_of(me, class));
     if
     :: swapped ->
        join_word(2 * c);
        join_word(second_of(c, class));
        if
        :: !swapped -> STORE(store(chunk(c), split_for(class)))
        :: swapped && class == A -> STORE(store(chunk(c), FREE))
        :: swapped && class == B -> part()
        fi
     :: else
     fi
  :: else
  fi
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

inline settle_words() {
  do
  :: u < UNITS ->
     LOAD(seen = load(word(u)));
     if
     :: is_local(seen, whom) -> STORE(store(word(u), next(seen, FREE)))
     :: else
     fi;
     u++
  :: else -> u = 0; break
  od
}

#define has_tail(c) ((c) + 1 < CHUNKS && load(chunk((c) + 1)) == TAIL)

inline settle_tail() {
#ifdef NO_TAIL_SETTLED
  LOAD(swapped = false);
#else
  LOAD(swapped = has_tail(c));
#endif
  if
  :: swapped -> STORE(store(chunk(c + 1), FREE))
  :: else
  fi
}

inline settle_chunk() {
  LOAD(there = load(chunk(c)));
  if
  :: there == joining_of(whom, A) -> STORE(store(chunk(c), split_for(A)))
  :: there == joining_of(whom, B) -> STORE(store(chunk(c), split_for(B)))
  :: there == whole_of(whom) || there == parting_of(whom) ->
#ifdef TAIL_SETTLED_LAST
     STORE(store(chunk(c), FREE));
     settle_tail()
#else
     settle_tail();
     STORE(store(chunk(c), FREE))
#endif
  :: else
  fi
}

inline settle() {
  settle_words();
  do
  :: c < CHUNKS -> settle_chunk(); c++
  :: else -> c = 0; break
  od
}

#define lock_is_free (maintenance == NOBODY)
#define somebody_is_dead (dead[0] || dead[1] || dead[PARTICIPANTS - 1])
#define has(u) (user[u] == me && begins[u] != NONE)

inline choose_block() {
  if
  :: c = 0
  :: c = 1
#if CHUNKS > 2
  :: c = 2
#endif
  fi;
  if
  :: class = A
  :: atomic { c + 1 < CHUNKS -> class = B }
  fi
}

proctype participant(byte me) {
  byte whom, n, u, c, seen, there, class;
  bool swapped;

  do
  :: LOAD(n = 0; u = 0; c = 0; seen = 0; there = 0; class = 0; swapped = false; whom = 0);
     if
     :: atomic { forms_left > 0 -> forms_left--; choose_block() };
        form()
     :: atomic { takes_left > 0 -> takes_left--; choose_block();
          if
          :: u = 2 * c
          :: u = second_of(c, class)
          fi };
        take()
     :: atomic { has(0) -> u = 0 }; release()
     :: atomic { has(1) -> u = 1 }; release()
     :: atomic { has(2) -> u = 2 }; release()
     :: atomic { has(3) -> u = 3 }; release()
#if CHUNKS > 2
     :: atomic { has(4) -> u = 4 }; release()
     :: atomic { has(5) -> u = 5 }; release()
#endif
     :: atomic { joins_left > 0 -> joins_left--; choose_block() };
        join()
     :: atomic { lock_is_free && somebody_is_dead -> maintenance = me; flush(me) };
        if
        :: dead[0] -> whom = 0
        :: dead[1] -> whom = 1
        :: dead[PARTICIPANTS - 1] -> whom = PARTICIPANTS - 1
        fi;
        settle();
        STORE(flush(me); maintenance = NOBODY)
     :: goto leave
     fi
  od;
leave:
  skip;
killed:
  LOAD(n = 0; u = 0; c = 0; seen = 0; there = 0; class = 0; swapped = false; whom = 0; ended++)
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

inline settle_at_the_end() {
  do
  :: whom < PARTICIPANTS ->
     if
     :: dead[whom] ->
        do
        :: u < UNITS ->
           if
           :: is_local(memory[word(u)], whom) -> memory[word(u)] = next(memory[word(u)], FREE)
           :: else
           fi;
           u++
        :: else -> u = 0; break
        od;
        do
        :: c < CHUNKS ->
           if
           :: memory[chunk(c)] == joining_of(whom, A) -> memory[chunk(c)] = split_for(A)
           :: memory[chunk(c)] == joining_of(whom, B) -> memory[chunk(c)] = split_for(B)
           :: memory[chunk(c)] == whole_of(whom) || memory[chunk(c)] == parting_of(whom) ->
#ifndef NO_TAIL_SETTLED
              if
              :: c + 1 < CHUNKS && memory[chunk(c + 1)] == TAIL -> memory[chunk(c + 1)] = FREE
              :: else
              fi;
#endif
              memory[chunk(c)] = FREE
           :: else
           fi;
           c++
        :: else -> c = 0; break
        od
     :: else
     fi;
     whom++
  :: else -> whom = 0; break
  od
}

inline check_at_the_end() {
  do
  :: u < UNITS ->
     assert(begins[u] == NONE || is_local(memory[word(u)], user[u]));
     assert(state_of(memory[word(u)]) == FREE || begins[u] != NONE);
     assert(begins[u] != A || memory[chunk(u / 2)] == split_for(A));
     assert(begins[u] != B || memory[chunk(u / 2)] == split_for(B) || memory[chunk(u / 2)] == TAIL);
     u++
  :: else -> u = 0; break
  od;
  do
  :: c < CHUNKS ->
     assert(memory[chunk(c)] < whole_of(0));
     assert(memory[chunk(c)] != TAIL || (c > 0 && memory[chunk(c - 1)] == split_for(B)));
     assert(memory[chunk(c)] != split_for(B) || (c + 1 < CHUNKS && memory[chunk(c + 1)] == TAIL));
     c++
  :: else -> c = 0; break
  od
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[BUFFERED - 1].filled == 0)

init {
  byte n, u, c, whom;

  atomic {
    choose_deaths();
    do
    :: n < PARTICIPANTS -> run participant(n); n++
    :: else -> n = 0; break
    od
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(settle_at_the_end(); check_at_the_end())
}
