/* Streams: writers build messages in place, readers look at them where they stand. */
#ifndef SAPBUF_C_STREAM_H
#define SAPBUF_C_STREAM_H

#include <sapbuf/c/pool.h>
#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* --- Streams */

/* A shared handle, for any number of threads. */
typedef struct sapbuf_stream sapbuf_stream;

/* As in sapbuf_segment_options. */
typedef struct sapbuf_stream_options {
  size_t struct_size;
  uint64_t slab_bytes;
  uint64_t extent_bytes;
  uint32_t slabs;
  uint32_t order;
  uint32_t on_full;
  uint32_t attachments;
  bool retain;
  uint32_t payload_alignment;
  uint32_t durable_readers;
} sapbuf_stream_options;

SAPBUF_C_INIT(sapbuf_stream_options)

/* Names have 1 to 63 bytes: letters, digits and . _ - ; NULL is `main`, that segments are made with. The segment grows for
   a new one. SAPBUF_EXISTS, SAPBUF_NO_SPACE, SAPBUF_INVALID_ARGUMENT, SAPBUF_REGISTRY_FULL if there are 64 facilities,
   SAPBUF_BUSY if somebody who makes or removes one does not come to an end. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_stream_create(sapbuf_segment* segment, const char* name,
                                                               const sapbuf_stream_options* options,
                                                               sapbuf_stream** stream) SAPBUF_NOEXCEPT;
/* SAPBUF_NOT_FOUND, SAPBUF_INCOMPATIBLE, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_stream_open(sapbuf_segment* segment, const char* name,
                                                             sapbuf_stream** stream) SAPBUF_NOEXCEPT;
/* The stream as it stands if there is one (sapbuf_stream_differences() tells), a new one otherwise. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_stream_open_or_create(sapbuf_segment* segment, const char* name,
                                                                       const sapbuf_stream_options* options,
                                                                       sapbuf_stream** stream) SAPBUF_NOEXCEPT;
/* Gives its space back. SAPBUF_NOT_FOUND if there was none, SAPBUF_BUSY while live participants use it. */
SAPBUF_C_API sapbuf_status sapbuf_stream_remove(sapbuf_segment* segment, const char* name) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_stream_close(sapbuf_stream* stream) SAPBUF_NOEXCEPT;

/* As the calls of these names for segments. */
SAPBUF_C_API const char* sapbuf_stream_name(const sapbuf_stream* stream) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_stream_created(const sapbuf_stream* stream) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_stream_is_current(const sapbuf_stream* stream) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_stream_bytes(const sapbuf_stream* stream) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_stream_max_message_bytes(const sapbuf_stream* stream) SAPBUF_NOEXCEPT; /* 0 for NULL */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_stream_get_options(const sapbuf_stream* stream,
                                                                    sapbuf_stream_options* options) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_stream_differences(const sapbuf_stream* stream, const sapbuf_stream_options* asked,
                                                     char* text, size_t size, size_t* length) SAPBUF_NOEXCEPT;

/* A reader whose place stays in the stream when it detaches or dies: see sapbuf_reader_options. */
typedef struct sapbuf_durable_reader {
  size_t struct_size;
  const char* name;
  uint64_t kept_bytes;      /* of slabs, that are kept for it while it is away */
  uint64_t behind_messages; /* that it has still to come to */
  uint64_t behind_bytes;    /* of their payload */
  uint64_t away_ms;         /* since it left or died */
  uint64_t max_bytes;       /* sapbuf_reader_options::durable_max_bytes, and durable_max_away_ns; 0: no limit */
  int64_t max_away_ns;
  uint32_t slot; /* of the reader that goes on by that name now */
  bool attached; /* there is one; otherwise it is away */
  bool has_away; /* otherwise it is attached, or left on the clock of another time namespace */
} sapbuf_durable_reader;

SAPBUF_C_INIT(sapbuf_durable_reader)

/* Calls `visit` with each of them, in no order, until it returns false: SAPBUF_ABANDONED then. What it is shown is valid during
   the call. */
SAPBUF_C_API sapbuf_status sapbuf_stream_durable_readers(const sapbuf_stream* stream,
                                                         bool (*visit)(void* context, const sapbuf_durable_reader*),
                                                         void* context) SAPBUF_NOEXCEPT;
/* Forgets where that one is, and lets go of what was kept for it. SAPBUF_NOT_FOUND, SAPBUF_BUSY while it is attached. */
SAPBUF_C_API sapbuf_status sapbuf_stream_remove_durable_reader(sapbuf_stream* stream, const char* name) SAPBUF_NOEXCEPT;

/* --- Writing: reserve, fill in place, commit or abort; one message, or a batch of them */

/* A participant of the stream. One thread at a time. Closing it aborts what is open; what was committed stays. */
typedef struct sapbuf_writer sapbuf_writer;

/* Policy block, of sapbuf_writer_options::timeout_ns: waits for nothing. */
#define SAPBUF_NO_WAIT INT64_C(-1)

typedef struct sapbuf_writer_options {
  size_t struct_size;
  const char* name;   /* for people; 63 bytes are kept. NULL: the program's name and pid */
  int64_t timeout_ns; /* policy block: how long to wait for space. 0: for ever; SAPBUF_NO_WAIT: not at all */
  const sapbuf_stop_flag* stop;
} sapbuf_writer_options;

SAPBUF_C_INIT(sapbuf_writer_options)

/* Of the segment's stream `main`, or of the stream. SAPBUF_REGISTRY_FULL, SAPBUF_UNSUPPORTED (no membarrier),
   SAPBUF_FORKED, SAPBUF_CORRUPT, SAPBUF_NOT_FOUND if there is no such stream (any more). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_open(sapbuf_segment* segment,
                                                             const sapbuf_writer_options* options,
                                                             sapbuf_writer** writer) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_open_on(sapbuf_stream* stream,
                                                                const sapbuf_writer_options* options,
                                                                sapbuf_writer** writer) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_writer_close(sapbuf_writer* writer) SAPBUF_NOEXCEPT;
/* Says that no more comes, and detaches: once all writers have left, and readers have read all, those are finished. Further
   calls answer SAPBUF_CLOSED; it is to be closed still. SAPBUF_ALREADY_RESERVED: commit or abort first, nothing was said. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_finish(sapbuf_writer* writer) SAPBUF_NOEXCEPT;
/* A descriptor to wait on, for poll, epoll or an event loop: readable when there may be room, until a reservation finds none
   (SAPBUF_FULL; SAPBUF_TIMEOUT with SAPBUF_NO_WAIT). The writer's own, as long as that is open: not to be read from or closed.
   The first call makes it, with a thread that sleeps in the kernel. -1, and the last error, for NULL; SAPBUF_FORKED,
   SAPBUF_RESOURCE_EXHAUSTED. So are those of the other handles, each for what it waits for. */
SAPBUF_C_API int sapbuf_writer_event_fd(sapbuf_writer* writer) SAPBUF_NOEXCEPT;
/* Index in the registry; all ones for NULL. */
SAPBUF_C_API uint32_t sapbuf_writer_slot(const sapbuf_writer* writer) SAPBUF_NOEXCEPT;

/* reserve, copy and commit in one. `message` may be NULL if `size` is 0. As sapbuf_writer_reserve(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_write(sapbuf_writer* writer, const void* message, size_t size,
                                                              uint16_t type) SAPBUF_NOEXCEPT;

/* Room for a message of `size` bytes, in shared memory, aligned to 8; undefined until it is written. `type` is the
   program's own. One reservation at a time, and a short one: it keeps its slab. Usually without a system call; where no
   slab is free it does what the stream's policy says. SAPBUF_FULL, SAPBUF_TIMEOUT, SAPBUF_STOPPED, SAPBUF_WOULD_DEADLOCK,
   SAPBUF_TOO_LARGE, SAPBUF_ALREADY_RESERVED, SAPBUF_FORKED, SAPBUF_CORRUPT, SAPBUF_DECLARED_DEAD. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_reserve(sapbuf_writer* writer, size_t size, uint16_t type,
                                                                void** payload) SAPBUF_NOEXCEPT;
/* Room for `messages` messages of `payload_bytes` in all, that are published together, or never: readers, and whoever comes
   after this writer's death, see all of them or none. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_reserve_batch(sapbuf_writer* writer, size_t messages,
                                                                      size_t payload_bytes) SAPBUF_NOEXCEPT;
/* The same where the sizes are known, and no byte too many is taken: of each of `messages`, or of all alike. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_reserve_batch_sizes(sapbuf_writer* writer, const size_t* sizes,
                                                                            size_t messages) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_reserve_batch_of(sapbuf_writer* writer, size_t messages,
                                                                         size_t bytes_each) SAPBUF_NOEXCEPT;
/* Room for the batch's next message, as sapbuf_writer_reserve(). SAPBUF_TOO_LARGE if it does not fit any more: then commit,
   and reserve another batch; SAPBUF_CLOSED if no batch is open. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_append(sapbuf_writer* writer, size_t size, uint16_t type,
                                                               void** payload) SAPBUF_NOEXCEPT;

/* Attaches a buffer of a pool of the same segment to the message that was reserved or appended last: it lives at least as
   long as that can be read, and `buffer` has it no more. Where it fails, `buffer` has it still, and the message is as it
   was. For the first buffer of a reservation there is always room; SAPBUF_ATTACHMENTS_FULL, SAPBUF_OTHER_SEGMENT,
   SAPBUF_CLOSED if nothing is reserved, or there is no buffer. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_writer_attach(sapbuf_writer* writer,
                                                               sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;

/* Publishes the message, or all that was appended to the batch. SAPBUF_CLOSED if nothing is open. */
SAPBUF_C_API sapbuf_status sapbuf_writer_commit(sapbuf_writer* writer) SAPBUF_NOEXCEPT;
/* Publishes the first `size` bytes of the message only, no more than were reserved. SAPBUF_CLOSED, also for a batch. */
SAPBUF_C_API sapbuf_status sapbuf_writer_commit_bytes(sapbuf_writer* writer, size_t size) SAPBUF_NOEXCEPT;
/* Gives the space back; counted as aborted. SAPBUF_CLOSED if nothing is open. */
SAPBUF_C_API sapbuf_status sapbuf_writer_abort(sapbuf_writer* writer) SAPBUF_NOEXCEPT;

#include <sapbuf/c/writer_inline.h>

/* --- Reading: wait, pin what is there, look at it in place, unpin
     while (sapbuf_reader_wait(reader, SAPBUF_FOREVER) == SAPBUF_OK && sapbuf_reader_pin(reader) == SAPBUF_OK) {
       for (sapbuf_frame frame; sapbuf_reader_next(reader, &frame);) use(frame.data, frame.size);
       sapbuf_reader_unpin(reader);
     } */

/* A participant of the stream. One thread at a time. Lossless unless the stream's policy is to overwrite: while it is
   there, no message behind its position goes away. */
typedef struct sapbuf_reader sapbuf_reader;

typedef enum sapbuf_from {
  SAPBUF_FROM_OLDEST = 0, /* everything that still stands in the stream */
  SAPBUF_FROM_NEWEST = 1  /* only what is committed after the reader attached */
} sapbuf_from;

/* How long a frame stays where it is, in streams that overwrite; in others it always stays as long as the range. */
typedef enum sapbuf_keep {
  SAPBUF_KEEP_RANGE = 0, /* until sapbuf_reader_unpin(): all slabs that the range goes through are pinned */
  SAPBUF_KEEP_FRAME = 1  /* until the next sapbuf_reader_next(): one slab is pinned at a time */
} sapbuf_keep;

typedef struct sapbuf_reader_options {
  size_t struct_size;
  const char* name; /* as sapbuf_writer_options::name */
  const sapbuf_stop_flag* stop;
  uint32_t from;       /* sapbuf_from */
  uint32_t keep;       /* sapbuf_keep */
  bool until_finished; /* waits end also when no more comes, with SAPBUF_FINISHED */
  /* The place that it has come to stays in the stream under its name, and the next durable reader of that name goes on there:
     every message comes at least once, and once if nobody died. Needs room (sapbuf_stream_options::durable_readers), a name,
     and at most one live reader of it: SAPBUF_INVALID_ARGUMENT, SAPBUF_REGISTRY_FULL, SAPBUF_BUSY. */
  bool durable;
  /* As the reader says that came last by that name. That the stream keeps for it while it is away, in whole slabs, with the one that is being filled; 0: all. */
  uint64_t durable_max_bytes;
  int64_t durable_max_away_ns; /* for so long; 0: for ever */
} sapbuf_reader_options;

SAPBUF_C_INIT(sapbuf_reader_options)

/* Where a message stands in its stream. No other one of that stream has, had or will have the same: a position may be
   stored, and compared, by generation first. They grow in the order of the stream; in per-writer order, of each writer. */
typedef struct sapbuf_position {
  uint64_t generation; /* of the slab; 0: no message has this position */
  uint64_t offset;     /* of the message's header in the slab, in bytes */
} sapbuf_position;

/* One committed message, in place. */
typedef struct sapbuf_frame {
  const void* data; /* aligned to 8 bytes */
  size_t size;
  uint16_t type;
  uint16_t reserved[3];
} sapbuf_frame;

/* Of the segment's stream `main`, or of the stream. SAPBUF_REGISTRY_FULL, SAPBUF_BUSY (a live process holds the
   maintenance lock), SAPBUF_FORKED, SAPBUF_CORRUPT, SAPBUF_NOT_FOUND if there is no such stream (any more). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_open(sapbuf_segment* segment,
                                                             const sapbuf_reader_options* options,
                                                             sapbuf_reader** reader) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_open_on(sapbuf_stream* stream,
                                                                const sapbuf_reader_options* options,
                                                                sapbuf_reader** reader) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_reader_close(sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* The same, but a durable reader leaves as if its process was killed: what the range that is pinned handed out counts as
   not read, and comes again to the next one of its name. */
SAPBUF_C_API void sapbuf_reader_abandon(sapbuf_reader* reader) SAPBUF_NOEXCEPT;

/* Until there is something to read: SAPBUF_OK. SAPBUF_TIMEOUT, SAPBUF_STOPPED, SAPBUF_FINISHED, SAPBUF_FORKED,
   SAPBUF_CORRUPT, SAPBUF_BUSY while a range is pinned. Spins briefly, then sleeps; runs recovery by itself. A signal handler that returns does not
   end it, unless it raises the stop flag. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_wait(sapbuf_reader* reader, int64_t timeout_ns) SAPBUF_NOEXCEPT;
/* As sapbuf_writer_event_fd(): readable when there may be something to read, until sapbuf_reader_pin() or sapbuf_reader_wait()
   finds nothing; with until_finished at the end, too. SAPBUF_BUSY while a range is pinned. */
SAPBUF_C_API int sapbuf_reader_event_fd(sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* Begins a range of what can be read now. SAPBUF_NOT_FOUND if there is nothing, SAPBUF_BUSY while there is a range already,
   SAPBUF_FORKED, SAPBUF_CORRUPT. While it is pinned, a writer of this thread that would have to wait for it answers
   SAPBUF_WOULD_DEADLOCK. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_pin(sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* The range's next message: it is delivered with that, and stays where it is until the range is unpinned (or as
   sapbuf_keep says). False, and an empty frame, behind the last one, and without a range. */
SAPBUF_C_API bool sapbuf_reader_next(sapbuf_reader* reader, sapbuf_frame* frame) SAPBUF_NOEXCEPT;
/* The same of up to `most` at once: how many. Not for SAPBUF_KEEP_FRAME, with which only the last one is sure to be there. */
SAPBUF_C_API size_t sapbuf_reader_next_many(sapbuf_reader* reader, sapbuf_frame* frames, size_t most) SAPBUF_NOEXCEPT;
/* The buffers that are attached to a message of the range, in order: the first `most` of them; how many there are in all.
   They are kept as long as the message is: adopt what is to be kept for longer (sapbuf_pool_user_adopt()), look at it
   meanwhile (sapbuf_pool_view()). `references` may be NULL if `most` is 0. */
SAPBUF_C_API size_t sapbuf_reader_attachments(sapbuf_reader* reader, const sapbuf_frame* frame,
                                              sapbuf_buffer_reference* references, size_t most) SAPBUF_NOEXCEPT;
/* Of a message of the range; all zero without one. */
SAPBUF_C_API sapbuf_position sapbuf_reader_position(sapbuf_reader* reader, const sapbuf_frame* frame) SAPBUF_NOEXCEPT;
/* Ends the range. What was not come to comes again with the next one. */
SAPBUF_C_API void sapbuf_reader_unpin(sapbuf_reader* reader) SAPBUF_NOEXCEPT;

/* Whether all has been read, and no more comes: a writer finished, and none is attached any more. A writer that comes later,
   before it has left too, makes it false again. Otherwise as sapbuf_reader_pin(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_is_finished(sapbuf_reader* reader,
                                                                    bool* finished) SAPBUF_NOEXCEPT;
/* Leaves out all that can be read now but the newest message (in per-writer order: of each writer). `*skipped`, which may be
   NULL: how many. As sapbuf_reader_pin(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_skip_to_newest(sapbuf_reader* reader,
                                                                       uint64_t* skipped) SAPBUF_NOEXCEPT;

/* Whether the segment still has its name: as sapbuf_segment_is_current(). */
SAPBUF_C_API bool sapbuf_reader_is_current(const sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* Since this reader attached: committed = delivered + lost + skipped + what it has still to come to. Messages; 0 for NULL. */
SAPBUF_C_API uint64_t sapbuf_reader_delivered(const sapbuf_reader* reader) SAPBUF_NOEXCEPT; /* of ranges that ended */
SAPBUF_C_API uint64_t sapbuf_reader_lost(const sapbuf_reader* reader) SAPBUF_NOEXCEPT; /* overwritten before it came */
SAPBUF_C_API uint64_t sapbuf_reader_skipped(const sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* Messages committed before this reader attached that it does not get. SAPBUF_NOT_FOUND if nobody counted them: in total
   order, unless the stream overwrites. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reader_missed_before(const sapbuf_reader* reader,
                                                                      uint64_t* messages) SAPBUF_NOEXCEPT;
/* Whether there were some, also where nobody counted them; false for NULL. */
SAPBUF_C_API bool sapbuf_reader_missed_any(const sapbuf_reader* reader) SAPBUF_NOEXCEPT;
/* Index in the registry; all ones for NULL. */
SAPBUF_C_API uint32_t sapbuf_reader_slot(const sapbuf_reader* reader) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
