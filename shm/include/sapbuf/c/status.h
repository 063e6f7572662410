/* What calls answer. */
#ifndef SAPBUF_C_STATUS_H
#define SAPBUF_C_STATUS_H

#include <sapbuf/c/base.h>

SAPBUF_C_BEGIN

/* The values are fixed: programs may store them. A newer library may answer further ones. */
typedef enum sapbuf_status {
  SAPBUF_OK = 0,

  /* What may come at any time, and a program goes on from. */
  SAPBUF_FULL = 1,    /* a stream: no slab is free, and the message was dropped, and counted (policies drop and
                                  overwrite); a map has as many keys as it can; all slots of a queue wait to be taken */
  SAPBUF_TIMEOUT = 2, /* the time is over; of a writer: the message was dropped, and counted */
  SAPBUF_STOPPED = 3, /* the stop flag ended a wait: nothing happened, and nothing was counted */
  SAPBUF_WOULD_DEADLOCK =
      4,                /* a range that this very thread has pinned keeps the space that it would wait for: unpin it */
  SAPBUF_TOO_LARGE = 5, /* it can never fit; nothing was counted */
  SAPBUF_ALREADY_RESERVED = 6, /* this writer has a reservation open: commit or abort it; or a map's, an update */
  SAPBUF_EXHAUSTED = 7,        /* a pool has no free buffer, and cannot grow; or this process no memory, or addresses */
  SAPBUF_OVER_BUDGET = 8,      /* this participant holds as many as it may, or can */
  SAPBUF_STALE = 9,            /* what a reference names was freed, or is in another pool */
  SAPBUF_OTHER_SEGMENT = 10,   /* a buffer and a message, or two queues, of different segments */
  SAPBUF_ATTACHMENTS_FULL = 11, /* the message's slab has as many attached buffers as it can: abort, and reserve anew */
  SAPBUF_NOT_FOUND = 12,        /* no such segment, facility or key; nothing to read; a queue has nothing to be taken */
  SAPBUF_EXISTS = 13,           /* something has that name, or the map has the key */
  SAPBUF_VERSION_CHANGED = 14,  /* the key has another version by now */
  SAPBUF_NOT_ALONE = 15,        /* a block that other groups of the queue get, too, cannot be passed on */
  SAPBUF_OVERTAKEN = 16, /* a map's values were replaced, and freed, before they could be kept, many times in a row */
  SAPBUF_ABANDONED = 17, /* a function of the program's own said so: nothing was changed */
  SAPBUF_FINISHED = 18,  /* all has been read, and no more comes: every writer has left, and one said so */

  /* What ends the use of a handle. */
  SAPBUF_CLOSED = 30,        /* nothing is there (any more): committed, aborted, released */
  SAPBUF_FORKED = 31,        /* the handle was inherited through fork: close it, and open another one */
  SAPBUF_CORRUPT = 32,       /* the segment's bytes contradict themselves, or it was truncated */
  SAPBUF_DECLARED_DEAD = 33, /* others took this participant for dead, and took back what it held: it must not go on */

  /* Why something could not be made or opened, and mistakes. */
  SAPBUF_INVALID_ARGUMENT = 60,
  SAPBUF_INCOMPATIBLE = 61,      /* not a sapbuf segment, of another version, or values of another size */
  SAPBUF_PERMISSION_DENIED = 62, /* the system says no */
  SAPBUF_NO_SPACE = 63,          /* /dev/shm, a limit on it, or the memory supplied is too small */
  SAPBUF_REGISTRY_FULL = 64,     /* every participant slot is taken by a live participant */
  SAPBUF_BUSY = 65,        /* a live process holds what is needed, and did not let go in time; or a range is pinned */
  SAPBUF_UNSUPPORTED = 66, /* the kernel lacks something, or options have a field that this library does not know */
  SAPBUF_RESOURCE_EXHAUSTED = 67, /* out of descriptors, mappings or memory */
  SAPBUF_SYSTEM = 68              /* any other failure of a system call */
} sapbuf_status;

/* A few words for each, of any value; lasts for ever. */
SAPBUF_C_API const char* sapbuf_strerror(sapbuf_status status) SAPBUF_NOEXCEPT;

/* What the last call of this thread that did not answer SAPBUF_OK had to say, in one line of printable text of up to 1023
   bytes: what went wrong, with which segment, and what to do about it. Empty before there was one. Valid until this
   thread's next call. */
SAPBUF_C_API const char* sapbuf_last_error(void) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
