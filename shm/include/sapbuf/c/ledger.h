/* What participants did so far, by the kind of facility that they take part in. */
#ifndef SAPBUF_C_LEDGER_H
#define SAPBUF_C_LEDGER_H

#include <sapbuf/c/base.h>

SAPBUF_C_BEGIN

/* Of a stream. */
typedef struct sapbuf_stream_ledger {
  size_t struct_size;
  uint64_t committed;       /* messages */
  uint64_t committed_bytes; /* of payload */
  uint64_t aborted;
  uint64_t dropped;
  uint64_t abandoned;
  uint64_t delivered;
  uint64_t lost;
  uint64_t skipped; /* by sapbuf_reader_skip_to_newest() */
} sapbuf_stream_ledger;

SAPBUF_C_INIT(sapbuf_stream_ledger)

/* Of a pool, in buffers: acquired + adopted = released + held + reclaimed. Exact when nothing is under way, and of one that
   was killed but for what was: that counts as released, or as held. */
typedef struct sapbuf_pool_ledger {
  size_t struct_size;
  uint64_t acquired;
  uint64_t hits; /* of these, from what it had at hand */
  uint64_t adopted;
  uint64_t released;  /* let go of, in whatever way */
  uint64_t attached;  /* of these, to messages */
  uint64_t held;      /* now, by the pool's words; one that it has twice counts twice */
  uint64_t reclaimed; /* that it still had when it was killed */
  uint64_t refills;   /* times that it had nothing at hand, and took some free ones */
  uint64_t stolen;    /* taken, while nothing was free, from what others had at hand */
  uint64_t grown;     /* that it let the pool grow by */
  uint64_t waits;     /* times */
} sapbuf_pool_ledger;

SAPBUF_C_INIT(sapbuf_pool_ledger)

/* Of a map, by those who change it. */
typedef struct sapbuf_map_ledger {
  size_t struct_size;
  uint64_t flipped;  /* values that keys had before */
  uint64_t inserted; /* keys */
  uint64_t erased;   /* keys */
  uint64_t waits;    /* times that another one had the key to himself */
} sapbuf_map_ledger;

SAPBUF_C_INIT(sapbuf_map_ledger)

/* Of a queue, in blocks. */
typedef struct sapbuf_queue_ledger {
  size_t struct_size;
  uint64_t pushed;       /* released by it */
  uint64_t dropped;      /* that had no room (policy drop) */
  uint64_t taken;        /* also those that had been taken before */
  uint64_t redelivered;  /* of these, that had been */
  uint64_t ended;        /* that left the queue by it: done with, passed on, or buried elsewhere */
  uint64_t put_back;     /* by itself, or by recovery */
  uint64_t passed;       /* on to other queues */
  uint64_t dead_letters; /* that it was the last one to have */
  uint64_t waits;        /* for room */
} sapbuf_queue_ledger;

SAPBUF_C_INIT(sapbuf_queue_ledger)

SAPBUF_C_END

#endif
