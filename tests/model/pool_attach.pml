/* Buffers attached to messages: a message keeps its buffer by a root beside its slab, until the slab is reclaimed.
 *
 * Mirrors   stream/attach.cpp, pool/hand_over.cpp, stream/reclaim.cpp, pool/scan.cpp. One buffer, as in pool_roots.pml; one
 *           slab with an array of one entry, so one message in each of its GENERATIONS.
 *             writer    acquires; shares perhaps; reserves: busy, light fence, look at the slab's life; attaches: the array's
 *                       count, the entry, then LOCAL -> SHARED, or light fence, look, own root = 0; commits, or aborts:
 *                       entry = 0; idle
 *             reader    finds the message, adopts what its entry names, and moves its hold on when the generation is closed
 *             reclaimer under the stream's lock: settles the dead; ends the generation, heavy fence, closes it if the writer is
 *                       idle; when the hold has moved on: entry = 0, count = 0, message = 0, next generation
 *             scanner   under the pool's lock, another one: as in pool_roots.pml; reads the array first, then the users' roots
 * Assumed   as in pool_roots.pml; that closing is as close.pml has it: here one word, `life`, says what `revoked` says there.
 * Deaths    everybody, at every store. Reclaimer and scanner come again, as whoever takes the lock next.
 * Checked   who has adopted the buffer sees it shared, with its owner's bytes, then and when he lets go; whoever can read the
 *           message can adopt its buffer; a shared buffer that is attached is not stale; nobody commits into a slab that has
 *           another generation; when all is quiet, the slab reclaimed once more and a last scan has run, the buffer is free.
 * Bounds    1 writer, 1 reader, 1 reclaimer, 1 scanner; MESSAGES, SCANS, GENERATIONS, DEATHS.
 *
 * Each of these leaves out one step, and must fail: MOVE_WITHOUT_LOOK, ROOT_CLEARED_FIRST, WORD_BEFORE_ENTRY,
 * COMMIT_FIRST, COUNT_LAST, NO_BUSY_CHECK, NO_HOLD_CHECK, CLEARED_LATE, NO_CLEARING, ENTRIES_UNREAD, NO_HEAVY_FENCE. */
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef SCANS
#define SCANS 2
#endif
#ifndef GENERATIONS
#define GENERATIONS 2
#endif
#define PARTICIPANTS 4
#define BUFFERED 4
#define WRITER 0
#define READER 1
#define SCANNER 2
#define RECLAIMER 3

#define WORD 0                                      /* the buffer's */
#define BYTES 1                                     /* which use of the buffer wrote them */
#define ENTRY 2                                     /* the array's only one: a root */
#define COUNT 3                                     /* of the array */
#define MESSAGE 4                                   /* that can be read */
#define LIFE 5                                      /* the slab's */
#define BUSY 6                                      /* the writer has a reservation open */
#define HOLD 7                                      /* the generation that the reader is in */
#define root(who) (8 + (who))
#define WORDS 10

#define FREE 0
#define SHARED 1
#define DYING 2
#define LOCAL 3
#define make_word(incarnation, state) ((incarnation) * 8 + (state))
#define state_of(word) ((word) % 8)
#define incarnation_of(word) ((word) / 8)
#define freed(word) make_word(incarnation_of(word) + 1, FREE)

/* A reference is an incarnation. To check, it carries the use for which it was made; nobody acts on that. */
#define make_reference(incarnation, use) ((incarnation) * 8 + (use))
#define use_of(reference) ((reference) % 8)
#define rooted(reference) (incarnation_of(reference) + 1)
#define make_message(generation, reference) ((generation) * 32 + (reference))
#define reference_in(message) ((message) % 32)
#define is_message_of(message, generation) ((message) != 0 && (message) / 32 == (generation))

#define ACTIVE 0
#define ENDED 1
#define CLOSED 2
#define make_life(generation, state) ((generation) * 4 + (state))
#define generation_of(life) ((life) / 4)
#define is_over (generation_of(memory[LIFE]) == GENERATIONS)

#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

byte uses, ended;

inline swap(expected, wanted) {
  true;
  flush(me);
  if
  :: memory[WORD] == (expected) -> memory[WORD] = wanted; swapped = true
  :: else -> swapped = false
  fi
}

#define is_as_shared \
  ((load(WORD) == make_word(incarnation_of(hand), SHARED) || load(WORD) == make_word(incarnation_of(hand), DYING)) && \
   load(BYTES) == use_of(hand))

/* Behind a root: says by `seen` whether that keeps the buffer. */
inline look_at_word() {
  do
  :: LOAD(seen = load(WORD));
     if
     :: seen == make_word(incarnation_of(hand), DYING) ->
        STORE(swap(make_word(incarnation_of(hand), DYING), make_word(incarnation_of(hand), SHARED)));
        if
        :: swapped -> swapped = false; break
        :: else
        fi
     :: else -> break
     fi
  od
}
#define is_kept (incarnation_of(seen) == incarnation_of(hand) && (state_of(seen) == SHARED || state_of(seen) == DYING))

/* --- The writer --------------------------------------------------------------------------------------------------- */

#define claim_entry() STORE(locked_store(COUNT, 1))
#define commit() STORE(assert(generation_of(load(LIFE)) == generation); store(MESSAGE, make_message(generation, hand)))

inline hand_over() {
#ifndef WORD_BEFORE_ENTRY
#ifdef ROOT_CLEARED_FIRST
  if
  :: is_shared -> STORE(store(root(WRITER), 0))
  :: else
  fi;
#endif
  STORE(store(ENTRY, rooted(hand)));
#endif
  if
  :: is_shared ->
#ifndef MOVE_WITHOUT_LOOK
     look_at_word();
     LOAD(assert(is_kept); seen = 0);
#endif
     STORE(store(root(WRITER), 0))
  :: else -> STORE(store(WORD, make_word(incarnation_of(hand), SHARED)))
  fi;
#ifdef WORD_BEFORE_ENTRY
  STORE(store(ENTRY, rooted(hand)));
#endif
  skip
}

inline attach() {
#ifdef COMMIT_FIRST
  claim_entry();
  commit();
  hand_over();
#else
#ifndef COUNT_LAST
  claim_entry();
#endif
  hand_over();
#ifdef COUNT_LAST
  claim_entry();
#endif
  if
  :: commit()
  :: STORE(store(ENTRY, 0))
  fi;
#endif
  LOAD(hand = 0; is_shared = false)
}

inline give_back() {
  if
  :: is_shared -> STORE(store(root(WRITER), 0))
  :: else -> STORE(store(WORD, freed(make_word(incarnation_of(hand), LOCAL))))
  fi;
  LOAD(hand = 0; is_shared = false)
}

/* Until the slab can be written into; or never again. */
#define may_reserve (memory[LIFE] == make_life(generation_of(memory[LIFE]), ACTIVE) && memory[COUNT] == 0)

proctype writer() {
  byte me = WRITER;
  byte hand, generation, seen, messages;
  bool is_shared, swapped;

  do
  :: messages == MESSAGES -> break
  :: else ->
     if
     :: is_over -> break
     :: state_of(memory[WORD]) == FREE ->
        STORE(flush(me); uses++;
              hand = make_reference(incarnation_of(memory[WORD]), uses);
              memory[WORD] = make_word(incarnation_of(memory[WORD]), LOCAL); messages++)
     fi;
     STORE(store(BYTES, use_of(hand)));
     if
     :: skip
     :: STORE(store(root(WRITER), rooted(hand)));
        STORE(store(WORD, make_word(incarnation_of(hand), SHARED)); is_shared = true)
     fi;
     do
     :: hand == 0 -> break
     :: hand != 0 && is_over && !may_reserve -> give_back()
     :: hand != 0 && may_reserve ->
        STORE(store(BUSY, 1));
        LOAD(generation = generation_of(load(LIFE)); seen = load(LIFE));
        if
        :: seen == make_life(generation, ACTIVE) && load(COUNT) == 0 -> seen = 0; attach()
        :: else -> seen = 0
        fi;
        STORE(store(BUSY, 0))
     od
  od;
killed:
  LOAD(hand = 0; generation = 0; seen = 0; is_shared = false; swapped = false; messages = 0; ended++)
}

/* --- The reader --------------------------------------------------------------------------------------------------- */

inline adopt() {
  STORE(assert(load(ENTRY) == rooted(hand)); store(root(READER), rooted(hand)));
  look_at_word();
  LOAD(assert(is_kept); assert(is_as_shared); seen = 0)
}
inline let_go() { STORE(assert(is_as_shared); store(root(READER), 0); hand = 0) }

proctype reader() {
  byte me = READER;
  byte hand, position, seen;
  bool has_read, is_closed, swapped;

  do
  :: position == GENERATIONS -> break
  :: else ->
     LOAD(memory[LIFE] == make_life(position, CLOSED) || (!has_read && is_message_of(memory[MESSAGE], position));
          is_closed = (load(LIFE) == make_life(position, CLOSED)));
     if
     :: LOAD(!has_read && is_message_of(load(MESSAGE), position) -> hand = reference_in(load(MESSAGE)); has_read = true);
        adopt();
        if
        :: let_go()
        :: skip
        fi
     :: LOAD(has_read || !is_message_of(load(MESSAGE), position))
     fi;
     if
     :: is_closed ->
        STORE(store(HOLD, position + 1); position++; has_read = false; is_closed = false);
        if
        :: hand != 0 -> let_go()
        :: else
        fi
     :: else
     fi;
  od;
killed:
  LOAD(hand = 0; position = 0; seen = 0; has_read = false; is_closed = false; swapped = false; ended++)
}

/* --- Whoever has the stream's lock -------------------------------------------------------------------------------- */

#ifdef NO_BUSY_CHECK
#define is_idle true
#else
#define is_idle (load(BUSY) == 0 || dead[WRITER])
#endif
#ifdef NO_HOLD_CHECK
#define is_let_go true
#else
#define is_let_go (load(HOLD) > generation_of(memory[LIFE]) || dead[READER])
#endif

inline clear_entries() {
#ifndef NO_CLEARING
  STORE(store(ENTRY, 0));
  STORE(store(COUNT, 0))
#else
  STORE(store(COUNT, 0))
#endif
}

proctype reclaimer() {
  byte me = RECLAIMER;

born:
  do
  :: is_over -> break
  :: else ->
     if
     :: memory[LIFE] % 4 == ACTIVE ->
        STORE(store(LIFE, make_life(generation_of(memory[LIFE]), ENDED)));
        heavy_fence()
     :: memory[LIFE] % 4 == ENDED ->
        heavy_fence();
        LOAD(is_idle);
        STORE(store(LIFE, make_life(generation_of(memory[LIFE]), CLOSED)));
        LOAD(full_fence())
     :: memory[LIFE] % 4 == CLOSED ->
        LOAD(is_let_go);
#ifndef CLEARED_LATE
        clear_entries();
#endif
        STORE(store(MESSAGE, 0));
        STORE(store(LIFE, make_life(generation_of(memory[LIFE]) + 1, ACTIVE)));
#ifdef CLEARED_LATE
        clear_entries();
#endif
        LOAD(full_fence())
     fi
  od;
killed:
  if
  :: dead[RECLAIMER] -> atomic { dead[RECLAIMER] = false; goto born }
  :: else -> LOAD(ended++)
  fi
}

/* --- Whoever has the pool's lock ---------------------------------------------------------------------------------- */

inline settle_dead() {
  if
  :: dead[WRITER] ->
     LOAD(seen = load(WORD));
     if
     :: state_of(seen) == LOCAL -> STORE(store(WORD, freed(seen)))
     :: else
     fi;
     STORE(store(root(WRITER), 0); seen = 0)
  :: else
  fi;
  if
  :: dead[READER] -> STORE(store(root(READER), 0))
  :: else
  fi
}

inline read_root(at) { LOAD(is_rooted = is_rooted || load(at) == incarnation_of(seen) + 1) }

inline scan() {
  settle_dead();
  LOAD(full_fence(); seen = load(WORD));
  if
  :: state_of(seen) == SHARED || state_of(seen) == DYING ->
     if
     :: state_of(seen) == SHARED ->
        STORE(swap(seen, make_word(incarnation_of(seen), DYING)); swapped = false;
              seen = make_word(incarnation_of(seen), DYING))
     :: else
     fi;
#ifndef NO_HEAVY_FENCE
     heavy_fence();
#endif
#ifndef ENTRIES_UNREAD
     if
     :: LOAD(load(COUNT) != 0) -> read_root(ENTRY)
     :: LOAD(load(COUNT) == 0)
     fi;
#endif
     read_root(root(WRITER));
     read_root(root(READER));
     if
     :: is_rooted -> STORE(swap(seen, make_word(incarnation_of(seen), SHARED)); swapped = false)
     :: else -> STORE(swap(seen, freed(seen)); swapped = false)
     fi
  :: else
  fi;
  LOAD(full_fence(); seen = 0; is_rooted = false)
}

proctype scanner() {
  byte me = SCANNER;
  byte seen, scans;
  bool swapped, is_rooted;

born:
  do
  :: scans < SCANS -> scans++; scan()
  :: break
  od;
killed:
  LOAD(seen = 0; swapped = false; is_rooted = false);
  if
  :: dead[SCANNER] -> atomic { dead[SCANNER] = false; goto born }
  :: else -> LOAD(scans = 0; ended++)
  fi
}

/* The last look, when nobody stores any more: the slab is reclaimed, the dead are settled, and a scan frees. */
inline reclaim_and_scan_at_the_end() {
  memory[COUNT] = 0;
#ifndef NO_CLEARING
  memory[ENTRY] = 0;
#endif
  if
  :: dead[WRITER] ->
     if
     :: state_of(memory[WORD]) == LOCAL -> memory[WORD] = freed(memory[WORD])
     :: else
     fi;
     memory[root(WRITER)] = 0
  :: else
  fi;
  if
  :: dead[READER] -> memory[root(READER)] = 0
  :: else
  fi;
  is_rooted = memory[root(WRITER)] == incarnation_of(memory[WORD]) + 1 ||
              memory[root(READER)] == incarnation_of(memory[WORD]) + 1 ||
              memory[ENTRY] == incarnation_of(memory[WORD]) + 1;
  assert(state_of(memory[WORD]) == FREE || (!is_rooted && state_of(memory[WORD]) != LOCAL))
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[2].filled == 0 && buffer[3].filled == 0)

init {
  bool is_rooted;

  atomic {
    choose_deaths();
    run writer(); run reader(); run scanner(); run reclaimer()
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(reclaim_and_scan_at_the_end())
}
