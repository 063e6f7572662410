/* A transaction that also inserts a key: both keys get their values or neither does, and a key is never there twice.
 *
 * Mirrors   map/transaction.cpp, keys.cpp (insert_without_value, remove_key), holdings.cpp (roll_forward, repair).
 *           Entry 0 has a key that is always there; entries 1 and 2 are free for the other one, which comes and goes.
 *             both      claims entry 0; claims the other key's entry where it has one, and otherwise a free one, and publishes
 *                       the key there, without a value, unless it is there by then; says what each is to be flipped to;
 *                       committed; flips each; committed = none; releases both claims
 *             alone     who finds that the key is not there claims a free entry, publishes the key, gives it a value
 *             erase     claims the key's entry; no value, the key is gone
 *             recovery  under the maintenance lock, of a dead one: where it had committed, flips what it said it would; committed = none;
 *                       a key that has no value is gone; releases what it has claimed
 * Assumed   sequential consistency, as in map_claim.pml. That a key comes in one step, for one of those who insert it
 *           (map_keys.pml). That who finds a claim taken waits, and runs recovery.
 * Deaths    everybody, at every store; another one goes on in the slot once it is settled.
 * Checked   each transaction flipped both or none; the key is never there twice; when all is quiet it is there exactly if it has a
 *           value; nobody waits for good.
 * Bounds    2 WRITERS, and a watchdog for each; ACTS of each; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_ROLL_FORWARD, NO_TAKE_BACK, PUBLISHED_BLINDLY, PUBLISHED_LATE. */
#ifndef ACTS
#define ACTS 1
#endif
#define WRITERS 2
#define PARTICIPANTS 4                             /* and who settles each of them */
#include "participants.pml"

byte claim[3] = NOBODY;
byte value[3];
bool there[3];                                      /* its life is begun, and the index leads there */
/* The slots, of two writers: of writer w's place i, w * 2 + i. */
byte goes_for[4];                                   /* the entry, plus one */
byte incoming[4];
bool committed[WRITERS];
bool settled[WRITERS];

byte transactions, ended;
bool flipped_first[7], flipped_second[7];           /* by transaction */

#define place(who, i) ((who) * 2 + (i))
#define other (me < WRITERS -> 1 - me : me - WRITERS)
#define has_claimed(i) (goes_for[place(other, i)] != 0 && claim[goes_for[place(other, i)] - 1] == other)

/* Of entry e, in the slot's place i. Waits for the other one, or settles him. */
inline take_claim(e, i) {
  STORE(goes_for[place(me, i)] = e + 1);
  do
  :: atomic { claim[e] == NOBODY ->
              if
              :: kills_left > 0 -> kill_me(); goto killed
              :: claim[e] = me
              fi };
     break
  :: dead[other] && !settled[other] && claim[e] != NOBODY && maintenance == NOBODY -> recover()
  od
}

inline release_claim(i) {
  STORE(assert(claim[goes_for[place(me, i)] - 1] == me); claim[goes_for[place(me, i)] - 1] = NOBODY);
  STORE(goes_for[place(me, i)] = 0)
}

/* An entry that has no key, and that nobody has claimed; 0 if there is none. */
inline claim_free(i) {
  if
  :: LOAD(!there[1] && claim[1] == NOBODY) -> at = 1
  :: LOAD(!there[2] && claim[2] == NOBODY) -> at = 2
  :: LOAD(!(!there[1] && claim[1] == NOBODY) && !(!there[2] && claim[2] == NOBODY)) -> at = 0
  fi;
  if
  :: at != 0 -> STORE(goes_for[place(me, i)] = at + 1);
     if
     :: atomic { claim[at] == NOBODY ->
                 if
                 :: kills_left > 0 -> kill_me(); goto killed
                 :: claim[at] = me
                 fi };
        if
        :: LOAD(there[at]) -> release_claim(i); at = 0
        :: LOAD(!there[at])
        fi
     :: LOAD(claim[at] != NOBODY) -> STORE(goes_for[place(me, i)] = 0); at = 0
     fi
  :: else
  fi
}

inline find() {
  LOAD(if :: there[1] -> at = 1 :: !there[1] && there[2] -> at = 2 :: else -> at = 0 fi)
}

/* In `at`: 0 if it is there already; then the claim is released. */
inline publish() {
#ifdef PUBLISHED_BLINDLY
  STORE(there[at] = true)
#else
  STORE(if :: !there[1] && !there[2] -> there[at] = true :: else -> at = 0 fi);
  if :: at == 0 -> release_claim(1) :: else fi
#endif
}

inline flip_both() {
  LOAD(transactions++; own = transactions);
  STORE(incoming[place(me, 0)] = own);
  STORE(incoming[place(me, 1)] = own);
  STORE(committed[me] = true);
  STORE(value[0] = own; flipped_first[own] = true);
  STORE(incoming[place(me, 0)] = 0);
  STORE(value[at] = own; flipped_second[own] = true);
  STORE(incoming[place(me, 1)] = 0)
}

inline both() {
  take_claim(0, 0);
  find();
  if
  :: at != 0 ->
     take_claim(at, 1);
     if
     :: LOAD(there[at] && value[at] != 0) -> flip_both(); STORE(committed[me] = false)
     :: LOAD(!(there[at] && value[at] != 0))
     fi;
     release_claim(0);
     release_claim(1)
  :: else ->
     claim_free(1);
#ifndef PUBLISHED_LATE
     if :: at != 0 -> publish() :: else fi;
#endif
     if
     :: at != 0 ->
        flip_both();
#ifdef PUBLISHED_LATE
        STORE(assert(!there[1] && !there[2]); there[at] = true);
#endif
        STORE(committed[me] = false);
        release_claim(0);
        release_claim(1)
     :: else -> release_claim(0)
     fi
  fi;
  at = 0; own = 0
}

inline alone() {
  find();
  if :: at != 0 -> at = 0 :: else -> claim_free(1) fi;
  if :: at != 0 -> publish() :: else fi;
  if
  :: at != 0 ->
     STORE(value[at] = 7);
     release_claim(1)
  :: else
  fi;
  at = 0
}

inline erase() {
  find();
  if
  :: at != 0 ->
     take_claim(at, 1);
     if
     :: LOAD(there[at] && value[at] != 0) ->
        STORE(value[at] = 0);
        STORE(there[at] = false)
     :: LOAD(!(there[at] && value[at] != 0))
     fi;
     release_claim(1)
  :: else
  fi;
  at = 0
}

inline roll_forward(i) {
  if
  :: LOAD(committed[other] && incoming[place(other, i)] != 0 && has_claimed(i)) ->
     STORE(
       value[goes_for[place(other, i)] - 1] = incoming[place(other, i)];
       if
       :: i == 0 -> flipped_first[incoming[place(other, i)]] = true
       :: else -> flipped_second[incoming[place(other, i)]] = true
       fi)
#ifdef PUBLISHED_LATE
     ;
     STORE(assert(goes_for[place(other, i)] == 1 || there[goes_for[place(other, i)] - 1] || (!there[1] && !there[2]));
           there[goes_for[place(other, i)] - 1] = true)
#endif
  :: LOAD(!(committed[other] && incoming[place(other, i)] != 0 && has_claimed(i)))
  fi
}

inline settle(i) {
  if
  :: LOAD(has_claimed(i)) ->
#ifndef NO_TAKE_BACK
     if
     :: LOAD(goes_for[place(other, i)] != 1 && value[goes_for[place(other, i)] - 1] == 0) ->
        STORE(there[goes_for[place(other, i)] - 1] = false)
     :: LOAD(goes_for[place(other, i)] != 1 && !there[goes_for[place(other, i)] - 1]) ->
        STORE(value[goes_for[place(other, i)] - 1] = 0)
     :: LOAD(goes_for[place(other, i)] == 1 || (value[goes_for[place(other, i)] - 1] != 0 && there[goes_for[place(other, i)] - 1]))
     fi;
#endif
     STORE(claim[goes_for[place(other, i)] - 1] = NOBODY)
  :: LOAD(!has_claimed(i))
  fi
}

/* Of the other one. */
inline recover() {
  lock();
  if
  :: LOAD(dead[other] && !settled[other]) ->
#ifndef NO_ROLL_FORWARD
     roll_forward(0);
     roll_forward(1);
#endif
     STORE(committed[other] = false);
     settle(0);
     settle(1);
     STORE(goes_for[place(other, 0)] = 0; goes_for[place(other, 1)] = 0;
           incoming[place(other, 0)] = 0; incoming[place(other, 1)] = 0);
     STORE(settled[other] = true)
  :: LOAD(!(dead[other] && !settled[other]))
  fi;
  unlock()
}

proctype writer(byte me) {
  byte own, at, acts;

born:
  do
  :: acts < ACTS -> acts++; both()
  :: acts < ACTS -> acts++; alone()
  :: acts < ACTS -> acts++; erase()
  :: break
  od;
killed:
  own = 0; at = 0;
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(acts = 0; ended++)
  fi
}

/* Who settles a writer where the other one does not come by. */
proctype watchdog(byte me) {
  byte own;

born:
  do
  :: atomic { ended == WRITERS -> break }
  :: dead[other] && !settled[other] && maintenance == NOBODY -> recover()
  od;
  LOAD(
    assert(!(there[1] && there[2]));
    assert(there[1] == (value[1] != 0) && there[2] == (value[2] != 0));
    assert(claim[0] == NOBODY && claim[1] == NOBODY && claim[2] == NOBODY);
    own = 1;
    do
    :: own <= transactions -> assert(flipped_first[own] == flipped_second[own]); own++
    :: else -> break
    od;
    own = 0
  );
  goto gone;
killed:
  goto born;
gone:
  skip
}

init {
  atomic {
    choose_deaths();
    run writer(0); run writer(1); run watchdog(WRITERS); run watchdog(WRITERS + 1)
  }
}
