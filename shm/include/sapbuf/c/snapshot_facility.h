/* What a snapshot says of streams, pools, maps, queues and cells. */
#ifndef SAPBUF_C_SNAPSHOT_FACILITY_H
#define SAPBUF_C_SNAPSHOT_FACILITY_H

#include <sapbuf/c/map.h>
#include <sapbuf/c/pool.h>
#include <sapbuf/c/queue.h>
#include <sapbuf/c/snapshot.h>
#include <sapbuf/c/stream.h>

SAPBUF_C_BEGIN

/* --- Streams */

typedef struct sapbuf_stream_snapshot {
  size_t struct_size;
  uint64_t generation;            /* the active one */
  uint64_t finished_writers;      /* that said that no more comes from them */
  uint64_t departed_participants; /* that left or died */
  size_t slabs;                   /* that there are */
  size_t durable_readers;         /* that there are */
  bool awaits_first_reader;       /* sapbuf_stream_options::retain, and no reader has come yet: nothing is reclaimed */
} sapbuf_stream_snapshot;

SAPBUF_C_INIT(sapbuf_stream_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_stream(const sapbuf_snapshot* snapshot, size_t facility,
                                                                     sapbuf_stream_snapshot* stream) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_stream_options(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_stream_options* options) SAPBUF_NOEXCEPT;
/* Of all participants that left or died. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_stream_departed(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_stream_ledger* ledger) SAPBUF_NOEXCEPT;

typedef struct sapbuf_slab_snapshot {
  size_t struct_size;
  const char* state; /* "free", "active", "sealed", "cleaning" */
  /* Names of readers that hold or pin it, durable ones that are away too, and of writers with an extent or frame open in it. */
  const char* const* held_by;
  size_t held_by_count;
  uint64_t generation; /* 0: never used */
  uint64_t used_bytes; /* claimed */
  uint64_t capacity_bytes;
} sapbuf_slab_snapshot;

SAPBUF_C_INIT(sapbuf_slab_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_slab(const sapbuf_snapshot* snapshot, size_t facility,
                                                                   size_t slab,
                                                                   sapbuf_slab_snapshot* seen) SAPBUF_NOEXCEPT;

/* In no order. Without lags (sapbuf_inspect_options::no_lag), none of them is behind. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_durable_reader(
    const sapbuf_snapshot* snapshot, size_t facility, size_t reader, sapbuf_durable_reader* seen) SAPBUF_NOEXCEPT;

/* --- Pools */

/* With size classes, `count`, `free` and `unbacked` are in pieces of the smallest size; what blocks leave over is in none of
   them. */
typedef struct sapbuf_pool_snapshot {
  size_t struct_size;
  uint64_t count;    /* buffers that there are */
  uint64_t in_use;   /* that one user has for himself, and uses */
  uint64_t cached;   /* free ones that users have at hand */
  uint64_t shared;   /* that were shared, and not freed yet: some may be held by nobody */
  uint64_t free;     /* of count */
  uint64_t unbacked; /* of these: their memory is the system's, until somebody needs it (sapbuf_pool_trim()) */
  uint64_t in_use_bytes;
  uint64_t cached_bytes;
  uint64_t shared_bytes;
  uint64_t piece_bytes; /* of each of count: a buffer, or one of the smallest size, as it is aligned */
  uint64_t acquired;    /* so far, by users that are there */
  uint64_t waits;       /* so far, for a buffer */
  uint64_t waiting;     /* users that wait now */
  /* The most buffers that were not free at a time, those at hand included. It is told in batches, behind what leaves the
     pool: so it may be too small by what was under way, also when a user was killed. */
  uint64_t peak;
  uint64_t grown; /* buffers that there are more than at first */
  uint64_t departed_users;
  size_t classes; /* that it has blocks for; 0 if there is one size */
  size_t holders; /* that there are */
} sapbuf_pool_snapshot;

SAPBUF_C_INIT(sapbuf_pool_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool(const sapbuf_snapshot* snapshot, size_t facility,
                                                                   sapbuf_pool_snapshot* pool) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool_options(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_pool_options* options) SAPBUF_NOEXCEPT;
/* Of all users that are there. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool_present(const sapbuf_snapshot* snapshot,
                                                                           size_t facility,
                                                                           sapbuf_pool_ledger* ledger) SAPBUF_NOEXCEPT;
/* Of all that left or died. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool_departed(const sapbuf_snapshot* snapshot,
                                                                            size_t facility,
                                                                            sapbuf_pool_ledger* ledger) SAPBUF_NOEXCEPT;

/* The buffers of one size, that the pool has blocks for. */
typedef struct sapbuf_pool_class {
  size_t struct_size;
  uint64_t bytes;   /* of each */
  uint64_t buffers; /* that there are */
  uint64_t free;    /* of these */
} sapbuf_pool_class;

SAPBUF_C_INIT(sapbuf_pool_class)

/* By size. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool_class(const sapbuf_snapshot* snapshot,
                                                                         size_t facility, size_t number,
                                                                         sapbuf_pool_class* seen) SAPBUF_NOEXCEPT;

/* Somebody who keeps buffers from others: who has them for himself, or shares them. What he has at hand does not count, for
   others may take that. */
typedef struct sapbuf_pool_holder {
  size_t struct_size;
  const char* name;
  uint64_t buffers;
  uint64_t bytes;
  /* How long it has had its oldest one, modulo 2^32: true to some milliseconds. A buffer that was shared counts from then on,
     also for those who adopted it; one that its user released and acquired again from what it had at hand, from the first
     time. 0 for those in another time namespace. */
  uint64_t oldest_ms;
  uint32_t slot;
} sapbuf_pool_holder;

SAPBUF_C_INIT(sapbuf_pool_holder)

/* By slot. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_pool_holder(const sapbuf_snapshot* snapshot,
                                                                          size_t facility, size_t holder,
                                                                          sapbuf_pool_holder* seen) SAPBUF_NOEXCEPT;

/* --- Maps. What there is of its values, and who keeps old versions, is told by its pool, and its participants */

typedef struct sapbuf_map_snapshot {
  size_t struct_size;
  const char* pool; /* the name of the one that it has its values in */
  uint64_t keys;    /* that there are */
  uint64_t room;    /* for so many keys, now */
  uint64_t changes; /* so far; one that its editor died of may count twice */
  uint64_t departed_participants;
} sapbuf_map_snapshot;

SAPBUF_C_INIT(sapbuf_map_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_map(const sapbuf_snapshot* snapshot, size_t facility,
                                                                  sapbuf_map_snapshot* map) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_map_options(const sapbuf_snapshot* snapshot,
                                                                          size_t facility,
                                                                          sapbuf_map_options* options) SAPBUF_NOEXCEPT;
/* Of all editors that are there; of all that left or died. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_map_present(const sapbuf_snapshot* snapshot,
                                                                          size_t facility,
                                                                          sapbuf_map_ledger* ledger) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_map_departed(const sapbuf_snapshot* snapshot,
                                                                           size_t facility,
                                                                           sapbuf_map_ledger* ledger) SAPBUF_NOEXCEPT;

/* --- Queues. While nobody works in one, groups x pushed = ended + what the groups have before them; each death may leave a
   block counted in a pass that was under way */

typedef struct sapbuf_queue_snapshot {
  size_t struct_size;
  const char* pool;   /* the name of the one that its blocks are buffers of */
  uint64_t pushed;    /* blocks that came into the queue, so far */
  uint64_t ended;     /* that left it, of all groups */
  uint64_t oldest_ms; /* since the oldest one that is there was released */
  uint64_t departed_participants;
  size_t groups; /* of consumers */
} sapbuf_queue_snapshot;

SAPBUF_C_INIT(sapbuf_queue_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_queue(const sapbuf_snapshot* snapshot, size_t facility,
                                                                    sapbuf_queue_snapshot* queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_queue_options(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_queue_options* options) SAPBUF_NOEXCEPT;
/* Of all participants that are there; of all that left or died. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_queue_present(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_queue_ledger* ledger) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_queue_departed(
    const sapbuf_snapshot* snapshot, size_t facility, sapbuf_queue_ledger* ledger) SAPBUF_NOEXCEPT;

/* What one group of consumers has before it, in blocks. */
typedef struct sapbuf_queue_group {
  size_t struct_size;
  uint64_t queued;   /* that nobody has taken yet */
  uint64_t returned; /* that were put back, or whose consumer died */
  uint64_t held;     /* by its consumers */
  uint64_t dead;     /* dead letters that stay here */
} sapbuf_queue_group;

SAPBUF_C_INIT(sapbuf_queue_group)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_queue_group(const sapbuf_snapshot* snapshot,
                                                                          size_t facility, size_t group,
                                                                          sapbuf_queue_group* seen) SAPBUF_NOEXCEPT;

/* --- Cells */

typedef struct sapbuf_cell_snapshot {
  size_t struct_size;
  size_t value_bytes;
  uint64_t version; /* values that were stored so far */
} sapbuf_cell_snapshot;

SAPBUF_C_INIT(sapbuf_cell_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_cell(const sapbuf_snapshot* snapshot, size_t facility,
                                                                   sapbuf_cell_snapshot* cell) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
