/* Removing a facility while somebody attaches to it, and making another one in its place: under store buffers.
 *
 * Mirrors   segment/registry.cpp (attach: from the slot's lock on; free_if_attaching), segment/directory.cpp (make_facility,
 *           remove_facility, settle, clear), segment/recovery.cpp (as far as it frees the slots of the dead). One slot, one
 *           region, one entry of the directory. Two who attach to the first facility, one after the other; changers, each of
 *           whom removes what is there, if it is the first facility, and makes the second one.
 * Assumed   total store order, as store_buffers.pml says; that the locks of the kernel are fences. Clearing a region is one
 *           step. The slot's lock is held while one attaches, so the two do so in turns.
 * Deaths    everybody, at every store. What a dead one has in its buffer comes out before its locks go.
 * Checked   whoever changes the directory leaves nothing half done; whoever writes into a region finds it his facility's; nothing is taken from under one who is attached; the
 *           directory says what is there in the end; no slot stays taken by a dead one.
 * Bounds    2 who attach, CHANGERS, 2 facilities, DEATHS.
 *
 * Each of these leaves out one step, and must fail: WRITE_FIRST, NO_LOOK, NO_FENCE_OF_ATTACHING, NO_FENCE_OF_REMOVAL,
 * NO_CLOSING, NO_SETTLING, READY_FIRST. */
#ifndef CHANGERS
#define CHANGERS 2
#endif
#define FIRST 0                                     /* who attach */
#define SECOND 1
#define CHANGER 2                                   /* the first of them */
#define PARTICIPANTS (2 + CHANGERS)
#define BUFFERED PARTICIPANTS

#define ENTRY 0
#define SLOT 1                                      /* the registration */
#define REGION 2                                    /* whose words stand there; 0: zeros */
#define WORDS 3

#define FREE 0
#define MAKING 1
#define READY 2
#define CLOSING 3
#define CLEARING 4
#define make_entry(incarnation, state) ((incarnation) * 8 + (state))
#define state_of(word) ((word) % 8)
#define incarnation_of(word) ((word) / 8)

#define ATTACHING 1
#define ATTACHED 2
#define LEAVING 3

/* The kernel drops a dead one's locks behind his last store. */
#define ON_KILL flush(me)
#include "participants.pml"
#include "store_buffers.pml"

#define is_dead(who) (who != NOBODY && dead[who])

byte owner = NOBODY;                                /* of the slot: known by its life */
byte slot_lock = NOBODY;
byte ended;

/* --- One who attaches to the facility of incarnation 1 ------------------------------------------------------------ */

inline write_region() { LOAD(assert(load(REGION) == 1)) }

proctype user(byte me) {
  byte seen;

  do
  :: atomic { slot_lock == NOBODY && memory[SLOT] == FREE && owner == NOBODY -> slot_lock = me } -> break
  :: atomic { is_dead(owner) -> memory[SLOT] = FREE; owner = NOBODY }  /* it recovers */
  od;
#ifdef WRITE_FIRST
  LOAD(seen = load(ENTRY));
  if
  :: seen != make_entry(1, READY) -> goto leave
  :: else
  fi;
  STORE(write_region());
#endif
  STORE(owner = me);
  STORE(store(SLOT, ATTACHING));
#ifndef NO_FENCE_OF_ATTACHING
  full_fence();
#endif
#ifndef NO_LOOK
  LOAD(seen = load(ENTRY));
  if
  :: seen != make_entry(1, READY) ->                /* it was removed, or is just being */
     STORE(store(SLOT, FREE));
     STORE(full_fence(); owner = NOBODY);
     goto leave
  :: else
  fi;
#endif
  STORE(write_region());                            /* prepare */
  STORE(store(SLOT, ATTACHED));
  STORE(write_region());                            /* what participants do */
  STORE(store(SLOT, LEAVING));
  lock();                                           /* of the facility, which is no other's than the directory's here */
  STORE(write_region());
  STORE(store(SLOT, FREE));
  STORE(full_fence(); owner = NOBODY);
  STORE(maintenance = NOBODY);
leave:
  LOAD(full_fence(); slot_lock = (slot_lock == me -> NOBODY : slot_lock));
killed:
  LOAD(slot_lock = (slot_lock == me -> NOBODY : slot_lock); seen = 0; ended++)
}

/* --- One who changes the directory -------------------------------------------------------------------------------- */

/* The dead are settled before anybody is said to be there. */
inline settle_dead() {
  LOAD(full_fence();
       if
         :: is_dead(owner) -> memory[SLOT] = FREE; owner = NOBODY
       :: else
       fi)
}

inline settle_entry() {
#ifndef NO_SETTLING
  LOAD(seen = load(ENTRY));
  if
  :: state_of(seen) == CLOSING -> STORE(store(ENTRY, make_entry(incarnation_of(seen), READY)))
  :: state_of(seen) == MAKING || state_of(seen) == CLEARING ->
     STORE(store(REGION, 0));
     STORE(store(ENTRY, make_entry(incarnation_of(seen), FREE)))
  :: else
  fi
#else
  skip
#endif
}

inline remove_first() {
  LOAD(seen = load(ENTRY));
  if
  :: seen == make_entry(1, READY) ->
#ifndef NO_CLOSING
     STORE(store(ENTRY, make_entry(1, CLOSING)));
#endif
#ifndef NO_FENCE_OF_REMOVAL
     full_fence();
#endif
#ifndef NO_FENCE_OF_REMOVAL
     settle_dead();
#endif
     LOAD(seen = load(SLOT));
     if
     :: seen != FREE -> STORE(store(ENTRY, make_entry(1, READY)))
     :: else ->
        STORE(store(ENTRY, make_entry(1, CLEARING)));
        STORE(store(REGION, 0));
        STORE(store(ENTRY, make_entry(1, FREE)))
     fi
  :: else
  fi
}

inline make_second() {
  LOAD(seen = load(ENTRY));
  if
  :: state_of(seen) == FREE && incarnation_of(seen) < 2 ->
     STORE(store(ENTRY, make_entry(2, MAKING)));
#ifdef READY_FIRST
     STORE(store(ENTRY, make_entry(2, READY)));
     STORE(store(REGION, 2))
#else
     STORE(store(REGION, 2));
     STORE(store(ENTRY, make_entry(2, READY)))
#endif
  :: else
  fi
}

proctype changer(byte me) {
  byte seen;

  lock();
  settle_entry();
  remove_first();
  make_second();
  LOAD(full_fence();
       assert(state_of(memory[ENTRY]) == READY || state_of(memory[ENTRY]) == FREE));
  STORE(maintenance = NOBODY);
killed:
  LOAD(seen = 0; ended++)
}

/* Who comes last: settles what is left, and finds the directory true. */
inline look_at_the_end() {
  LOAD(if
       :: is_dead(owner) -> memory[SLOT] = FREE; owner = NOBODY
       :: else
       fi);
  if
  :: state_of(memory[ENTRY]) == CLOSING ->
     LOAD(memory[ENTRY] = make_entry(incarnation_of(memory[ENTRY]), READY))
  :: state_of(memory[ENTRY]) == MAKING || state_of(memory[ENTRY]) == CLEARING ->
     LOAD(memory[REGION] = 0; memory[ENTRY] = make_entry(incarnation_of(memory[ENTRY]), FREE))
  :: else
  fi;
  LOAD(assert(memory[SLOT] == FREE && owner == NOBODY);
       assert(state_of(memory[ENTRY]) != READY || memory[REGION] == incarnation_of(memory[ENTRY]));
       assert(state_of(memory[ENTRY]) != FREE || memory[REGION] == 0))
}

#define is_quiet (buffer[0].filled == 0 && buffer[1].filled == 0 && buffer[2].filled == 0)

init {
  atomic {
    choose_deaths();
    memory[ENTRY] = make_entry(1, READY); memory[REGION] = 1;
    run user(FIRST); run user(SECOND);
    run changer(CHANGER);
#if CHANGERS > 1
    run changer(CHANGER + 1)
#endif
  };
  ended == PARTICIPANTS && is_quiet && buffer[BUFFERED - 1].filled == 0;
  look_at_the_end()
}
