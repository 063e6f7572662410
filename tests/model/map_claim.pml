/* A map's entry among writers: claims, keys that are inserted and erased, deaths, and what recovery makes of them.
 *
 * Mirrors   map/claim.cpp, flip.cpp, keys.cpp, holdings.cpp. One entry, for two keys, one after the other.
 *             claim     says which entry it goes for, then the claim by compare-and-swap; looks whether the entry still is
 *                       the key's
 *             flip      looks the key up; claims; value = the next version
 *             insert    the key is not there, the entry is free; claims, and looks whether it is free still; key, index,
 *                       life = used, value
 *             erase     looks the key up; claims; no value, out of the index, life = free
 *             recovery  under the maintenance lock, of a dead one that said that it goes for the entry, and has its claim: an entry that
 *                       is used, in the index, and has a value is whole; what is used otherwise goes out of the index and
 *                       is free; its value goes; then the claim, then what the dead one said
 * Assumed   sequential consistency: claims and lookups have acquire and release, and nothing here is ordered by a light
 *           fence (map_read.pml has what is). That a place in the index is one step, and is for one who inserts the key
 *           alone (map_keys.pml). That others who find the claim taken try again (they wait, and run recovery).
 * Deaths    everybody, at every store; another one goes on in the slot once it is settled.
 * Checked   what is used and has a value is there until somebody erases it; nobody changes the entry beside another one, or flips it for a key that is not its own any more; no flip is lost:
 *           versions of a life grow by one; what the index leads to is the key, used; when all is quiet, the entry is free,
 *           without a value and not in the index, or used, in it, with a value; nobody's claim is left.
 * Bounds    2 WRITERS; ACTS of each; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_CLAIM, NO_LOOK_AT_LIFE, CLAIMED_BEFORE_SAID, CLAIM_RELEASED_FIRST,
 * NO_CLAIM_SETTLED, NO_ENTRY_SETTLED, INDEX_LAST, NO_LOOK_AT_FREE, UNSAID_FIRST. */
#ifndef ACTS
#define ACTS 2
#endif
#define PARTICIPANTS 2
#include "participants.pml"

/* The entry. */
byte claim = NOBODY;
byte life;                                          /* a number that grows with each key; even: free, odd: used */
byte key;
byte value;                                         /* its version; 0: none */
/* The index, for keys 0 and 1: the entry's life is not said there. */
bool in_index[2];
/* The slots. */
bool goes_for[PARTICIPANTS];
bool settled[PARTICIPANTS];

byte changing = NOBODY;                             /* to check: who is in the middle of a change */
byte ended;

#define is_used (life % 2 == 1)

inline begin_change() { assert(changing == NOBODY); changing = me }
inline end_change() { assert(changing == me); changing = NOBODY }

/* Says by `has` whether it has the claim now. */
inline take_claim() {
#ifdef NO_CLAIM
  has = true
#else
#ifdef CLAIMED_BEFORE_SAID
  STORE(has = (claim == NOBODY); if :: has -> claim = me :: else fi);
  STORE(goes_for[me] = true);
#else
  STORE(goes_for[me] = true);
  STORE(has = (claim == NOBODY); if :: has -> claim = me :: else fi);
#endif
  if
  :: !has -> STORE(goes_for[me] = false)
  :: else
  fi
#endif
}

inline drop_claim() {
#ifndef NO_CLAIM
#ifdef UNSAID_FIRST
  STORE(goes_for[me] = false);
  STORE(claim = NOBODY; has = false)
#else
  STORE(claim = NOBODY; has = false);
  STORE(goes_for[me] = false)
#endif
#else
  has = false
#endif
}

/* Where the key is: `place`, a life that is used; 0 if it is not there. The entry is looked at before and behind its key. */
inline look_up() {
  LOAD(place = (in_index[wanted] -> life : 0));
  if
  :: place % 2 == 1 ->
     LOAD(other = key);
     LOAD(if :: life != place || other != wanted -> place = 0 :: else fi; other = 0)
  :: else -> place = 0
  fi
}

#ifdef NO_LOOK_AT_LIFE
#define is_still(place) true
#else
#define is_still(place) (life == place && value != 0)
#endif

inline flip() {
  look_up();
  if
  :: place != 0 ->
     take_claim();
     if
     :: has ->
        if
        :: LOAD(is_still(place)) ->
           LOAD(begin_change(); assert(life == place && key == wanted && value != 0); other = value);
           STORE(assert(value == other && life == place); value = other + 1; end_change(); other = 0)
        :: LOAD(!is_still(place))
        fi;
        drop_claim()
     :: else
     fi
  :: else
  fi
}

inline insert() {
  if
  :: LOAD(!in_index[wanted] && !is_used) ->
     take_claim();
     if
     :: has ->
        if
#ifdef NO_LOOK_AT_FREE
        :: LOAD(begin_change());
#else
        :: LOAD(!is_used) ->
           LOAD(begin_change());
#endif
           STORE(key = wanted);
#ifndef INDEX_LAST
           STORE(in_index[wanted] = true);
#endif
           STORE(assert(!is_used && key == wanted); life++);
           STORE(value = 1);
#ifdef INDEX_LAST
           STORE(in_index[wanted] = true);
#endif
           LOAD(end_change())
#ifndef NO_LOOK_AT_FREE
        :: LOAD(is_used)
#endif
        fi;
        drop_claim()
     :: else
     fi
  :: LOAD(!(!in_index[wanted] && !is_used))
  fi
}

inline erase() {
  look_up();
  if
  :: place != 0 ->
     take_claim();
     if
     :: has ->
        if
        :: LOAD(is_still(place)) ->
           LOAD(begin_change(); assert(life == place && key == wanted));
           STORE(value = 0);
           STORE(in_index[wanted] = false);
           STORE(life++);
           LOAD(end_change())
        :: LOAD(!is_still(place))
        fi;
        drop_claim()
     :: else
     fi
  :: else
  fi
}

/* Under the lock: the other one is dead. */
inline settle_entry() {
#ifndef NO_ENTRY_SETTLED
  if
  :: LOAD(is_used && !(value != 0 && in_index[key])) ->
     LOAD(assert(value == 0));                      /* somebody may have seen it there */
     STORE(value = 0);
     STORE(in_index[key] = false);
     STORE(life++)
  :: LOAD(!is_used) ->
     STORE(value = 0);
     STORE(in_index[key] = false)
  :: LOAD(is_used && value != 0 && in_index[key])
  fi
#else
  skip
#endif
}

inline recover(whom) {
  lock();
  if
  :: LOAD(dead[whom] && !settled[whom]) ->
     if
     :: LOAD(goes_for[whom] && claim == whom) ->
#ifdef CLAIM_RELEASED_FIRST
        STORE(claim = NOBODY);
#endif
        settle_entry();
#if !defined(CLAIM_RELEASED_FIRST) && !defined(NO_CLAIM_SETTLED)
        LOAD(if :: changing == whom -> changing = NOBODY :: else fi);
        STORE(claim = NOBODY)
#else
        LOAD(if :: changing == whom -> changing = NOBODY :: else fi)
#endif
     :: LOAD(!(goes_for[whom] && claim == whom))
     fi;
     STORE(goes_for[whom] = false);
     STORE(settled[whom] = true)
  :: LOAD(!(dead[whom] && !settled[whom]))
  fi;
  unlock()
}

proctype writer(byte me) {
  byte wanted, place, other, acts;
  bool has;

born:
  do
  :: acts < ACTS ->
     acts++;
     LOAD(if :: wanted = 0 :: wanted = 1 fi);
     if
     :: flip()
     :: insert()
     :: erase()
     :: recover(1 - me)
     fi;
     LOAD(wanted = 0; place = 0; other = 0; has = false)
  :: break
  od;
killed:
  LOAD(wanted = 0; place = 0; other = 0; has = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(acts = 0; ended++)
  fi
}

/* The same in one step, by one whom nobody kills. */
inline recover_at_once(whom) {
  if
  :: goes_for[whom] && claim == whom ->
#ifndef NO_ENTRY_SETTLED
     if
     :: is_used && !(value != 0 && in_index[key]) -> assert(value == 0); in_index[key] = false; life++
     :: !is_used -> value = 0; in_index[key] = false
     :: else
     fi;
#endif
     if :: changing == whom -> changing = NOBODY :: else fi;
#ifndef NO_CLAIM_SETTLED
     claim = NOBODY
#endif
  :: else
  fi;
  goes_for[whom] = false;
  settled[whom] = true
}

/* Whoever comes last finds what everybody left. */
proctype last() {
  byte me = NOBODY - 1;
  bool has;
  do
  :: ended == PARTICIPANTS -> break
  :: atomic { maintenance == NOBODY && dead[0] && !settled[0] -> recover_at_once(0) }
  :: atomic { maintenance == NOBODY && dead[1] && !settled[1] -> recover_at_once(1) }
  od;
  LOAD(
    assert(claim == NOBODY && !goes_for[0] && !goes_for[1]);
    assert(is_used || (value == 0 && !in_index[0] && !in_index[1]));
    assert(!is_used || (value != 0 && in_index[key] && !in_index[1 - key]))
  )
}

init {
  atomic {
    choose_deaths();
    run writer(0); run writer(1); run last()
  }
}
