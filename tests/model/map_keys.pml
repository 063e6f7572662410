/* A map's keys among writers: several insert and erase at once, and nobody has a lock for that; somebody looks for a key.
 *
 * Mirrors   map/keys.cpp, map/index.cpp, map/lookup.cpp, map/holdings.cpp. ENTRIES entries, PLACES places, more than those;
 *           KEYS keys, each key's hash leads to any place.
 *             insert   looks whether the key is there; claims a free entry, and looks whether it is free still; the key; its
 *                      life is coming; takes the first place from the hash's on that is gone or unused, by
 *                      compare-and-swap, behind saying which. Looks back from there to the hash's place: what is unused
 *                      cuts it off, and it withdraws; what is gone gets another tag. Then forward from the hash's, up to one
 *                      that is unused behind its own: of the same key, one that is used, or comes and stands before it, has
 *                      it withdraw; one that comes and stands behind it is refused: its life is free, by compare-and-swap.
 *                      Used, by compare-and-swap from coming; the value
 *             erase    looks the key up; claims its entry, and looks whether it is still that key's; no value; its place
 *                      is gone, with a tag that no place had; free
 *             give up  behind both, a place that went: from the first unused one behind it back to the one before it: each
 *                      that is gone, and that nobody passes on the way from a key's hash to its place, becomes unused by
 *                      compare-and-swap, with the tag that it had before that look
 *             recovery under the maintenance lock, of a dead one that has an entry claimed: one that is used, with a value, is
 *                      whole; otherwise no value, its place is gone, and its life is free; the claim
 *             look     place by place from the hash's on, up to the key, used, or to one that is unused
 * Assumed   sequential consistency: who takes a place, and who gives one up, has a full fence behind it, and compare-and-swap
 *           is acquire and release. That who finds somebody else coming waits for his claim (map_claim.pml).
 * Deaths    writers, at every store; recovery, too.
 * Checked   no two entries are used with one key; a key that is there all the time is found; when all is quiet each key that
 *           is there is found, is whole, and no place leads to an entry that is free; where one writer was alone, each
 *           place that is gone is passed on the way to a key.
 * Bounds    WRITERS, the first of ACTS acts, the others of SECOND_ACTS; one who looks LOOKS times; DEATHS. ONE_HASH: all
 *           keys' hashes lead to one place; CROSSED: the last one's to the next. In the beginning THERE keys are there, or
 *           fewer.
 *
 * Each of these leaves out one step, and must fail: FORWARD, NO_RIVALS, NO_REFUSAL, EARLIER_IGNORED, UP_TO_OWN, USED_BLINDLY,
 * NO_PATH, NO_NEW_TAG, SAME_TAG, UNUSED_BLINDLY, NO_LOOK_BEHIND, TAG_BEHIND, NOT_SAID, NO_LOOK_AT_FREE, UP_TO_GONE,
 * NEVER_UNUSED. */
#ifndef ACTS
#define ACTS 1
#endif
#ifndef SECOND_ACTS
#define SECOND_ACTS ACTS
#endif
#ifndef LOOKS
#define LOOKS 0
#endif
#ifndef KEYS
#define KEYS 2
#endif
#ifndef ENTRIES
#define ENTRIES 3
#endif
#ifndef PLACES
#define PLACES 4
#endif
#ifndef THERE
#define THERE 1
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#define PARTICIPANTS (WRITERS + 1)                  /* and who settles them */
#include "participants.pml"

/* A place: 0 is unused, then tags of those that are gone; a key's says which entry, and which key's hash. */
#define UNUSED 0
#define LEADS 64
#define leads_to(e, k) (LEADS + (e) * 4 + (k))
#define is_gone(p) ((p) != UNUSED && (p) < LEADS)
#define entry_of(p) (((p) - LEADS) / 4)
#define key_of(p) (((p) - LEADS) % 4)
#define next(at) (((at) + 1) % PLACES)
#define before(at) (((at) + PLACES - 1) % PLACES)

/* A life: its incarnation, times 4, and one of these. */
#define FREE 0
#define COMING 1
#define USED 2
#define state(l) ((l) % 4)
#define coming_after(l) ((l) - state(l) + 4 + COMING)
#define used_of(l) ((l) - state(l) + USED)
#define free_of(l) ((l) - state(l))

byte place[PLACES];
byte tags = 1;
byte hash[KEYS];
byte claim[ENTRIES] = NOBODY;
byte life[ENTRIES];
byte key[ENTRIES];
bool value[ENTRIES];
byte goes_for[WRITERS];                             /* the entry, plus one */
byte taking[WRITERS];                               /* the place, plus one */
bool settled[WRITERS];
byte lives[KEYS];                                   /* how often it was erased */
byte ended;

#ifdef SAME_TAG
#define new_tag(p) p = 1
#else
#define new_tag(p) tags++; p = tags
#endif

/* A key that is being erased has no place any more. */
inline check_single(k) {
  d_step {
    byte p = 0, n = 0;
    do
    :: p < PLACES ->
       if
       :: place[p] >= LEADS && key_of(place[p]) == k && key[entry_of(place[p])] == k && state(life[entry_of(place[p])]) == USED ->
          n++
       :: else
       fi;
       p++
    :: p == PLACES -> break
    od;
    assert(n <= 1);
    p = 0; n = 0
  }
}

/* In `entry` and `seen`: the key's entry, plus one, and its life, used or coming; 0: it is not there. */
inline look_up(k) {
  LOAD(at = hash[k]; steps = 0; entry = 0);
  do
  :: LOAD(seen = place[at]);
     if
     :: seen == UNUSED || steps == PLACES -> break
     :: else ->
        if
        :: !is_gone(seen) && key_of(seen) == k ->
           LOAD(entry = entry_of(seen) + 1; seen = life[entry - 1];
                if :: key[entry - 1] == k && state(seen) != FREE -> skip :: else -> entry = 0 fi);
           if :: entry != 0 -> break :: else fi
        :: else
        fi;
        LOAD(at = next(at); steps++)
     fi
  od;
  at = 0; steps = 0
}

/* In `passed`: whether somebody passes `at` on the way to a key further on. */
inline look_behind() {
  LOAD(passed = false; other = next(at); steps = 1);
#ifndef NO_LOOK_BEHIND
  do
  :: LOAD(
       if
       :: steps == PLACES || place[other] == UNUSED -> break
#ifdef UP_TO_GONE
       :: steps < PLACES && is_gone(place[other]) -> break
#else
       :: steps < PLACES && is_gone(place[other]) -> other = next(other); steps++
#endif
       :: steps < PLACES && place[other] >= LEADS ->
          passed = passed || (other + PLACES - hash[key_of(place[other])]) % PLACES >= steps;
          other = next(other); steps++
       fi)
  od;
#endif
  other = 0; steps = 0
}

/* Behind a place `own` that has gone. */
inline give_up_others() {
#ifndef NEVER_UNUSED
  LOAD(at = next(own));
  do
  :: LOAD(if :: at == own || place[at] == UNUSED -> break :: else -> at = next(at) fi)
  od;
  LOAD(at = before(at); own = 0);
  do
  :: own == PLACES -> break                         /* no place was unused: all of them */
  :: else ->
     LOAD(seen = place[at]);
     if
     :: seen == UNUSED -> break
     :: is_gone(seen) ->
        look_behind();
#ifdef TAG_BEHIND
        LOAD(if :: is_gone(place[at]) -> seen = place[at] :: else fi);
#endif
        if
        :: passed -> skip
        :: else ->
#ifdef UNUSED_BLINDLY
           STORE(place[at] = UNUSED)
#else
           STORE(if :: place[at] == seen -> place[at] = UNUSED :: else fi)
#endif
        fi;
        LOAD(at = before(at); own++; passed = false)
     :: seen >= LEADS -> LOAD(at = before(at); own++)
     fi
  od;
#endif
  at = 0; own = 0; seen = 0
}

inline withdraw() {
  STORE(new_tag(place[own]));
  STORE(if :: state(life[mine]) == COMING -> life[mine] = free_of(life[mine]) :: else fi);
  give_up_others()
}

inline take_place(k) {
  LOAD(at = hash[k]);
  do
  :: LOAD(seen = place[at]);
     if
     :: seen >= LEADS -> at = next(at)
     :: else ->
#ifndef NOT_SAID
        STORE(taking[me] = at + 1);
#endif
        STORE(if :: place[at] == seen -> place[at] = leads_to(mine, k); own = at; seen = LEADS :: else fi);
        if :: seen == LEADS -> break :: else fi
     fi
  od;
  at = 0; seen = 0
}

/* In `good`: whether everybody comes to the place, from the hash's on. From the own place back: what is in use there stays
 * in use, for all between it and the own place does already. */
inline look_back(k) {
  LOAD(at = own; good = true);
#ifndef FORWARD
  do
  :: at == hash[k] -> break
  :: else ->
     LOAD(seen = place[before(at)]);
     if
#ifndef NO_PATH
     :: seen == UNUSED -> good = false; break
#else
     :: seen == UNUSED -> at = before(at)
#endif
     :: is_gone(seen) ->
#ifndef NO_NEW_TAG
        STORE(if :: place[before(at)] == seen -> new_tag(place[before(at)]); at = before(at) :: else fi)
#else
        at = before(at)
#endif
     :: seen >= LEADS -> at = before(at)
     fi
  od;
#endif
  at = 0; seen = 0
}

/* In `good`: whether the key may be used as far as others with the same key say. */
inline look_at_rivals(k) {
  LOAD(at = hash[k]; steps = 0; past = false);
  do
  :: steps == PLACES -> break
  :: else ->
     LOAD(seen = place[at]);
     if
     :: at == own ->
        past = true;
#ifdef UP_TO_OWN
        break
#else
        at = next(at); steps++
#endif
     :: at != own && seen == UNUSED ->
#ifdef FORWARD
        if :: past :: else -> good = false fi;
#endif
        break
     :: at != own && is_gone(seen) ->
#ifdef FORWARD
        if
        :: past -> at = next(at); steps++
        :: else -> STORE(if :: place[at] == seen -> new_tag(place[at]); at = next(at); steps++ :: else fi)
        fi
#else
        at = next(at); steps++
#endif
     :: at != own && seen >= LEADS ->
        if
#ifndef NO_RIVALS
        :: key_of(seen) == k ->
           LOAD(entry = entry_of(seen); seen = (key[entry] == k -> life[entry] : FREE));
           if
           :: state(seen) == USED -> good = false; break
           :: state(seen) == COMING && !past ->
#ifndef EARLIER_IGNORED
              good = false; break
#else
              at = next(at); steps++
#endif
           :: state(seen) == COMING && past ->
#ifndef NO_REFUSAL
              STORE(if :: life[entry] == seen -> life[entry] = free_of(seen) :: else fi)
              /* and once more: it may be used by now */
#else
              at = next(at); steps++
#endif
           :: state(seen) == FREE -> at = next(at); steps++
           fi
        :: key_of(seen) != k -> at = next(at); steps++
#else
        :: true -> at = next(at); steps++
#endif
        fi
     fi
  od;
  at = 0; steps = 0; seen = 0; entry = 0; past = false
}

inline drop_claim() {
  STORE(assert(claim[mine] == me); claim[mine] = NOBODY);
  STORE(goes_for[me] = 0)
}

inline insert(k) {
  look_up(k);
  if
  :: entry != 0 -> skip                             /* it is there, or on its way: then its claim is waited for */
  :: else ->
     if
     :: LOAD(claim[0] == NOBODY && state(life[0]) == FREE) -> mine = 0
     :: LOAD(claim[1] == NOBODY && state(life[1]) == FREE) -> mine = 1
#if ENTRIES > 2
     :: LOAD(claim[2] == NOBODY && state(life[2]) == FREE) -> mine = 2
#endif
     :: true -> mine = ENTRIES
     fi;
     if
     :: mine < ENTRIES ->
        STORE(goes_for[me] = mine + 1);
        STORE(if :: claim[mine] == NOBODY -> claim[mine] = me; good = true :: else -> good = false fi);
        if
#ifdef NO_LOOK_AT_FREE
        :: good ->
#else
        :: good && state(life[mine]) == FREE ->
#endif
           STORE(key[mine] = k);
           STORE(life[mine] = coming_after(life[mine]));
           take_place(k);
           look_back(k);
           if :: good -> look_at_rivals(k) :: else fi;
           if
           :: good ->
#ifdef USED_BLINDLY
              STORE(life[mine] = used_of(life[mine]); check_single(k))
#else
              STORE(if :: state(life[mine]) == COMING -> life[mine] = used_of(life[mine]); check_single(k)
                       :: else -> good = false fi)
#endif
           :: else
           fi;
           if
           :: good -> STORE(value[mine] = true)
           :: else -> withdraw()
           fi;
           drop_claim()
        :: good && state(life[mine]) != FREE -> drop_claim()
        :: !good -> STORE(goes_for[me] = 0)
        fi
     :: else
     fi
  fi
}

inline erase(k) {
  look_up(k);
  if
  :: entry != 0 && state(seen) == USED ->
     mine = entry - 1;
     STORE(goes_for[me] = mine + 1);
     STORE(if :: claim[mine] == NOBODY -> claim[mine] = me; good = true :: else -> good = false fi);
     if
     :: good && life[mine] == seen && value[mine] ->
        STORE(value[mine] = false; lives[k]++);
        LOAD(own = hash[k]; do :: place[own] == leads_to(mine, k) -> break :: else -> own = next(own) od);
        STORE(new_tag(place[own]));
        STORE(life[mine] = free_of(life[mine]));
        give_up_others();
        drop_claim()
     :: good && !(life[mine] == seen && value[mine]) -> drop_claim()
     :: !good -> STORE(goes_for[me] = 0)
     fi
  :: else
  fi
}

inline recover(whom) {
  lock();
  if
  :: LOAD(dead[whom] && !settled[whom]) ->
     if
     :: LOAD(goes_for[whom] != 0 && claim[goes_for[whom] - 1] == whom) ->
        mine = goes_for[whom] - 1;
        /* On the way from its hash's; or where it took one last, and was cut off. */
        LOAD(own = hash[key[mine]]; steps = 0;
             do
             :: steps == PLACES || place[own] == UNUSED ->
                steps = PLACES;
                if :: taking[whom] != 0 -> own = taking[whom] - 1 :: else fi;
                break
             :: steps < PLACES && place[own] == leads_to(mine, key[mine]) -> break
             :: steps < PLACES && place[own] != UNUSED && place[own] != leads_to(mine, key[mine]) -> own = next(own); steps++
             od);
        good = place[own] == leads_to(mine, key[mine]);
        steps = 0;
        if
        :: LOAD(state(life[mine]) == USED && value[mine]) -> assert(good)
        :: LOAD(!(state(life[mine]) == USED && value[mine])) ->
           STORE(value[mine] = false);
           if :: good -> STORE(new_tag(place[own])) :: else fi;
           STORE(life[mine] = free_of(life[mine]));
           if :: good -> give_up_others() :: else fi
        fi;
        STORE(claim[mine] = NOBODY)
     :: LOAD(!(goes_for[whom] != 0 && claim[goes_for[whom] - 1] == whom))
     fi;
     STORE(goes_for[whom] = 0);
     STORE(settled[whom] = true)
  :: LOAD(!(dead[whom] && !settled[whom]))
  fi;
  unlock()
}

proctype writer(byte me) {
  byte acts = (me == 0 -> 0 : ACTS - SECOND_ACTS), at, seen, entry, mine, own, other, steps, wanted;
  bool good, past, passed;

born:
  do
  :: acts < ACTS ->
     LOAD(acts++; wanted = 0; do :: wanted < KEYS - 1 -> wanted++ :: break od);
     if
     :: insert(wanted)
     :: erase(wanted)
     fi;
     LOAD(at = 0; seen = 0; entry = 0; mine = 0; own = 0; steps = 0; wanted = 0; good = false)
  :: atomic { acts == ACTS -> break }
  od;
killed:
  LOAD(at = 0; seen = 0; entry = 0; mine = 0; own = 0; other = 0; steps = 0; wanted = 0; good = false; past = false;
       passed = false);
  if
  :: dead[me] -> atomic { settled[me] -> settled[me] = false; dead[me] = false; goto born }
  :: else -> LOAD(acts = ACTS; ended++)
  fi
}

/* Who settles those whom the other one does not come by. */
proctype watchdog(byte me) {
  byte at, seen, mine, own, other, steps;
  bool good, passed;

born:
  do
  :: atomic { ended == WRITERS -> goto done }
  :: atomic { dead[0] && !settled[0] && maintenance == NOBODY -> skip }; recover(0); LOAD(mine = 0; own = 0; good = false)
  :: atomic { dead[1] && !settled[1] && maintenance == NOBODY -> skip }; recover(1); LOAD(mine = 0; own = 0; good = false)
#if WRITERS > 2
  :: atomic { dead[2] && !settled[2] && maintenance == NOBODY -> skip }; recover(2); LOAD(mine = 0; own = 0; good = false)
#endif
  od;
killed:
  LOAD(at = 0; seen = 0; mine = 0; own = 0; other = 0; steps = 0; good = false; passed = false; dead[me] = false);
  goto born;
done:
  skip
}

/* Looks for key 0, which its entry says is used. */
proctype looker() {
  byte looks, at, seen, steps, lives_before;
  bool was_there;
  do
  :: looks < LOOKS ->
     LOAD(looks++; at = hash[0]; lives_before = lives[0]; steps = 0;
          was_there = (state(life[0]) == USED && key[0] == 0 && value[0]) || (state(life[1]) == USED && key[1] == 0 && value[1])
#if ENTRIES > 2
                      || (state(life[2]) == USED && key[2] == 0 && value[2])
#endif
          );
     do
     :: LOAD(seen = place[at];
          if
          :: seen >= LEADS && key_of(seen) == 0 && state(life[entry_of(seen)]) == USED && key[entry_of(seen)] == 0 -> break
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

proctype last() {
  byte at, seen, e, steps;
  bool found;
  atomic {
    ended == WRITERS ->
    do
    :: e < ENTRIES ->
       assert(claim[e] == NOBODY && state(life[e]) != COMING);
       assert((state(life[e]) == USED) == value[e]);
       if
       :: state(life[e]) == USED ->
          at = hash[key[e]]; steps = 0;
          do
          :: place[at] == leads_to(e, key[e]) -> break
          :: else -> assert(place[at] != UNUSED && steps < PLACES); at = next(at); steps++
          od
       :: else
       fi;
       e++
    :: e == ENTRIES -> break
    od;
    at = 0;
    do
    :: at < PLACES ->
       if
       :: place[at] >= LEADS ->
          e = entry_of(place[at]);
          assert(state(life[e]) == USED && key[e] == key_of(place[at]))
       :: else
       fi;
       at++
    :: at == PLACES -> break
    od;
#if SECOND_ACTS == 0 && DEATHS == 0
    at = 0;
    do
    :: at < PLACES && is_gone(place[at]) ->
       seen = next(at); steps = 1; found = false;
       do
       :: steps == PLACES || place[seen] == UNUSED -> break
       :: else ->
          found = found || (place[seen] >= LEADS && (seen + PLACES - hash[key_of(place[seen])]) % PLACES >= steps);
          seen = next(seen); steps++
       od;
       assert(found);
       at++
    :: at < PLACES && !is_gone(place[at]) -> at++
    :: at == PLACES -> break
    od
#endif
  }
}

init {
  atomic {
    choose_deaths();
    byte k = 1;
#ifdef CROSSED                                       /* the last one's leads to the place behind that of all others */
    hash[KEYS - 1] = 1;
#else
#ifndef ONE_HASH
    do
    :: k < KEYS -> hash[k] = 0; do :: hash[k] < PLACES - 1 -> hash[k]++ :: break od; k++
    :: else -> break
    od;
#endif
#endif
    k = 0;
    do
    :: k < THERE ->
       byte at = hash[KEYS - 1 - k];
       do :: place[at] == UNUSED -> break :: else -> at = next(at) od;
       place[at] = leads_to(k, KEYS - 1 - k); life[k] = used_of(4); key[k] = KEYS - 1 - k; value[k] = true;
       k++
    :: break
    od;
    at = 0;
    k = 0;
    run writer(0); run writer(1);
#if WRITERS > 2
    run writer(2);
#endif
    run watchdog(WRITERS);
#if LOOKS > 0
    run looker();
#endif
    run last()
  }
}
