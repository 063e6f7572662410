/* A map's index: keys that come and go, and somebody who looks for one of them without a lock.
 *
 * Mirrors   map/lookup.cpp. PLACES places, and KEYS keys, fewer than that; each key's hash leads to any place.
 *             insert   the first place from the hash's on that is gone or unused
 *             erase    the place is gone; then, from the first unused one behind it back to the one before it: each that is
 *                      gone, and that nobody passes on the way from a key's hash to its place, becomes unused
 *             look     place by place from the hash's on, up to the key or one that is unused
 * Assumed   sequential consistency: places are stored with release and loaded with acquire, and nothing else is. That the
 *           entry says whose key it is (map_claim.pml); here a place says it.
 * Deaths    the writer, at every store; another one goes on with what is there. Recovery gives up the place of a key that
 *           is half erased: for this that is another erasure.
 * Checked   who looks for a key that is there all the time finds it; each key can be found whenever nobody is at work;
 *           without deaths, each place that is gone is passed on the way to a key.
 * Bounds    1 writer of ACTS acts, 1 who looks LOOKS times; DEATHS.
 *
 * Each of these leaves out one step, and must fail: NO_LOOK_BEHIND, UP_TO_GONE, NEVER_UNUSED. */
#ifndef ACTS
#define ACTS 5
#endif
#ifndef LOOKS
#define LOOKS 2
#endif
#ifndef KEYS
#define KEYS 3
#endif
#define PLACES 4
#define PARTICIPANTS 1
#include "participants.pml"

#define UNUSED 0
#define GONE 1
#define place_of(key) ((key) + 2)
#define next(at) (((at) + 1) % PLACES)
#define before(at) (((at) + PLACES - 1) % PLACES)

byte place[PLACES];
byte hash[KEYS];
bool there[KEYS];
byte lives[KEYS];                                   /* how often it was erased */
bool died;

inline insert() {
  LOAD(at = hash[key]; do :: place[at] == UNUSED || place[at] == GONE -> break :: else -> at = next(at) od);
  STORE(place[at] = place_of(key); there[key] = true)
}

/* In `passed`: whether somebody passes `at` on the way to a key further on, up to the end of the cluster. */
inline look_behind() {
  d_step {
    passed = false;
#ifndef NO_LOOK_BEHIND
    other = next(at); steps = 1;
    do
    :: steps == PLACES || place[other] == UNUSED -> break
#ifdef UP_TO_GONE
    :: steps < PLACES && place[other] == GONE -> break
#else
    :: steps < PLACES && place[other] == GONE -> other = next(other); steps++
#endif
    :: steps < PLACES && place[other] > GONE ->
       /* So many places behind its hash's. */
       way = (other + PLACES - hash[place[other] - 2]) % PLACES;
       passed = passed || way >= steps;
       other = next(other); steps++
    od;
#endif
    other = 0; steps = 0; way = 0
  }
}

inline erase() {
  LOAD(at = hash[key]; do :: place[at] == place_of(key) -> break :: else -> at = next(at) od);
  STORE(place[at] = GONE; there[key] = false; lives[key]++);
#ifndef NEVER_UNUSED
  LOAD(
    own = at; at = next(at);
    do :: at == own || place[at] == UNUSED -> break :: else -> at = next(at) od
  );
  if
  :: at == own && place[at] != UNUSED -> skip       /* no place is unused: all stay as they are */
  :: else ->
     LOAD(at = before(at));
     do
     :: place[at] == UNUSED -> break
     :: place[at] == GONE ->
        look_behind();
        if :: passed :: else -> STORE(place[at] = UNUSED) fi;
        LOAD(at = before(at); passed = false)
     :: place[at] > GONE -> LOAD(at = before(at))
     od
  fi;
#endif
  LOAD(own = 0; at = 0)
}

proctype writer() {
  byte me = 0;
  byte acts, at, key, other, steps, way, own;
  bool passed;
born:
  do
  :: acts < ACTS ->
     LOAD(acts++; key = 0; do :: key < KEYS - 1 -> key++ :: break od);
     if
     :: there[key] -> erase()
     :: !there[key] -> insert()
     fi;
     LOAD(at = 0; key = 0)
  :: acts == ACTS -> break
  od;
killed:
  LOAD(at = 0; key = 0; own = 0; passed = false);
  if
  :: dead[0] -> atomic { dead[0] = false; died = true; goto born }
  :: else
  fi;
  /* All is quiet. */
  d_step {
    do
    :: key < KEYS && there[key] ->
       at = hash[key];
       do
       :: place[at] == place_of(key) -> break
       :: else -> assert(place[at] != UNUSED); at = next(at)
       od;
       key++
    :: key < KEYS && !there[key] -> key++
    :: key == KEYS -> break
    od;
    at = 0
  };
  do
  :: at < PLACES && place[at] == GONE && !died -> look_behind(); assert(passed); at++
  :: at < PLACES && (place[at] != GONE || died) -> at++
  :: at == PLACES -> break
  od
}

proctype looker() {
  byte looks, at, seen, lives_before, steps;
  bool was_there;
  do
  :: looks < LOOKS ->
     LOAD(looks++; at = hash[0]; was_there = there[0]; lives_before = lives[0]; steps = 0);
     do
     :: LOAD(seen = place[at];
          if
          :: seen == place_of(0) -> seen = 0; break
          :: else ->
             steps++;
             if
             :: seen == UNUSED || steps == PLACES ->
                assert(!was_there || lives[0] != lives_before);
                break
             :: else -> at = next(at)
             fi
          fi)
     od;
     LOAD(at = 0; seen = 0; was_there = false; lives_before = 0; steps = 0)
  :: looks == LOOKS -> break
  od
}

init {
  atomic {
    choose_deaths();
    byte key;
    do
    :: key < KEYS -> hash[key] = 0; do :: hash[key] < PLACES - 1 -> hash[key]++ :: break od; key++
    :: else -> break
    od;
    key = 0;
    run writer(); run looker()
  }
}
