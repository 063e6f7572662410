/* Taking back what the dead held. Whoever would have to wait for the dead does it by himself; this is for programs that look
   after others, as sapbuf-watchdog does. */
#ifndef SAPBUF_C_RECOVERY_H
#define SAPBUF_C_RECOVERY_H

#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* What a participant was: of a stream, writer or reader; of a pool, user; of a map or a cell, viewer or editor; of a queue,
   producer or consumer. */
typedef enum sapbuf_role {
  SAPBUF_ROLE_NONE = 0,
  SAPBUF_ROLE_WRITER = 1,
  SAPBUF_ROLE_READER = 2,
  SAPBUF_ROLE_USER = 3,
  SAPBUF_ROLE_VIEWER = 4,
  SAPBUF_ROLE_EDITOR = 5,
  SAPBUF_ROLE_PRODUCER = 6,
  SAPBUF_ROLE_CONSUMER = 7
} sapbuf_role;

/* A participant whose death was proved. Valid during the call that it is shown in. */
typedef struct sapbuf_dead_participant {
  size_t struct_size;
  const char* facility; /* that it took part in */
  const char* name;
  const char*
      proof; /* "ofd-lock-free": the kernel dropped its liveness lock; "process-ended": no thread of it will run */
  const uint64_t* held; /* what it kept: generations of a stream, buffers of a pool, numbered from 1 */
  size_t held_count;
  uint64_t held_bytes;
  uint64_t repairs; /* what was brought to an end for it; 0 where nothing was changed */
  uint64_t repaired_bytes;
  uint64_t heartbeat_age_ms; /* since its last sign of progress */
  int32_t pid;
  uint32_t slot; /* index in the registry */
  uint32_t role; /* sapbuf_role */
} sapbuf_dead_participant;

typedef struct sapbuf_recovery {
  size_t struct_size;  /* says how much of this is wanted */
  uint32_t dead;       /* participants */
  uint32_t released;   /* sealed slabs, and buffers of pools, that nobody holds any more */
  uint32_t left_alone; /* dead participants of facilities that only a newer library knows */
  bool
      pending; /* something is left for the next call: a live participant must finish a step first, or holds the lock */
} sapbuf_recovery;

SAPBUF_C_INIT(sapbuf_recovery)

/* Repairs and releases what dead participants held, and calls `tell`, unless it is NULL, for each. Any process may do it at
   any time; killing it half-way is one more death for the next caller. Microseconds when nobody died; never blocks for
   more than a few milliseconds. `recovery` may be NULL. SAPBUF_FORKED, SAPBUF_CORRUPT, SAPBUF_RESOURCE_EXHAUSTED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_recover(sapbuf_segment* segment, sapbuf_recovery* recovery,
                                                                 void (*tell)(void* context,
                                                                              const sapbuf_dead_participant* dead),
                                                                 void* context) SAPBUF_NOEXCEPT;
/* The same without changing anything. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_find_dead(
    const sapbuf_segment* segment, sapbuf_recovery* recovery,
    void (*tell)(void* context, const sapbuf_dead_participant* dead), void* context) SAPBUF_NOEXCEPT;

/* A process with a descriptor through which a byte of a segment's file is locked. Valid during the call that it is shown in. */
typedef struct sapbuf_lock_holder {
  size_t struct_size;
  const char* program; /* as it calls itself, printable */
  int32_t pid;
  bool for_reading; /* no participant takes such locks, but whoever may read the file can */
} sapbuf_lock_holder;

/* Who stops a segment. SAPBUF_OK if the locks that its facilities' users and recovery need can be had within
   `patience_ns` (an hour at most): participants hold them for microseconds. Otherwise SAPBUF_BUSY: one of them is
   stopped, or a stranger has locked the file; calls `tell`, unless it is NULL, for each, and for each lock that he has,
   as far as this process may see that (root: all; nobody who keeps the lock by a mapping alone). Takes the locks for a
   moment; looks through /proc, which takes milliseconds. SAPBUF_FORKED, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_find_lock_holders(
    const sapbuf_segment* segment, int64_t patience_ns, void (*tell)(void* context, const sapbuf_lock_holder* holder),
    void* context) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
