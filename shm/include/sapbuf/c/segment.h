/* A segment: one shared-memory object, mapped into this process. */
#ifndef SAPBUF_C_SEGMENT_H
#define SAPBUF_C_SEGMENT_H

#include <sapbuf/c/status.h>

SAPBUF_C_BEGIN

/* A shared handle, for any number of threads. */
typedef struct sapbuf_segment sapbuf_segment;

/* In which order a stream's messages are delivered: each writer's own, or one for all readers. */
typedef enum sapbuf_order { SAPBUF_ORDER_PER_WRITER = 0, SAPBUF_ORDER_TOTAL = 1 } sapbuf_order;

/* What a writer, or a producer, does when there is no room: waits; drops what is new, and counts it; or (streams) takes the
   oldest slab that nobody has pinned, so that slow readers lose what is in it, and learn how much. */
typedef enum sapbuf_on_full {
  SAPBUF_ON_FULL_BLOCK = 0,
  SAPBUF_ON_FULL_DROP = 1,
  SAPBUF_ON_FULL_OVERWRITE = 2
} sapbuf_on_full;

/* How the common path orders its stores before its loads: by membarrier(2) on the rare side, or, where that is not
   allowed, by full fences on both. */
typedef enum sapbuf_fences { SAPBUF_FENCES_MEMBARRIER = 0, SAPBUF_FENCES_FULL = 1 } sapbuf_fences;

/* What concerns all of a segment, and the stream `main` that it is made with. Zero in any field: the default. */
typedef struct sapbuf_segment_options {
  size_t struct_size;
  uint32_t slabs;        /* 2 to 64; default 2 */
  uint32_t participants; /* handles of all its facilities, attached at once, 1 to 1024; default 64 */
  uint64_t slab_bytes;   /* 4 KiB to 4 GiB, a multiple of 4096; default 1 MiB */
  uint64_t extent_bytes; /* per-writer order: a divisor of slab_bytes; default 16 KiB, or a quarter of a smaller slab */
  uint32_t order;        /* sapbuf_order */
  uint32_t on_full;      /* sapbuf_on_full */
  uint32_t fences;       /* sapbuf_fences */
  uint32_t mode;         /* permissions of the shared-memory object; default 0600 */
  uint32_t
      attachments;     /* buffers of pools that may be attached to the messages of one slab, 1 to 7167; default: one for
                            each KiB, 16 at the least */
  bool retain;         /* policy block: nothing is reclaimed before a first reader has attached */
  bool no_main_stream; /* it is made without a stream, and the options of one say nothing */
  uint32_t payload_alignment; /* each payload begins at a multiple of it: 8, 16, 32 or 64; default 8. Above 8 a message
                                 takes its payload and 8 bytes, rounded up to a multiple of it */
  uint32_t durable_readers;   /* that there is room for, up to 64: see sapbuf_reader_options */
} sapbuf_segment_options;

SAPBUF_C_INIT(sapbuf_segment_options)

/* Names have 1 to 200 bytes and no '/'; the object is /dev/shm/sapbuf.NAME. All space is allocated now. It gets its name
   when it is whole: a creator that fails or is killed leaves nothing. SAPBUF_EXISTS, SAPBUF_NO_SPACE,
   SAPBUF_PERMISSION_DENIED, SAPBUF_INVALID_ARGUMENT for options that cannot work. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_create(const char* name, const sapbuf_segment_options* options,
                                                                sapbuf_segment** segment) SAPBUF_NOEXCEPT;
/* SAPBUF_NOT_FOUND, SAPBUF_INCOMPATIBLE, SAPBUF_CORRUPT, SAPBUF_PERMISSION_DENIED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_open(const char* name,
                                                              sapbuf_segment** segment) SAPBUF_NOEXCEPT;
/* The segment as it stands if there is one (sapbuf_segment_differences() tells), a new one otherwise. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_open_or_create(const char* name,
                                                                        const sapbuf_segment_options* options,
                                                                        sapbuf_segment** segment) SAPBUF_NOEXCEPT;
/* Takes the name away; who is attached keeps what he has until he lets go. SAPBUF_NOT_FOUND if there was none,
   SAPBUF_PERMISSION_DENIED, SAPBUF_INCOMPATIBLE for what is no regular file. */
SAPBUF_C_API sapbuf_status sapbuf_segment_remove(const char* name) SAPBUF_NOEXCEPT;
/* Calls `visit` with the name of each sapbuf segment on this host, sorted, until it returns false: SAPBUF_ABANDONED then.
   `name` is valid during the call. */
SAPBUF_C_API sapbuf_status sapbuf_segment_list(bool (*visit)(void* context, const char* name),
                                               void* context) SAPBUF_NOEXCEPT;

/* Memory that the caller supplies instead: `bytes` bytes at `memory`, aligned to 64, which must outlive every handle;
   sapbuf_segment_bytes_needed() says how many it takes. `descriptor`: a file or memfd that it maps from offset 0, open for
   writing; then processes can share it. -1: it belongs to this process alone. Creating overwrites what the memory held as far
   as that goes; what lies beyond stays, and a pool that is made there finds it in its buffers, whose bytes the library never
   reads or writes. SAPBUF_BUSY where a participant is attached to a segment in it. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_create_in(void* memory, size_t bytes, int descriptor,
                                                                   const sapbuf_segment_options* options,
                                                                   sapbuf_segment** segment) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_open_in(void* memory, size_t bytes, int descriptor,
                                                                 sapbuf_segment** segment) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_bytes_needed(const sapbuf_segment_options* options,
                                                                      size_t* bytes) SAPBUF_NOEXCEPT;

SAPBUF_C_API void sapbuf_segment_close(sapbuf_segment* segment) SAPBUF_NOEXCEPT;

/* Lasts as long as the handle; empty for memory that the caller supplied, and for NULL. */
SAPBUF_C_API const char* sapbuf_segment_name(const sapbuf_segment* segment) SAPBUF_NOEXCEPT;
/* Whether the call that gave this handle made the segment. */
SAPBUF_C_API bool sapbuf_segment_created(const sapbuf_segment* segment) SAPBUF_NOEXCEPT;
/* Whether the name still refers to this very segment. Asks the system (some microseconds). True for memory that the caller
   supplied. */
SAPBUF_C_API bool sapbuf_segment_is_current(const sapbuf_segment* segment) SAPBUF_NOEXCEPT;
/* Bytes of memory that it takes now; 0 for NULL. */
SAPBUF_C_API size_t sapbuf_segment_bytes(const sapbuf_segment* segment) SAPBUF_NOEXCEPT;
/* Of a message of its stream `main`; SAPBUF_NOT_FOUND if there is none. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_max_message_bytes(const sapbuf_segment* segment,
                                                                           size_t* bytes) SAPBUF_NOEXCEPT;
/* As it was made. `options->struct_size` says how much of them is wanted. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_segment_get_options(const sapbuf_segment* segment,
                                                                     sapbuf_segment_options* options) SAPBUF_NOEXCEPT;
/* What is otherwise than `asked`, in words, "slabs 2, not 8; order total, not per-writer": written to `text` with a final
   zero as far as `size` goes. `*length` is what all of it takes, without the zero; 0: nothing is. `length` may be NULL. */
SAPBUF_C_API sapbuf_status sapbuf_segment_differences(const sapbuf_segment* segment,
                                                      const sapbuf_segment_options* asked, char* text, size_t size,
                                                      size_t* length) SAPBUF_NOEXCEPT;

/* Something that lives in a segment. Valid during the call that it is shown in. */
typedef struct sapbuf_facility_info {
  size_t struct_size;
  const char* kind;    /* "stream", "pool", "map", "queue", "cell"; "unknown" for one that a newer version made */
  const char* name;    /* unique in its segment */
  uint64_t offset;     /* of its region, in bytes from the segment's beginning */
  uint64_t bytes;      /* of its region */
  uint64_t most_bytes; /* that the region may grow to */
  uint64_t created_ns; /* wall clock */
} sapbuf_facility_info;

/* Calls `visit` for each, in the order of their places in the directory, until it returns false: SAPBUF_ABANDONED then. */
SAPBUF_C_API sapbuf_status sapbuf_segment_facilities(const sapbuf_segment* segment,
                                                     bool (*visit)(void* context, const sapbuf_facility_info* facility),
                                                     void* context) SAPBUF_NOEXCEPT;

/* From now on this process survives that a peer truncates a segment that it has open: what it has mapped of it reads as
   private zeros, and calls answer SAPBUF_CORRUPT. Installs a handler for SIGBUS, for good, which passes on what is not its
   own. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_survive_truncation(void) SAPBUF_NOEXCEPT;
/* Whether that has happened to the segment in this process. */
SAPBUF_C_API bool sapbuf_segment_was_truncated(const sapbuf_segment* segment) SAPBUF_NOEXCEPT;
/* Whether the slabs of streams and the buffers of pools that this process maps from now on stand in its core files. They do
   not by default. */
SAPBUF_C_API void sapbuf_set_slabs_in_core_dumps(bool keep) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
