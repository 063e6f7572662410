/* Looking at a segment from outside: nothing is attached, nothing is written. Snapshots of all that it holds; and one by one,
   a queue's blocks, a stream's frames, and the parts that the memory has. */
#ifndef SAPBUF_C_INSPECT_H
#define SAPBUF_C_INSPECT_H

#include <sapbuf/c/queue.h>
#include <sapbuf/c/snapshot.h>
#include <sapbuf/c/snapshot_facility.h>
#include <sapbuf/c/stream.h>

SAPBUF_C_BEGIN

/* --- Blocks of a queue */

/* Somebody who had a block, and was not done with it. */
typedef struct sapbuf_delivery_record {
  size_t struct_size;
  const char* name;
  uint64_t at_ns; /* wall clock */
  int32_t pid;
  bool died; /* otherwise it was put back */
} sapbuf_delivery_record;

/* A block as one group has it before itself. Valid during the call that it is shown in. */
typedef struct sapbuf_queue_block {
  size_t struct_size;
  const char* state;   /* "queued", "returned", "held", "dead" */
  const char* holder;  /* of one that is held; empty otherwise */
  const void* content; /* the beginning of it */
  size_t content_size;
  const sapbuf_delivery_record* const* notes; /* the oldest one first; as many as the queue keeps */
  size_t note_count;
  uint64_t position; /* in the queue's order */
  uint64_t key;
  uint64_t bytes;     /* that its producer used */
  uint64_t age_ms;    /* since it was released */
  uint64_t due_in_ms; /* of one that was put back with a delay */
  uint32_t group;
  uint32_t deliveries;
  uint16_t type;
  bool has_key; /* otherwise it has none */
} sapbuf_queue_block;

/* Calls `visit` with each block, by groups, in the queue's order, with up to `content_bytes` of each, until it returns false:
   SAPBUF_ABANDONED then. Takes nothing away from anybody. SAPBUF_FORKED, SAPBUF_CORRUPT, SAPBUF_RESOURCE_EXHAUSTED. */
SAPBUF_C_API sapbuf_status sapbuf_queue_list_blocks(const sapbuf_queue* queue, size_t content_bytes,
                                                    bool (*visit)(void* context, const sapbuf_queue_block* block),
                                                    void* context) SAPBUF_NOEXCEPT;

/* --- Frames of a stream */

/* One frame as it stands in a slab. Valid during the call that it is shown in. */
typedef struct sapbuf_frame_record {
  size_t struct_size;
  const char* kind;    /* "message", "busy", "nop", "extent", "hole", "open" */
  const void* payload; /* of a message */
  size_t payload_size;
  uint64_t generation;
  uint64_t offset; /* in the slab */
  uint64_t span;   /* bytes from this header to the next */
  uint32_t slab;
  uint32_t owner; /* slot: of an extent or a busy frame */
  uint16_t type;  /* of a message */
} sapbuf_frame_record;

/* Calls `visit` for every frame of every slab, oldest generation first, until it returns false: SAPBUF_ABANDONED then. Works
   on a segment whose processes are all dead. SAPBUF_CORRUPT where the bytes make no sense. A slab that is flipped meanwhile
   is left at the next frame. */
SAPBUF_C_API sapbuf_status sapbuf_stream_dump(const sapbuf_stream* stream,
                                              bool (*visit)(void* context, const sapbuf_frame_record* frame),
                                              void* context) SAPBUF_NOEXCEPT;
/* The same of a segment that is not open here: it is enough that it may be read. `stream`: NULL is `main`. Also as
   sapbuf_segment_open(). */
SAPBUF_C_API sapbuf_status sapbuf_stream_dump_by_name(const char* segment, const char* stream,
                                                      bool (*visit)(void* context, const sapbuf_frame_record* frame),
                                                      void* context) SAPBUF_NOEXCEPT;

/* --- Parts of the memory */

/* The common ones, and those of each facility's region. Valid during the call that it is shown in. */
typedef struct sapbuf_segment_part {
  size_t struct_size;
  const char* facility; /* its name; empty for a part that is the segment's own */
  const char* what;     /* "extent tables" */
  uint64_t offset;      /* from the segment's first byte */
  uint64_t bytes;
} sapbuf_segment_part;

/* Calls `visit` with each, in the order of the offsets, until it returns false: SAPBUF_ABANDONED then. Between two parts
   there may be room that nothing uses: a region that was removed, or what one may grow to. As sapbuf_inspect(). */
SAPBUF_C_API sapbuf_status sapbuf_segment_layout(const sapbuf_segment* segment,
                                                 bool (*visit)(void* context, const sapbuf_segment_part* part),
                                                 void* context) SAPBUF_NOEXCEPT;
/* As sapbuf_inspect_by_name(). */
SAPBUF_C_API sapbuf_status sapbuf_segment_layout_by_name(const char* name,
                                                         bool (*visit)(void* context, const sapbuf_segment_part* part),
                                                         void* context) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
