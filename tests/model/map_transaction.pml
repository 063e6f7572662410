/* Several keys of a map that are flipped together: all of them or none, whoever dies.
 *
 * Mirrors   map/transaction.cpp, holdings.cpp (roll_forward, repair). Two entries, which every writer flips together.
 *             writer    claims both, in order; says what each is to be flipped to; committed; flips each, and says no more what
 *                       it was to be; committed = none; releases both claims
 *             recovery  under the lock, of a dead one: where it had committed, flips what it said it would, of entries that it
 *                       has claimed still; committed = none; releases what it has claimed
 * Assumed   sequential consistency, as in map_claim.pml, which also has what is done before a claim. That others who find a
 *           claim taken wait, and run recovery.
 * Deaths    everybody, at every store; another one goes on in the slot once it is settled.
 * Checked   who has claimed both entries finds them flipped by the same transaction, and so does who looks when all is quiet;
 *           nobody waits for good.
 * Bounds    2 WRITERS; ACTS of each; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_ROLL_FORWARD, COMMITTED_FIRST, OUT_OF_ORDER; and ROLLED_WITHOUT_CLAIM
 * with SETTLED_LATE, of which either alone is free of errors: recovery flips only what the dead one has claimed still, and says
 * that nothing is committed before it releases a claim. */
#ifndef ACTS
#define ACTS 2
#endif
#define PARTICIPANTS 2
#include "participants.pml"

byte claim[2] = NOBODY;
byte value[2];                                      /* by which transaction each entry was flipped */
/* The slots, of two writers: of writer w's place i, w * 2 + i. */
bool goes_for[4];
byte incoming[4];
bool committed[PARTICIPANTS];
bool settled[PARTICIPANTS];

byte transactions, ended;

#define place(who, i) ((who) * 2 + (i))

inline take_claim(i) {
  STORE(goes_for[place(me, i)] = true);
  /* Waits for the other one, or settles him. */
  do
  :: atomic { claim[i] == NOBODY ->
              if
              :: kills_left > 0 -> kill_me(); goto killed
              :: claim[i] = me
              fi };
     break
  :: dead[1 - me] && !settled[1 - me] && claim[i] != NOBODY && maintenance == NOBODY -> recover()
  od
}

inline transact() {
#ifdef OUT_OF_ORDER
  if
  :: me == 0 -> take_claim(0); take_claim(1)
  :: me == 1 -> take_claim(1); take_claim(0)
  fi;
#else
  take_claim(0);
  take_claim(1);
#endif
  LOAD(assert(value[0] == value[1]); transactions++; own = transactions);
#ifdef COMMITTED_FIRST
  STORE(committed[me] = true);
#endif
  STORE(incoming[place(me, 0)] = own);
  STORE(incoming[place(me, 1)] = own);
#ifndef COMMITTED_FIRST
  STORE(committed[me] = true);
#endif
  STORE(assert(claim[0] == me); value[0] = own);
  STORE(incoming[place(me, 0)] = 0);
  STORE(assert(claim[1] == me); value[1] = own);
  STORE(incoming[place(me, 1)] = 0);
  STORE(committed[me] = false);
  STORE(claim[0] = NOBODY);
  STORE(goes_for[place(me, 0)] = false);
  STORE(claim[1] = NOBODY);
  STORE(goes_for[place(me, 1)] = false)
}

#define other (1 - me)
#ifdef ROLLED_WITHOUT_CLAIM
#define is_to_roll(i) (incoming[place(other, i)] != 0)
#else
#define is_to_roll(i) (incoming[place(other, i)] != 0 && goes_for[place(other, i)] && claim[i] == other)
#endif
#define has_claimed(i) (goes_for[place(other, i)] && claim[i] == other)

inline roll_forward(i) {
  if
  :: LOAD(committed[other] && is_to_roll(i)) -> STORE(value[i] = incoming[place(other, i)])
  :: LOAD(!(committed[other] && is_to_roll(i)))
  fi
}

inline release_dead(i) {
  if
  :: LOAD(has_claimed(i)) -> STORE(claim[i] = NOBODY)
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
#ifndef SETTLED_LATE
     STORE(committed[other] = false);
#endif
     release_dead(0);
     release_dead(1);
#ifdef SETTLED_LATE
     STORE(committed[other] = false);
#endif
     STORE(goes_for[place(other, 0)] = false; goes_for[place(other, 1)] = false);
     STORE(incoming[place(other, 0)] = 0; incoming[place(other, 1)] = 0);
     STORE(settled[other] = true)
  :: LOAD(!(dead[other] && !settled[other]))
  fi;
  unlock()
}

proctype writer(byte me) {
  byte own, acts;

born:
  do
  :: acts < ACTS -> acts++; transact(); own = 0
  :: acts < ACTS -> acts++; recover()
  :: break
  od;
killed:
  own = 0;
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(acts = 0; ended++)
  fi
}

/* Whoever comes last settles the dead, in one step. */
inline settle_at_once(whom) {
#ifndef NO_ROLL_FORWARD
  if
  :: committed[whom] && incoming[place(whom, 0)] != 0 && goes_for[place(whom, 0)] && claim[0] == whom ->
     value[0] = incoming[place(whom, 0)]
  :: else
  fi;
  if
  :: committed[whom] && incoming[place(whom, 1)] != 0 && goes_for[place(whom, 1)] && claim[1] == whom ->
     value[1] = incoming[place(whom, 1)]
  :: else
  fi;
#endif
  committed[whom] = false;
  if :: goes_for[place(whom, 0)] && claim[0] == whom -> claim[0] = NOBODY :: else fi;
  if :: goes_for[place(whom, 1)] && claim[1] == whom -> claim[1] = NOBODY :: else fi;
  goes_for[place(whom, 0)] = false; goes_for[place(whom, 1)] = false;
  incoming[place(whom, 0)] = 0; incoming[place(whom, 1)] = 0;
  settled[whom] = true
}

active proctype last() {
  do
  :: atomic { ended == PARTICIPANTS -> break }
  :: atomic { maintenance == NOBODY && dead[0] && !settled[0] -> settle_at_once(0) }
  :: atomic { maintenance == NOBODY && dead[1] && !settled[1] -> settle_at_once(1) }
  od;
  LOAD(
    assert(value[0] == value[1]);
    assert(claim[0] == NOBODY && claim[1] == NOBODY)
  )
}

init {
  atomic {
    choose_deaths();
    run writer(0); run writer(1)
  }
}
