/* sapbuf from C (C99 and later, also from C++): streams, pools, maps, queues and cells in shared memory, for processes of
   one Linux machine of which any may be killed at any moment. What each thing is, and what is promised of it, stands in
   README.md; this interface promises the same.

   Handles. Each thing is an opaque handle that a call gives through its last argument, and that one call ends: `_close`
   for what lasts, `_drop` or `_release` for what is held for a moment. Ending NULL does nothing. A handle keeps whatever
   it needs of the one that it was made from: a segment may be closed while its writers go on. Until a call succeeds, its
   last argument is NULL, or holds nothing.
     Small structs of the caller's (sapbuf_frame, sapbuf_buffer, sapbuf_map_value, sapbuf_taken_block) save a hot call the
   allocation. They may be copied, and one copy of each is to be ended.

   Threads. Segments, streams, pools, maps, queues and snapshots may be used by any number of threads at once. All other
   handles are participants of a segment, or belong to one: one thread at a time. After fork(), the child's handles answer
   SAPBUF_FORKED, but for snapshots: it closes them, and opens what it needs.

   Errors. Calls that may fail return a sapbuf_status; sapbuf_last_error() says more. A NULL where something is needed is
   SAPBUF_INVALID_ARGUMENT. No exception leaves a call, and no call is a cancellation point. Functions of the program's own
   that a call is given must return: no longjmp, no exception.

   Versions. A newer library goes on with programs that were compiled with an older <sapbuf.h>; symbols say which version
   brought them (shm/capi/sapbuf.map).

   Options. A struct of options begins with its size, so that programs and libraries of different versions understand each
   other. In each further field, zero is the default. Get one with sapbuf_..._options_init(), or, in C, with
   {.struct_size = sizeof options, .slabs = 4}; NULL means all defaults. A struct that a call fills begins with its size,
   too: the program says how much it has room for, and gets zero in what the library does not know.

   Time. All times are nanoseconds: SAPBUF_MS(50), SAPBUF_FOREVER; 0 or less does not wait. */
#ifndef SAPBUF_H
#define SAPBUF_H

#include <sapbuf/c/cell.h>
#include <sapbuf/c/inspect.h>
#include <sapbuf/c/map.h>
#include <sapbuf/c/pool.h>
#include <sapbuf/c/queue.h>
#include <sapbuf/c/recovery.h>
#include <sapbuf/c/segment.h>
#include <sapbuf/c/status.h>
#include <sapbuf/c/stream.h>

#endif
