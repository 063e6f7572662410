/* A map's entry: read while it is flipped, its key replaced, and the pool's scan frees what nobody holds.
 *
 * Mirrors   include/sapbuf/map.hpp (read), map/flip.cpp, map/keys.cpp, pool/scan.cpp. One buffer, as in
 *           pool_roots.pml; one entry, whose value is that buffer or some other one, which is not modelled.
 *             writer    flips to the buffer: acquires, fills (bytes, and which key they are for), its own root, LOCAL -> SHARED,
 *                       the entry's value, light fence, look at the word, own root = 0; flips to another one: the value is
 *                       that; erases the key and gives the entry to another: no value, then the next life; of a buffer that
 *                       it flipped away from: SHARED -> DYING, heavy fence, the reader's root alone; none: it is its own
 *                       again once it needs one, DYING -> LOCAL of the next incarnation (map/replaced.cpp). What it calls
 *                       DYING is not what a scan does: the scan calls it so once more
 *             reader    takes a key's entry; value; guard; light fence; look at the buffer's word: SHARED is fine, DYING must
 *                       be swapped to SHARED, all else was freed: the value is another one by now, and it begins anew; then
 *                       the buffer itself says which key it is a value of
 *             scanner   settles the dead; SHARED -> DYING if no root is at a first look, heavy fence, all roots once more:
 *                       the slots', the entry's
 * Assumed   total store order, as store_buffers.pml says; claims (map_claim.pml): nobody else flips meanwhile; that an
 *           incarnation does not come round while somebody has an old root.
 * Deaths    everybody, at every store; another one goes on in the slot once it is settled.
 * Checked   who has a value finds the bytes that were written for that version, of the key that it asked for, as soon as it
 *           has it and when it lets it go; a value that could not be kept is not the entry's any more; versions never go back;
 *           the entry's value is never freed, nor a reader's; when all is quiet, nothing but these roots the buffer.
 * Bounds    FLIPS to the buffer, OTHERS (flips away, keys replaced), READS, SCANS, DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_GUARD_FIRST, NO_LOOK, LOOK_AT_VALUE (the reader looks at the entry
 * once more instead of at the buffer's word), NO_RESCUE, NO_LOOK_BEHIND_FLIP, FLIP_FIRST, SHARED_BEFORE_ROOT, NO_KEY_IN_VALUE,
 * NO_HEAVY_FENCE, ENTRY_UNREAD, GUARDS_UNREAD,
 * NO_INCOMING_ROOT, NO_SETTLING, TAKEN_UNSAID (from SHARED, behind the look), SAID_ALIKE (by the
 * writer and by scans), NO_FENCE_OF_WRITER, GUARDS_UNREAD_BY_WRITER. */
#ifndef FLIPS
#define FLIPS 2
#endif
#ifndef OTHERS
#define OTHERS 2
#endif
#ifndef READS
#define READS 2
#endif
#ifndef SCANS
#define SCANS 2
#endif
#define PARTICIPANTS 3
#define BUFFERED 3

#define WRITER 0
#define READER 1
#define SCANNER 2

#define WORD 0                                      /* the buffer's */
#define BYTES 1                                     /* for which incarnation and key they were written */
#define VALUE 2                                     /* the entry's: a root of the buffer; 0: another one, or none */
#define LIFE 3                                      /* the entry's key */
#define root(who) (4 + (who))
#define WORDS 7

#define FREE 0
#define LOCAL 1
#define SHARED 2
#define DYING 3
#define DYING_HERE 4                                /* the writer says so, not a scan */
#define make_word(incarnation, state) ((incarnation) * 8 + (state))
#define state_of(word) ((word) % 8)
#define incarnation_of(word) ((word) / 8)
#define is_dying(word) (state_of(word) >= DYING)
#define freed(word) make_word(incarnation_of(word) + 1, FREE)
#define make_bytes(incarnation, key) ((incarnation) * 8 + (key))
#define rooted(incarnation) ((incarnation) + 1)

#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

byte ended;
byte flips_left = FLIPS, others_left = OTHERS, reads_left = READS;
bool settled[PARTICIPANTS];

inline swap(expected, wanted) {
  true;
  flush(me);
  if
  :: memory[WORD] == (expected) -> memory[WORD] = wanted; swapped = true
  :: else -> swapped = false
  fi
}

/* Says by `kept` whether the root in `hand` keeps the buffer. */
inline look_at_word() {
  do
  :: LOAD(seen = load(WORD));
     if
     :: incarnation_of(seen) == hand - 1 && is_dying(seen) ->
#ifdef NO_RESCUE
        kept = true; break
#else
        STORE(swap(seen, make_word(hand - 1, SHARED)));
        if
        :: swapped -> swapped = false; kept = true; break
        :: else
        fi
#endif
     :: else -> kept = (seen == make_word(hand - 1, SHARED)); break
     fi
  od;
  seen = 0
}

/* --- The writer --------------------------------------------------------------------------------------------------- */

inline flip() {
  LOAD(key = load(LIFE));
  STORE(store(BYTES, make_bytes(hand - 1, key)); key = 0);
#ifdef FLIP_FIRST
  STORE(store(VALUE, hand));
#endif
#ifdef SHARED_BEFORE_ROOT
  STORE(store(WORD, make_word(hand - 1, SHARED)));
  STORE(store(root(me), hand));
#else
#ifndef NO_INCOMING_ROOT
  STORE(store(root(me), hand));
#endif
  STORE(store(WORD, make_word(hand - 1, SHARED)));
#endif
#ifndef FLIP_FIRST
  STORE(store(VALUE, hand));
#endif
#ifndef NO_LOOK_BEHIND_FLIP
  look_at_word();
  LOAD(assert(kept); kept = false);
#endif
  STORE(store(root(me), 0); hand = 0)
}

#ifdef TAKEN_UNSAID
#define UNKEPT SHARED
#elif defined(SAID_ALIKE)
#define UNKEPT DYING
#else
#define UNKEPT DYING_HERE
#endif

/* Leaves in `replaced` what nobody keeps. */
inline look_for_keepers() {
#ifndef TAKEN_UNSAID
  STORE(swap(make_word(replaced - 1, SHARED), make_word(replaced - 1, UNKEPT));
        if
        :: !swapped -> replaced = 0
        :: else -> swapped = false
        fi);
#endif
#ifndef NO_FENCE_OF_WRITER
  heavy_fence();
#endif
#ifndef GUARDS_UNREAD_BY_WRITER
  LOAD(kept = replaced != 0 && load(root(READER)) == replaced);
#endif
  if
  :: kept ->
     kept = false;
     STORE(swap(make_word(replaced - 1, UNKEPT), make_word(replaced - 1, SHARED)); swapped = false; replaced = 0)
  :: else -> is_unkept = replaced != 0
  fi
}

proctype writer() {
  byte me = WRITER;
  byte hand, seen, key;                             /* the root of the buffer that it has */
  byte replaced;                                    /* the root that it took from the entry, if it knows of none */
  bool swapped, kept, is_unkept;

born:
  do
  :: flips_left > 0 && state_of(memory[WORD]) == FREE ->
     STORE(true; flush(me);
           if
           :: state_of(memory[WORD]) == FREE && flips_left > 0 ->
              flips_left--; hand = rooted(incarnation_of(memory[WORD]));
              memory[WORD] = make_word(hand - 1, LOCAL)
           :: else
           fi);
     if
     :: hand != 0 -> flip()
     :: else
     fi
  :: others_left > 0 && load(VALUE) != 0 -> STORE(replaced = load(VALUE); is_unkept = false; store(VALUE, 0); others_left--)
  :: replaced != 0 && !is_unkept -> look_for_keepers()
  :: is_unkept && flips_left > 0 ->
     STORE(swap(make_word(replaced - 1, UNKEPT), make_word(replaced, LOCAL));
           if
           :: swapped -> swapped = false; flips_left--; hand = replaced + 1
           :: else
           fi;
           replaced = 0; is_unkept = false);
     if
     :: hand != 0 -> flip()
     :: else
     fi
  :: others_left > 0 ->
     STORE(store(VALUE, 0); others_left--);
     LOAD(key = load(LIFE) + 1);
     STORE(store(LIFE, key); key = 0)
  :: break
  od;
killed:
  LOAD(hand = 0; seen = 0; key = 0; replaced = 0; swapped = false; kept = false; is_unkept = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(ended++)
  fi
}

/* --- The reader --------------------------------------------------------------------------------------------------- */

#define is_whole ((load(BYTES) / 8) == hand - 1)

inline keep() {
  LOAD(hand = load(VALUE));
  if
  :: hand != 0 ->
#ifdef NO_GUARD_FIRST
     look_at_word();
     STORE(store(root(me), hand));
#else
     STORE(store(root(me), hand));
#ifdef NO_LOOK
     kept = true;
#elif defined(LOOK_AT_VALUE)
     LOAD(kept = (load(VALUE) == hand));
#else
     look_at_word();
#endif
#endif
     if
     :: kept -> LOAD(kept = false; assert(is_whole); assert(hand >= newest); newest = hand)
     :: else -> LOAD(assert(memory[VALUE] != hand)); STORE(store(root(me), 0); hand = 0)
     fi
  :: else
  fi
}

proctype reader() {
  byte me = READER;
  byte hand, seen, key, newest;
  bool swapped, kept;

born:
  do
  :: atomic { reads_left > 0 -> reads_left--; key = load(LIFE) };
     keep();
     if
     :: hand != 0 ->
#ifdef NO_KEY_IN_VALUE
        if
        :: true ->
#else
        if
        :: LOAD(load(BYTES) % 8 == key) ->
#endif
           LOAD(assert(load(BYTES) == make_bytes(hand - 1, key)))
        :: LOAD(load(BYTES) % 8 != key)
        fi;
        if
        :: STORE(assert(is_whole); store(root(me), 0); hand = 0)
        :: break                                    /* it may go on to keep it */
        fi
     :: else
     fi
  :: break
  od;
killed:
  LOAD(hand = 0; seen = 0; key = 0; swapped = false; kept = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; newest = 0; goto born }
  :: else -> LOAD(newest = 0; ended++)
  fi
}

/* --- The scanner -------------------------------------------------------------------------------------------------- */

inline settle(whom) {
#ifndef NO_SETTLING
  if
  :: LOAD(dead[whom] && !settled[whom]) ->
     LOAD(seen = load(WORD));
     if
     :: whom == WRITER && state_of(seen) == LOCAL -> STORE(store(WORD, freed(seen)))
     :: else
     fi;
     STORE(seen = 0; store(root(whom), 0));
     LOAD(flush(me); settled[whom] = true)
  :: LOAD(!(dead[whom] && !settled[whom]))
  fi
#else
  skip
#endif
}

inline read_roots() {
#ifndef ENTRY_UNREAD
  LOAD(is_rooted = (load(VALUE) == rooted(incarnation_of(seen))));
#endif
#ifndef GUARDS_UNREAD
  LOAD(is_rooted = is_rooted || load(root(READER)) == rooted(incarnation_of(seen)));
#endif
  LOAD(is_rooted = is_rooted || load(root(WRITER)) == rooted(incarnation_of(seen)))
}

inline scan() {
  settle(WRITER);
  settle(READER);
  LOAD(seen = load(WORD));
  if
  :: state_of(seen) == SHARED || state_of(seen) == DYING_HERE ->
     STORE(swap(seen, make_word(incarnation_of(seen), DYING)); swapped = false);
     seen = make_word(incarnation_of(seen), DYING)
  :: else
  fi;
  if
  :: state_of(seen) == DYING ->
#ifndef NO_HEAVY_FENCE
     heavy_fence();
#endif
     read_roots();
     if
     :: is_rooted -> STORE(swap(seen, make_word(incarnation_of(seen), SHARED)); swapped = false)
     :: else -> STORE(swap(seen, freed(seen)); swapped = false)
     fi
  :: else
  fi;
  LOAD(full_fence(); seen = 0; is_rooted = false)
}

inline settle_at_once(whom) {
#ifndef NO_SETTLING
  if
  :: whom == WRITER && state_of(memory[WORD]) == LOCAL -> memory[WORD] = freed(memory[WORD])
  :: else
  fi;
  memory[root(whom)] = 0;
#endif
  settled[whom] = true
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
  :: else
  fi;
  /* Whoever died is settled in the end. */
  do
  :: atomic { dead[WRITER] && !settled[WRITER] -> settle_at_once(WRITER) }
  :: atomic { dead[READER] && !settled[READER] -> settle_at_once(READER) }
  :: atomic { ended == 2 -> break }
  od;
  LOAD(scans = 0; ended++)
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[2].filled == 0)

init {
  atomic {
    choose_deaths();
    run writer(); run reader(); run scanner()
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(
    assert(memory[root(WRITER)] == 0 && state_of(memory[WORD]) != LOCAL);
    assert(memory[VALUE] == 0 || memory[VALUE] == rooted(incarnation_of(memory[WORD])));
    assert(memory[root(READER)] == 0 || memory[root(READER)] == rooted(incarnation_of(memory[WORD])));
    assert((memory[VALUE] == 0 && memory[root(READER)] == 0) || state_of(memory[WORD]) == SHARED ||
           is_dying(memory[WORD]))
  )
}
