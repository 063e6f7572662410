/* Pools: buffers that are acquired in one process and freed in another, whoever dies. */
#ifndef SAPBUF_C_POOL_H
#define SAPBUF_C_POOL_H

#include <sys/uio.h>

#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* A shared handle, for any number of threads. */
typedef struct sapbuf_pool sapbuf_pool;

/* Who lets a pool grow when no buffer is free, and is charged for the memory. */
typedef enum sapbuf_grow { SAPBUF_GROW_ANYONE = 0, SAPBUF_GROW_CREATOR = 1, SAPBUF_GROW_NOBODY = 2 } sapbuf_grow;

typedef struct sapbuf_pool_options {
  size_t struct_size;
  uint64_t buffer_bytes; /* 1 byte to 1 GiB; default 4096 */
  uint64_t
      min_bytes; /* unless max_bytes is 0, buffers of any size between these, as from a heap, instead; default 16 */
  uint64_t max_bytes;
  uint64_t count;     /* buffers at first, or of the smallest size, in the room of which all come; default 64 */
  uint64_t max_count; /* that it may grow to, when somebody needs one and none is free; default: count */
  uint64_t alignment; /* of each buffer, in every process: a power of two from 8 to 2 MiB; default 64 */
  uint32_t grow;      /* sapbuf_grow */
} sapbuf_pool_options;

SAPBUF_C_INIT(sapbuf_pool_options)

/* Sets `options` for buffers from `min_bytes` to `max_bytes`, in so many bytes, growing up to `most_bytes` (0: not).
   `options->struct_size` must be set. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_options_for_sizes(sapbuf_pool_options* options,
                                                                        uint64_t min_bytes, uint64_t max_bytes,
                                                                        uint64_t bytes,
                                                                        uint64_t most_bytes) SAPBUF_NOEXCEPT;

/* As the calls of these names for streams. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_create(sapbuf_segment* segment, const char* name,
                                                             const sapbuf_pool_options* options,
                                                             sapbuf_pool** pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_open(sapbuf_segment* segment, const char* name,
                                                           sapbuf_pool** pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_open_or_create(sapbuf_segment* segment, const char* name,
                                                                     const sapbuf_pool_options* options,
                                                                     sapbuf_pool** pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_pool_remove(sapbuf_segment* segment, const char* name) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_pool_close(sapbuf_pool* pool) SAPBUF_NOEXCEPT;

SAPBUF_C_API const char* sapbuf_pool_name(const sapbuf_pool* pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_pool_created(const sapbuf_pool* pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_pool_is_current(const sapbuf_pool* pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_pool_bytes(const sapbuf_pool* pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_get_options(const sapbuf_pool* pool,
                                                                  sapbuf_pool_options* options) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_pool_differences(const sapbuf_pool* pool, const sapbuf_pool_options* asked,
                                                   char* text, size_t size, size_t* length) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint64_t sapbuf_pool_count(const sapbuf_pool* pool) SAPBUF_NOEXCEPT; /* buffers that there are now */
/* Lets it grow until there are so many, whatever its options say: ahead of need, or by a process that is to be charged for
   it. SAPBUF_INVALID_ARGUMENT for more than max_count, SAPBUF_NO_SPACE, SAPBUF_BUSY, SAPBUF_RESOURCE_EXHAUSTED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_grow_to(sapbuf_pool* pool, uint64_t count) SAPBUF_NOEXCEPT;
/* Gives the memory of buffers that nobody uses back to the system, 64 buffers at a time. `*bytes`, which may be NULL: how
   much that was. They are allocated anew before anybody gets them. */
SAPBUF_C_API sapbuf_status sapbuf_pool_trim(sapbuf_pool* pool, uint64_t* bytes) SAPBUF_NOEXCEPT;

/* Names a shared buffer at one time of its life, for whoever is to have it next: it may travel by any means, between
   processes that have the segment. It keeps nothing. All zero: it names none. */
typedef struct sapbuf_buffer_reference {
  uint64_t where; /* segment and pool */
  uint32_t index;
  uint32_t incarnation;
} sapbuf_buffer_reference;

/* The buffer that the reference names, where it is, for those who only look, and are no users of the pool. It stays what it
   is for as long as somebody else keeps it, as a message does that is pinned. SAPBUF_STALE if it was freed, is not shared,
   or is of another pool; SAPBUF_FORKED, SAPBUF_RESOURCE_EXHAUSTED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_view(const sapbuf_pool* pool,
                                                           const sapbuf_buffer_reference* reference, const void** data,
                                                           size_t* size) SAPBUF_NOEXCEPT;

/* --- Users and their buffers */

/* A participant of the pool. One thread at a time. What it acquired may outlive it. */
typedef struct sapbuf_pool_user sapbuf_pool_user;

typedef struct sapbuf_pool_user_options {
  size_t struct_size;
  const char* name; /* for people; 63 bytes are kept. NULL: the program's name and pid */
  uint64_t budget;  /* buffers that it can hold at once, adopted ones included; default: as many as there are */
  const sapbuf_stop_flag* stop;
} sapbuf_pool_user_options;

SAPBUF_C_INIT(sapbuf_pool_user_options)

/* A buffer that a user has; `data` is NULL if there is none here. It belongs to its user's thread, but may be released on
   any. What it is given for is overwritten without a look: release it before it is used for another one. */
typedef struct sapbuf_buffer {
  void* data;  /* aligned as the pool says; what stands in it when it was acquired is what others left */
  size_t size; /* with size classes: of its class, which may be more than was asked for */
  uint64_t reserved[6];
} sapbuf_buffer;

/* SAPBUF_REGISTRY_FULL, SAPBUF_BUSY, SAPBUF_FORKED, SAPBUF_NOT_FOUND if there is no such pool (any more),
   SAPBUF_RESOURCE_EXHAUSTED, SAPBUF_UNSUPPORTED (no membarrier). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_open(sapbuf_pool* pool,
                                                                const sapbuf_pool_user_options* options,
                                                                sapbuf_pool_user** user) SAPBUF_NOEXCEPT;
/* It detaches now, or when the last of its buffers goes. */
SAPBUF_C_API void sapbuf_pool_user_close(sapbuf_pool_user* user) SAPBUF_NOEXCEPT;
/* As sapbuf_writer_event_fd(): readable when there may be a buffer, until the pool is found exhausted; and every 100 ms, or
   second, for what nobody tells of. From then on this user is one of those who wait, and what it is given is kept for its
   next acquisition; with size classes it is told of what others let go of, and has no turn before those who wait. */
SAPBUF_C_API int sapbuf_pool_user_event_fd(sapbuf_pool_user* user) SAPBUF_NOEXCEPT;
/* Index in the registry; all ones for NULL. */
SAPBUF_C_API uint32_t sapbuf_pool_user_slot(const sapbuf_pool_user* user) SAPBUF_NOEXCEPT;

/* A buffer that nobody else has. SAPBUF_EXHAUSTED, SAPBUF_OVER_BUDGET, SAPBUF_FORKED, SAPBUF_DECLARED_DEAD,
   SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_acquire(sapbuf_pool_user* user,
                                                                   sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;
/* The same of `bytes` or somewhat more, of a pool of any size; SAPBUF_TOO_LARGE if it has none as large. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_acquire_bytes(sapbuf_pool_user* user, uint64_t bytes,
                                                                         sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;
/* Wait for one, in the order in which they came: also SAPBUF_TIMEOUT, SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_acquire_for(sapbuf_pool_user* user, int64_t timeout_ns,
                                                                       sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_acquire_bytes_for(sapbuf_pool_user* user, uint64_t bytes,
                                                                             int64_t timeout_ns,
                                                                             sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;
/* The buffer that the reference names, if it was not freed yet: SAPBUF_STALE otherwise, and for those of other pools;
   SAPBUF_OVER_BUDGET. Sure to be there while whoever gave the reference holds it. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_adopt(sapbuf_pool_user* user,
                                                                 const sapbuf_buffer_reference* reference,
                                                                 sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;

/* Makes it one that others may adopt, and names it; the same name at each call. From then on it is free when nobody holds
   it and somebody needs it. SAPBUF_CLOSED if there is none here, SAPBUF_OVER_BUDGET if its user holds 248 shared ones. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_buffer_share(sapbuf_buffer* buffer,
                                                              sapbuf_buffer_reference* reference) SAPBUF_NOEXCEPT;
/* Lets go of it, on any thread; nothing if there is none here. */
SAPBUF_C_API void sapbuf_buffer_release(sapbuf_buffer* buffer) SAPBUF_NOEXCEPT;

/* --- Runs: adjacent buffers as one allocation */

/* Its user's thread's, but may be released on any; may outlive the user. */
typedef struct sapbuf_run sapbuf_run;

/* `buffers` adjacent ones, at once or not at all: as sapbuf_pool_user_acquire(), and SAPBUF_TOO_LARGE for 0 or more than
   the pool's max_count. With size classes: of the smallest one. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_pool_user_acquire_run(sapbuf_pool_user* user, uint32_t buffers,
                                                                       sapbuf_run** run) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_run_count(const sapbuf_run* run) SAPBUF_NOEXCEPT; /* buffers; 0 for NULL */
/* Buffer `number`, from 0, and its size, which may be NULL. NULL if there is no such one. */
SAPBUF_C_API void* sapbuf_run_part(const sapbuf_run* run, size_t number, size_t* size) SAPBUF_NOEXCEPT;
/* All of it for readv(2) and writev(2), in as few pieces as it takes: `*pieces` of them, valid until it is released. The
   system takes 1,024 at once (IOV_MAX). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_run_iovecs(sapbuf_run* run, const struct iovec** iovecs,
                                                            size_t* pieces) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_run_release(sapbuf_run* run) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
