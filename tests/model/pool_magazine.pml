/* A pool's magazines, and stealing from them.
 *
 * Mirrors   pool/magazine.cpp, pool/idle.cpp. A buffer's word says incarnation and FREE, or local and whose. What a
 *           user keeps free for itself stands in its magazine: entries, and `depth`, how many there are. Their words say
 *           that they are its own, as those of what it uses do: only the depth tells the one from the other. Others raise
 *           its `attention`; `acknowledged` is what it has answered.
 *             take out  the topmost entry leaves: depth - 1, light fence, look. If attention is as acknowledged, it is the
 *                       user's alone; if not, all that was in the magazine is purged, that entry too
 *             acquire   take out, and use. An empty magazine is refilled first, one by one: FREE -> local by
 *                       compare-and-swap, entry, depth. Nothing is used that did not pass through the magazine, but what a
 *                       thief takes for itself
 *             release   entry, depth + 1, light fence, look: purge if attention was raised. With the magazine full, half of
 *                       it is taken out first, and given back by plain stores
 *             purge     acknowledge the attention that the look saw; then each entry that is the user's still -> FREE of the
 *                       next incarnation by compare-and-swap; depth = 0. With PURGE_KEEPS they stay in the magazine, local of
 *                       the next incarnation
 *             steal     under the pool's lock: raise attention, heavy fence, depth; for each entry its word, and then what
 *                       is acknowledged. Is it what was raised, the owner is awake and goes on, and the thief leaves it alone.
 *                       If not, compare-and-swap of the word as seen to FREE of the next incarnation, or to the thief's own,
 *                       which it uses at once: that only with an empty magazine
 *             recover   under the pool's lock: words of the dead -> FREE of the next incarnation, depth = 0, slot FREE.
 *                       Who leaves does so by himself
 * Assumed   total store order, as store_buffers.pml says; on other machines an entry is released and acquired, as the depth
 *           is: a thief that read an old depth may find a new entry. That the locks of the kernel are fences; that a slot is
 *           taken in one step (attach.pml), and only once it is free in memory; that neither incarnations nor attention come
 *           round again while a thief is stopped.
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go. His slot may be
 *           taken by another one once he is settled; attention and acknowledged stay as they are.
 * Checked   what is in use is its user's by its word, nobody else uses it, and nobody changes its word; when all is quiet, and
 *           the dead are settled, each buffer is free, or in use by one who lives, or once in the magazine of one who lives,
 *           where a thief finds it; where an entry is not its owner's any more, attention is not acknowledged.
 * Bounds    2 PARTICIPANTS, each of whom does anything; 2 BUFFERS; MAGAZINE, entries of each; ACQUIRES and STEALS among them
 *           all; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_HEAVY_FENCE, FENCE_BEFORE_ATTENTION, NO_LOOK, LOOK_FIRST,
 * ENTRY_NOT_PURGED, NO_INCARNATION, PURGED_BY_STORE, TAKEN_BY_STORE, NO_LOOK_AT_ACKNOWLEDGED, WORD_LAST, ENTRY_BEFORE_DEPTH,
 * NO_LOCK, USED_BESIDE_A_MAGAZINE, NO_OWNERS_SETTLED, NO_DEPTH_SETTLED, SLOT_FREED_FIRST; with PURGE_KEEPS, ACKNOWLEDGED_LAST
 * and ATTENTION_READ_LAST: what a purge frees comes back by a refill only, behind what is acknowledged.
 * NO_LOOK_IN_RELEASE is free of errors: what an owner that only releases puts into its magazine, a thief finds. */
#define PARTICIPANTS 2
#define BUFFERS 2
#ifndef MAGAZINE
#define MAGAZINE 1
#endif
#ifndef ACQUIRES
#define ACQUIRES 3
#endif
#ifndef STEALS
#define STEALS 2
#endif
#define BUFFERED PARTICIPANTS

#define word(b) (b)
#define slot(who) (BUFFERS + (who))
#define depth(who) (BUFFERS + PARTICIPANTS + (who))
#define attention(who) (BUFFERS + 2 * PARTICIPANTS + (who))
#define acknowledged(who) (BUFFERS + 3 * PARTICIPANTS + (who))
#define entry(who, k) (BUFFERS + 4 * PARTICIPANTS + (who) * MAGAZINE + (k))
#define WORDS (BUFFERS + 4 * PARTICIPANTS + PARTICIPANTS * MAGAZINE)

#define FREE 0                                      /* a buffer, or a slot */
#define local_of(who) (1 + (who))
#define make_word(incarnation, state) ((incarnation) * 4 + (state))
#define state_of(word) ((word) % 4)
#define incarnation_of(word) ((word) / 4)
#define next(word, state) make_word(incarnation_of(word) + 1, state)
#define is_local(word, who) (state_of(word) == local_of(who))

#define TAKEN 1                                     /* a slot, or FREE */

#ifdef NO_INCARNATION
#define purged(word) make_word(incarnation_of(word), PURGED)
#else
#define purged(word) next(word, PURGED)
#endif
#ifdef PURGE_KEEPS
#define PURGED local_of(me)
#else
#define PURGED FREE
#endif

/* The kernel drops a dead one's locks behind his last store. A dead one uses nothing. */
#define ON_KILL flush(me); forget_uses()
#include "participants.pml"
#include "store_buffers.pml"

byte acquires_left = ACQUIRES, steals_left = STEALS;
byte ended;

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

inline use(b) { assert(user[b] == NOBODY && is_local(memory[word(b)], me)); user[b] = me }
inline change_word(b, wanted) { assert(user[b] == NOBODY); memory[word(b)] = wanted }

/* --- One who uses buffers ----------------------------------------------------------------------------------------- */

/* A compare-and-swap of entry n's word, if it is the user's still: says so by `swapped`. */
inline purge_entry() {
#ifdef PURGED_BY_STORE
  LOAD(b = load(entry(me, n)); seen = load(word(b)));
  if
  :: is_local(seen, me) -> STORE(change_word(b, purged(seen)); b = 0; seen = 0)
  :: else -> b = 0; seen = 0
  fi
#else
  STORE(b = load(entry(me, n));
        if
        :: is_local(load(word(b)), me) -> flush(me); change_word(b, purged(memory[word(b)])); swapped = true
        :: else
        fi;
        b = 0)
#endif
}

inline acknowledge() { STORE(store(acknowledged(me), raised); raised = 0) }

/* Acknowledges the attention that the look saw. */
inline purge() {
#if !defined(ACKNOWLEDGED_LAST) && !defined(ATTENTION_READ_LAST)
  acknowledge();
#endif
  do
  :: n < left ->
     purge_entry();
#ifdef PURGE_KEEPS
     if
     :: swapped -> STORE(b = load(entry(me, n)); store(entry(me, kept), b); kept++; b = 0)
     :: else
     fi;
#endif
     swapped = false;
     n++
  :: else -> break
  od;
  STORE(store(depth(me), kept); left = kept; n = 0; kept = 0);
#ifdef ATTENTION_READ_LAST
  LOAD(raised = load(attention(me)));
#endif
#if defined(ACKNOWLEDGED_LAST) || defined(ATTENTION_READ_LAST)
  acknowledge();
#endif
}

/* As many of the free ones as it likes. */
inline refill() {
  do
  :: n < BUFFERS && left < MAGAZINE && state_of(memory[word(n)]) == FREE ->
     STORE(true; flush(me);
           if
           :: state_of(memory[word(n)]) == FREE ->
              change_word(n, make_word(incarnation_of(memory[word(n)]), local_of(me)));
              swapped = true
           :: else
           fi);
     if
     :: swapped ->
        STORE(store(entry(me, left), n));
        STORE(store(depth(me), left + 1); left++; swapped = false)
     :: else
     fi;
     n++
  :: n < BUFFERS -> n++
  :: n == BUFFERS -> n = 0; break
  od
}

inline look() { LOAD(raised = load(attention(me)); undisturbed = (raised == load(acknowledged(me)))) }

/* The topmost entry leaves the magazine, and is the user's alone. If attention was raised, it does not. */
inline take_out() {
#ifdef LOOK_FIRST
  look();
#endif
  STORE(store(depth(me), left - 1));
#ifdef NO_LOOK
  LOAD(undisturbed = true);
#elif !defined(LOOK_FIRST)
  look();
#endif
  if
  :: undisturbed -> LOAD(left--; b = load(entry(me, left)); use(b); raised = 0)
  :: else ->
#ifdef ENTRY_NOT_PURGED
     left--;
#endif
     purge()
  fi
}

inline acquire() {
  do
  :: left == 0 ->
     refill();
     if
     :: left == 0 -> break                          /* none is free, or so it seemed */
     :: else
     fi
  :: left > 0 ->
     take_out();
     if
     :: undisturbed -> undisturbed = false; b = 0; left = 0; break
     :: else
     fi
  od
}

/* Half of a full magazine goes back first; what has left the magazine needs no compare-and-swap. */
inline release() {
  do
  :: left == MAGAZINE ->
     take_out();
     if
     :: undisturbed ->
        LOAD(undisturbed = false; seen = load(word(b)));
        STORE(user[b] = NOBODY; store(word(b), next(seen, FREE)); b = 0; seen = 0)
     :: else
     fi
  :: left < MAGAZINE -> break
  od;
  STORE(user[hand] = NOBODY; store(entry(me, left), hand); hand = 0);
  STORE(store(depth(me), left + 1); left++);
#ifndef NO_LOOK_IN_RELEASE
  look();
  if
  :: undisturbed -> LOAD(undisturbed = false; raised = 0; left = 0)
  :: else -> purge(); left = 0
  fi
#else
  left = 0
#endif
}

/* --- One who has the pool's lock ---------------------------------------------------------------------------------- */

inline raise_attention(who) { STORE(flush(me); memory[attention(who)]++; raised = memory[attention(who)]) }

#ifdef USED_BESIDE_A_MAGAZINE
#define may_use true
#else
#define may_use (load(depth(me)) == 0)
#endif

/* By compare-and-swap, of the word as it was seen. */
inline take() {
  STORE(flush(me);
        if
#ifdef TAKEN_BY_STORE
        :: true ->
#else
        :: memory[word(b)] == seen ->
#endif
           if
           :: change_word(b, next(seen, FREE))
           :: may_use -> change_word(b, next(seen, local_of(me))); use(b)
           fi
        :: else
        fi)
}

inline steal(who) {
#ifdef FENCE_BEFORE_ATTENTION
  heavy_fence();
#endif
  raise_attention(who);
#if !defined(NO_HEAVY_FENCE) && !defined(FENCE_BEFORE_ATTENTION)
  heavy_fence();
#endif
#ifdef ENTRY_BEFORE_DEPTH
  LOAD(b = load(entry(who, MAGAZINE - 1)));
  LOAD(left = (load(depth(who)) == MAGAZINE));
#else
  LOAD(left = load(depth(who)));
#endif
  do
  :: left > 0 ->
#ifndef ENTRY_BEFORE_DEPTH
     LOAD(b = load(entry(who, left - 1)));
#endif
#ifndef WORD_LAST
     LOAD(seen = load(word(b)));
#endif
#ifndef NO_LOOK_AT_ACKNOWLEDGED
     LOAD(acknowledging = (load(acknowledged(who)) == raised));
#endif
#ifdef WORD_LAST
     LOAD(seen = load(word(b)));
#endif
     if
     :: acknowledging -> break
     :: !acknowledging && is_local(seen, who) -> take()
     :: else
     fi;
     LOAD(left--; b = 0; seen = 0)
  :: else -> break
  od;
  LOAD(left = 0; b = 0; seen = 0; raised = 0; acknowledging = false)
}

inline settle_words(who) {
  do
  :: n < BUFFERS ->
     LOAD(seen = load(word(n)));
     if
     :: is_local(seen, who) -> STORE(store(word(n), next(seen, FREE)))
     :: else
     fi;
     LOAD(n++; seen = 0)
  :: else -> n = 0; break
  od
}

/* Of one who is dead, or the leaver's own. */
inline settle(who) {
#ifdef SLOT_FREED_FIRST
  STORE(store(slot(who), FREE));
#endif
#ifndef NO_OWNERS_SETTLED
  settle_words(who);
#endif
#ifndef NO_DEPTH_SETTLED
  STORE(store(depth(who), 0));
#endif
#ifndef SLOT_FREED_FIRST
  STORE(store(slot(who), FREE))
#endif
}

#define is_dead(who) (dead[who] && memory[slot(who)] == TAKEN)
#define somebody_is_dead (is_dead(0) || is_dead(1))

inline settle_dead() {
  do
  :: whom < PARTICIPANTS ->
     if
     :: LOAD(is_dead(whom)) -> settle(whom)
     :: LOAD(!is_dead(whom))
     fi;
     whom++
  :: else -> break
  od
}

inline unlock_pool() { STORE(whom = 0; flush(me); maintenance = NOBODY) }

#define is_using(who) (user[0] == (who) || user[1] == (who))

proctype participant(byte me) {
  byte hand;                                        /* the buffer to be released */
  byte whom;                                        /* to settle, or to steal from */
  byte left, kept;                                  /* entries to look at, or to go on with */
  byte n, b, seen, raised;
  bool swapped, undisturbed, acknowledging;

born:
  do
  :: atomic { acquires_left > 0 -> acquires_left--; left = load(depth(me)) };
     acquire()
  :: atomic { user[0] == me -> hand = 0; left = load(depth(me)) };
     release()
  :: atomic { user[1] == me -> hand = 1; left = load(depth(me)) };
     release()
#ifdef NO_LOCK
  :: atomic { steals_left > 0 -> steals_left--; whom = 1 - me };
     steal(whom);
     LOAD(whom = 0)
#else
  :: atomic { steals_left > 0 && maintenance == NOBODY -> steals_left--; maintenance = me; flush(me); whom = 1 - me };
     if
     :: LOAD(load(slot(whom)) == TAKEN) -> steal(whom)
     :: LOAD(load(slot(whom)) == FREE)
     fi;
     unlock_pool()
#endif
  :: atomic { somebody_is_dead && maintenance == NOBODY -> maintenance = me; flush(me) };
     settle_dead();
     unlock_pool()
  :: break                                          /* it may go on to use what it uses */
  od;
  if
  :: atomic { maintenance == NOBODY && !is_using(me) -> maintenance = me; flush(me) };
     settle(me);
     unlock_pool()
  :: true
  fi;
killed:
  LOAD(hand = 0; whom = 0; left = 0; kept = 0; n = 0; b = 0; seen = 0; raised = 0;
       swapped = false; undisturbed = false; acknowledging = false);
  if
  :: atomic { memory[slot(me)] == FREE -> dead[me] = false; memory[slot(me)] = TAKEN; goto born }
  :: LOAD(ended++)
  fi
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

/* What a recovery does when nobody stores any more. */
inline settle_at_the_end() {
  n = 0;
  do
  :: n < PARTICIPANTS ->
     b = 0;
     do
     :: b < BUFFERS ->
        if
        :: dead[n] && is_local(memory[word(b)], n) -> memory[word(b)] = next(memory[word(b)], FREE)
        :: else
        fi;
        b++
     :: else -> b = 0; break
     od;
     if
     :: dead[n] -> memory[depth(n)] = 0
     :: else
     fi;
     n++
  :: else -> n = 0; break
  od
}

/* In how many places its owner has buffer `b`. */
inline count_places(who) {
  places = (user[b] == who);
  do
  :: n < memory[depth(who)] ->
     places = places + (memory[entry(who, n)] == b);
     n++
  :: else -> n = 0; break
  od
}

inline check_at_the_end() {
  do
  :: b < BUFFERS ->
     whom = 0;
     do
     :: whom < PARTICIPANTS ->
        count_places(whom);
        assert(!is_local(memory[word(b)], whom) || places == 1);
        assert(is_local(memory[word(b)], whom) || places == 0 ||
               memory[attention(whom)] != memory[acknowledged(whom)]);
        whom++
     :: else -> break
     od;
     b++
  :: else -> break
  od
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0)

init {
  byte n, b, whom, places;

  atomic {
    choose_deaths();
    do
    :: n < PARTICIPANTS -> memory[slot(n)] = TAKEN; run participant(n); n++
    :: else -> break
    od;
    n = 0
  };
  ended == PARTICIPANTS && is_quiet;
  LOAD(settle_at_the_end(); check_at_the_end())
}
