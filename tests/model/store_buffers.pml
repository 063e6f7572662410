/* Total store order: each participant's stores wait in a buffer, first in, first out, until the machine lets them out
 * to memory, whenever it likes. A load looks into the own buffer first. So a load may go ahead of the stores before
 * it: what a fence prevents. The weakest order of x86; on other machines acquire and release are needed besides, and
 * written.
 *
 * A model defines BUFFERED (participants with a buffer, numbered from 0), WORDS, and gives each process `me`. */
#define DEPTH 2

byte memory[WORDS];
typedef Buffer {
  byte filled;
  byte word[DEPTH], value[DEPTH];
}
Buffer buffer[BUFFERED];

inline flush_one(who) {
  memory[buffer[who].word[0]] = buffer[who].value[0];
  buffer[who].word[0] = buffer[who].word[1]; buffer[who].value[0] = buffer[who].value[1];
  buffer[who].word[1] = 0; buffer[who].value[1] = 0;
  buffer[who].filled--
}

inline flush(who) {
  do
  :: buffer[who].filled > 0 -> flush_one(who)
  :: else -> break
  od
}

/* A plain store. */
inline store(at, what) {
  atomic {
    buffer[me].filled < DEPTH ->
    buffer[me].word[buffer[me].filled] = at; buffer[me].value[buffer[me].filled] = what; buffer[me].filled++
  }
}

#define is_buffered(i, at) (buffer[me].filled > (i) && buffer[me].word[i] == (at))
#define load(at) (is_buffered(1, at) -> buffer[me].value[1] : (is_buffered(0, at) -> buffer[me].value[0] : memory[at]))

/* mfence, and what every locked instruction does. */
inline full_fence() { atomic { flush(me) } }
inline locked_store(at, what) { atomic { flush(me); memory[at] = what } }

/* membarrier(2): every running thread of the registered processes passes a full fence, and the caller does. */
inline heavy_fence() {
  atomic {
    byte each;
    each = 0;
    do
    :: each < BUFFERED -> flush(each); each++
    :: else -> break
    od;
    each = 0
  }
}

/* The machine. */
active proctype machine() {
end_of_stores:
  do
  :: atomic { buffer[0].filled > 0 -> flush_one(0) }
  :: atomic { buffer[BUFFERED - 1].filled > 0 -> flush_one(BUFFERED - 1) }
#if BUFFERED > 2
  :: atomic { buffer[1].filled > 0 -> flush_one(1) }
#endif
#if BUFFERED > 3
  :: atomic { buffer[2].filled > 0 -> flush_one(2) }
#endif
  od
}
