/* A pool's chunks: buffers taken one by one, whole chunks taken at once, and chunks whose memory goes back to the system.
 *
 * Mirrors   pool/chunks.cpp, pool/unbacked.cpp. One chunk of two buffers. A buffer's word says incarnation and
 *           FREE, or local and whose. The chunk's word says FREE: nobody has any of its buffers, and their words are not to
 *           be touched; SPLIT: the words decide; VOID: as FREE, but there is no memory; or what somebody does with it: whole,
 *           joining, moving.
 *             take one    the buffer's word; then the chunk's: is it FREE, -> SPLIT by compare-and-swap, and once more; is
 *                         it SPLIT, the buffer's word as it was seen: FREE -> local by compare-and-swap
 *             take all    chunk: FREE -> whole by compare-and-swap. Who wants but one of them marks it: word = local; then
 *                         chunk = SPLIT, by plain stores
 *             release     word = FREE of the next incarnation; of all: chunk = FREE; plain stores
 *             join        are all words FREE: chunk: SPLIT -> joining by compare-and-swap; each word: FREE -> FREE of the
 *                         next incarnation by compare-and-swap; then chunk = FREE, or SPLIT if one was not FREE any more
 *             give back   chunk: FREE -> moving by compare-and-swap; the memory goes; chunk = VOID
 *             allocate    chunk: VOID -> moving by compare-and-swap; the memory comes; chunk = FREE
 *             recover     under the pool's lock: is the chunk SPLIT, joining, or whole and the dead one's: words that say
 *                         local of the dead -> FREE of the next incarnation; then the chunk, of the dead: whole -> FREE,
 *                         joining -> SPLIT, moving -> VOID
 * Assumed   total store order, as store_buffers.pml says; on other machines the words are released and acquired. That the
 *           system's calls and the kernel's locks are fences. That no incarnation comes round again while one is stopped.
 *           Magazines and those who wait are not in it (pool_magazine.pml, pool_waiters.pml): they go by single words.
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go. Slots are not reused.
 * Checked   what is in use is its user's alone, by its word or the chunk's, and has memory; when all is quiet, and the dead
 *           are settled, nobody does anything with the chunk, and unless it is SPLIT or whole no word says local; without
 *           memory it is VOID.
 * Bounds    PARTICIPANTS, each of whom does anything; SINGLES, RUNS, JOINS, MOVES among them all; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_LOOK_AT_CHUNK, CHUNK_BEFORE_WORD, NO_INCARNATION, NO_JOINING,
 * JOINED_BY_STORE, TAKEN_BY_STORE, SPLIT_FIRST, NO_MOVING, FREE_FIRST; with a death MOVED_TO_FREE, NO_CHUNK_SETTLED;
 * with a death among three, CHUNK_SETTLED_FIRST; with two deaths WORDS_OF_SPLIT_ONLY. */
#ifndef PARTICIPANTS
#define PARTICIPANTS 2
#endif
#ifndef SINGLES
#define SINGLES 3
#endif
#ifndef RUNS
#define RUNS 2
#endif
#ifndef JOINS
#define JOINS 2
#endif
#ifndef MOVES
#define MOVES 2
#endif
#define BUFFERS 2
#define BUFFERED PARTICIPANTS

#define word(b) (b)
#define CHUNK BUFFERS
#define WORDS (BUFFERS + 1)

#define FREE 0                                      /* a buffer, or the chunk */
#define local_of(who) (1 + (who))
#define make_word(incarnation, state) ((incarnation) * 4 + (state))
#define state_of(word) ((word) % 4)
#define incarnation_of(word) ((word) / 4)
#define next(word, state) make_word(incarnation_of(word) + 1, state)
#define is_local(word, who) (state_of(word) == local_of(who))

#define SPLIT 1
#define VOID 2
#define whole_of(who) (4 + 4 * (who))
#define joining_of(who) (5 + 4 * (who))
#define moving_of(who) (6 + 4 * (who))
#ifdef WORDS_OF_SPLIT_ONLY
#define has_words(chunk) ((chunk) == SPLIT)
#else
#define has_words(chunk) ((chunk) % 4 == SPLIT)      /* or joining */
#endif
#define has_words_of(chunk, who) (has_words(chunk) || (chunk) == whole_of(who))

/* The kernel drops a dead one's locks behind his last store. A dead one uses nothing. */
#define ON_KILL flush(me); forget_uses()
#include "participants.pml"
#include "store_buffers.pml"

byte singles_left = SINGLES, runs_left = RUNS, joins_left = JOINS, moves_left = MOVES;
byte ended;
bool is_there = true;                               /* the memory */

/* For the checks, and to choose what to release: who uses each buffer. */
byte user[BUFFERS] = NOBODY;

inline forget_uses() {
  n = 0;
  do
  :: n < BUFFERS ->
     if
     :: user[n] == me -> user[n] = NOBODY
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}

inline use(b) { assert(user[b] == NOBODY && is_there); user[b] = me }

/* A compare-and-swap of the chunk's word: says so by `swapped`. */
inline swap_chunk(expected, wanted) {
  STORE(flush(me);
        if
        :: memory[CHUNK] == (expected) -> memory[CHUNK] = (wanted); swapped = true
        :: else
        fi)
}

/* --- One by one --------------------------------------------------------------------------------------------------- */

inline take_word() {
  STORE(flush(me);
        if
        :: memory[word(b)] == seen -> memory[word(b)] = make_word(incarnation_of(seen), local_of(me)); use(b)
        :: else
        fi)
}

inline take_one() {
#ifdef CHUNK_BEFORE_WORD
  LOAD(chunk = load(CHUNK));
  LOAD(seen = load(word(b)));
#else
  LOAD(seen = load(word(b)));
  LOAD(chunk = load(CHUNK));
#endif
  if
  :: chunk == FREE -> swap_chunk(FREE, SPLIT)
  :: chunk != FREE
  fi;
#ifdef NO_LOOK_AT_CHUNK
  LOAD(chunk = SPLIT);
#endif
  if
  :: chunk == SPLIT && state_of(seen) == FREE -> take_word()
  :: else
  fi
}

inline release_one() {
  LOAD(seen = load(word(b)));
  STORE(user[b] = NOBODY; store(word(b), next(seen, FREE)))
}

/* --- All at once -------------------------------------------------------------------------------------------------- */

inline take_all() {
#ifdef TAKEN_BY_STORE
  LOAD(chunk = load(CHUNK));
  if
  :: chunk == FREE -> STORE(store(CHUNK, whole_of(me)); swapped = true)
  :: else
  fi;
#else
  swap_chunk(FREE, whole_of(me));
#endif
  if
  :: swapped ->
     if
     :: LOAD(use(0); use(1))
     :: LOAD(use(0));
#ifdef SPLIT_FIRST
        STORE(store(CHUNK, SPLIT));
#endif
        LOAD(seen = load(word(0)));
        STORE(store(word(0), make_word(incarnation_of(seen), local_of(me))));
#ifndef SPLIT_FIRST
        STORE(store(CHUNK, SPLIT))
#endif
     fi
  :: else
  fi
}

inline release_all() { STORE(user[0] = NOBODY; user[1] = NOBODY; store(CHUNK, FREE)) }

inline join_words() {
  do
  :: b < BUFFERS ->
     STORE(flush(me);
           if
#ifdef JOINED_BY_STORE
           :: true ->
#else
           :: state_of(memory[word(b)]) == FREE ->
#endif
#ifndef NO_INCARNATION
              memory[word(b)] = next(memory[word(b)], FREE)
#else
              skip
#endif
           :: else -> swapped = false
           fi);
     b++
  :: else -> break
  od
}

inline join() {
  LOAD(swapped = (state_of(load(word(0))) == FREE && state_of(load(word(1))) == FREE));
  if
  :: swapped ->
     LOAD(swapped = false);
#ifdef NO_JOINING
     LOAD(swapped = (load(CHUNK) == SPLIT));
#else
     swap_chunk(SPLIT, joining_of(me));
#endif
     if
     :: swapped ->
        join_words();
#ifdef NO_JOINING
        if
        :: swapped -> LOAD(swapped = false); swap_chunk(SPLIT, FREE)
        :: else
        fi
#else
        if
        :: swapped -> STORE(store(CHUNK, FREE))
        :: else -> STORE(store(CHUNK, SPLIT))
        fi
#endif
     :: else
     fi
  :: else
  fi
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

#define is_unused (user[0] == NOBODY && user[1] == NOBODY)

inline give_back() {
#ifdef NO_MOVING
  LOAD(swapped = (load(CHUNK) == FREE));
#else
  swap_chunk(FREE, moving_of(me));
#endif
  if
  :: swapped ->
     STORE(flush(me); assert(is_unused); is_there = false);
#ifdef NO_MOVING
     LOAD(swapped = false);
     swap_chunk(FREE, VOID)
#else
     STORE(store(CHUNK, VOID))
#endif
  :: else
  fi
}

inline allocate() {
  swap_chunk(VOID, moving_of(me));
  if
  :: swapped ->
#ifdef FREE_FIRST
     STORE(store(CHUNK, FREE));
     STORE(flush(me); is_there = true)
#else
     STORE(flush(me); is_there = true);
     STORE(store(CHUNK, FREE))
#endif
  :: else
  fi
}

/* --- Recovery ----------------------------------------------------------------------------------------------------- */

inline settle_words() {
  LOAD(chunk = load(CHUNK));
  do
  :: !has_words_of(chunk, whom) -> break
  :: has_words_of(chunk, whom) && b < BUFFERS ->
     LOAD(seen = load(word(b)));
     if
     :: is_local(seen, whom) -> STORE(store(word(b), next(seen, FREE)))
     :: else
     fi;
     b++
  :: else -> b = 0; break
  od
}

#ifdef MOVED_TO_FREE
#define MOVED FREE
#else
#define MOVED VOID
#endif

inline settle_chunk() {
  LOAD(chunk = load(CHUNK));
  if
  :: chunk == whole_of(whom) -> STORE(store(CHUNK, FREE))
  :: chunk == joining_of(whom) -> STORE(store(CHUNK, SPLIT))
  :: chunk == moving_of(whom) -> STORE(store(CHUNK, MOVED))
  :: else
  fi
}

inline settle() {
#ifdef CHUNK_SETTLED_FIRST
  settle_chunk();
#endif
  settle_words();
#if !defined(CHUNK_SETTLED_FIRST) && !defined(NO_CHUNK_SETTLED)
  settle_chunk()
#endif
}

#define lock_is_free (maintenance == NOBODY)
#define somebody_is_dead (dead[0] || dead[1] || dead[PARTICIPANTS - 1])
#define has_all (user[0] == me && user[1] == me && memory[CHUNK] == whole_of(me))
#define has_one(b) (user[b] == me && !has_all)

proctype participant(byte me) {
  byte whom, n, b, seen, chunk;
  bool swapped;

  do
  :: LOAD(n = 0; b = 0; seen = 0; chunk = 0; swapped = false; whom = 0);
     if
     :: atomic { singles_left > 0 -> singles_left-- };
        if
        :: b = 0
        :: b = 1
        fi;
        take_one()
     :: atomic { runs_left > 0 -> runs_left-- };
        take_all()
     :: atomic { has_one(0) -> b = 0 };
        release_one()
     :: atomic { has_one(1) -> b = 1 };
        release_one()
     :: atomic { has_all -> true };
        release_all()
     :: atomic { joins_left > 0 -> joins_left-- };
        join()
     :: atomic { moves_left > 0 -> moves_left-- };
        give_back()
     :: atomic { moves_left > 0 -> moves_left-- };
        allocate()
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
  LOAD(n = 0; b = 0; seen = 0; chunk = 0; swapped = false; whom = 0; ended++)
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

inline settle_at_the_end() {
  do
  :: whom < PARTICIPANTS ->
     if
     :: dead[whom] ->
        do
        :: has_words_of(memory[CHUNK], whom) && b < BUFFERS ->
           if
           :: is_local(memory[word(b)], whom) -> memory[word(b)] = next(memory[word(b)], FREE)
           :: else
           fi;
           b++
        :: else -> b = 0; break
        od;
#ifndef NO_CHUNK_SETTLED
        if
        :: memory[CHUNK] == whole_of(whom) -> memory[CHUNK] = FREE
        :: memory[CHUNK] == joining_of(whom) -> memory[CHUNK] = SPLIT
        :: memory[CHUNK] == moving_of(whom) -> memory[CHUNK] = MOVED
        :: else
        fi
#endif
     :: else
     fi;
     whom++
  :: else -> whom = 0; break
  od
}

inline check_at_the_end() {
  do
  :: b < BUFFERS ->
     assert(state_of(memory[word(b)]) == FREE || user[b] == state_of(memory[word(b)]) - 1);
     assert(state_of(memory[word(b)]) == FREE || memory[CHUNK] == SPLIT);
     assert(user[b] == NOBODY || is_local(memory[word(b)], user[b]) || memory[CHUNK] == whole_of(user[b]));
     b++
  :: else -> b = 0; break
  od;
  assert(memory[CHUNK] <= VOID || (memory[CHUNK] % 4 == 0 && user[0] != NOBODY));
  assert(is_there || memory[CHUNK] == VOID)
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[BUFFERED - 1].filled == 0)

init {
  byte n, b, whom;

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
