/* What the models share: death, the maintenance lock, and waiting.
 *
 * Death. SIGKILL may come before any store; between two loads it makes no difference to anybody. DEATHS limits how
 * many participants die, and the models are run over every number of deaths up to that. A kill drops the lock at that
 * moment, as the kernel does with an OFD lock.
 *
 * Waiting. Whoever found nothing to do waits until somebody tells it of a store that its look depends on. A look at
 * words that have not changed finds the same again, so nothing is hidden by this; and whoever waits in vain for good
 * is an invalid end state.
 *
 * A model defines PARTICIPANTS, gives each process an identity `me`, and a label `killed`. It may define ON_KILL:
 * what else happens at a kill. */
#ifndef ON_KILL
#define ON_KILL skip
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#define NOBODY 15

byte kills_left;
byte maintenance = NOBODY;        /* who holds the maintenance lock */
bool dead[PARTICIPANTS];
byte news;                        /* one bit for each participant: something was stored since it began to look */

/* One load of a word that others may change meanwhile, with what is computed from it. What changes under the
 * maintenance lock only may be loaded together by its holder. */
#define LOAD(x) atomic { x }
/* One store, before which the participant may be killed. Stores that nobody can tell apart stand together. */
#define STORE(x) \
  if \
  :: atomic { kills_left > 0 -> kill_me(); goto killed } \
  :: atomic { true; x } \
  fi

#define only(who) (1 << (who))
#define everybody (only(PARTICIPANTS) - 1)
#define tell(whom) news = news | (whom)

inline kill_me() {
  kills_left--;
  dead[me] = true;
  if :: maintenance == me -> maintenance = NOBODY :: else fi;
  ON_KILL;
  tell(everybody)
}

inline lock() { atomic { maintenance == NOBODY -> maintenance = me } }
inline unlock() { STORE(maintenance = NOBODY) }

inline begin_look() { atomic { news = news & ~only(me) } }
inline wait_for_news() { (news & only(me)) != 0 }

inline choose_deaths() {
  do
  :: kills_left < DEATHS -> kills_left++
  :: break
  od
}
