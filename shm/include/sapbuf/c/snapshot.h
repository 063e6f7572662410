/* What a segment looks like now: nothing is attached, nothing is written. */
#ifndef SAPBUF_C_SNAPSHOT_H
#define SAPBUF_C_SNAPSHOT_H

#include <sapbuf/c/ledger.h>
#include <sapbuf/c/recovery.h>
#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* What was seen; it never changes. For any number of threads, and for children made by fork. Participants and facilities
   are numbered from 0, as is what they have: SAPBUF_INVALID_ARGUMENT for a number that there is not, or a facility of another
   kind. Each struct's `struct_size` says how much of it is wanted; texts and arrays that it names last as long as the
   snapshot. */
typedef struct sapbuf_snapshot sapbuf_snapshot;

typedef struct sapbuf_inspect_options {
  size_t struct_size;
  /* A live participant is called hung when it holds something that others may need and made no progress for this long.
     Default: 5 seconds; negative: never. Nor is one in another time namespace, nor a pool's user: what that has at hand is
     taken from it, and what it holds is its own. */
  int64_t hung_after_ns;
  /* Not to find out how far readers are behind: that goes through all frames from the slab on that the slowest reader is in,
     some milliseconds for a million of them. */
  bool no_lag;
} sapbuf_inspect_options;

SAPBUF_C_INIT(sapbuf_inspect_options)

/* Not atomic: writers go on meanwhile; each figure by itself is true at some moment in between. SAPBUF_FORKED,
   SAPBUF_CORRUPT, SAPBUF_RESOURCE_EXHAUSTED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_inspect(const sapbuf_segment* segment,
                                                         const sapbuf_inspect_options* options,
                                                         sapbuf_snapshot** snapshot) SAPBUF_NOEXCEPT;
/* The same of a segment that is not open here: it is enough that it may be read. Also as sapbuf_segment_open(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_inspect_by_name(const char* name,
                                                                 const sapbuf_inspect_options* options,
                                                                 sapbuf_snapshot** snapshot) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_snapshot_close(sapbuf_snapshot* snapshot) SAPBUF_NOEXCEPT;

/* --- The segment */

typedef struct sapbuf_segment_snapshot {
  size_t struct_size;
  const char* name;    /* empty for memory that the caller supplied */
  uint64_t bytes;      /* as sapbuf_segment_bytes() */
  uint64_t created_ns; /* wall clock */
  uint64_t device; /* of the file behind it, as the four below, from fstat(2); 0 for memory that the caller supplied */
  uint64_t inode;
  uint32_t owner;
  uint32_t group;
  uint32_t mode; /* permission bits */
  uint32_t abi;  /* of the format */
} sapbuf_segment_snapshot;

SAPBUF_C_INIT(sapbuf_segment_snapshot)

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_segment(const sapbuf_snapshot* snapshot,
                                                                      sapbuf_segment_snapshot* segment) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status
sapbuf_snapshot_get_segment_options(const sapbuf_snapshot* snapshot, sapbuf_segment_options* options) SAPBUF_NOEXCEPT;

/* --- Participants of all facilities, by slot */

typedef enum sapbuf_liveness {
  SAPBUF_LIVENESS_ALIVE = 0,
  SAPBUF_LIVENESS_DEAD = 1, /* nobody has taken back yet what it held */
  SAPBUF_LIVENESS_HUNG = 2  /* see sapbuf_inspect_options */
} sapbuf_liveness;

typedef struct sapbuf_participant_snapshot {
  size_t struct_size;
  const char* facility; /* that it takes part in */
  const char* name;
  /* What it keeps: generations of a stream, buffers of a pool, numbered from 1; of a map's viewer and a queue's consumer, those
     of its pool. */
  const uint64_t* held;
  size_t held_count;
  uint64_t held_bytes;
  uint64_t incarnation;      /* of the slot: with it, names one participant for ever */
  uint64_t pid_namespace;    /* inode number */
  uint64_t start_time;       /* clock ticks after boot */
  uint64_t attached_ns;      /* wall clock */
  uint64_t heartbeat_age_ms; /* since its last sign of progress; 0 for those in another time namespace */
  /* Messages that are committed and stand there, and that a stream's reader has still to come to, whenever it attached; of
     their payload. In a stream that overwrites, more by what it has read of a slab that was overwritten in the meantime, until
     the reader itself looks. */
  uint64_t lag_messages;
  uint64_t lag_bytes;
  int32_t pid;
  uint32_t slot;     /* index in the registry */
  uint32_t role;     /* sapbuf_role */
  uint32_t liveness; /* sapbuf_liveness */
  bool in_operation; /* a reservation or a claim is open, or a range is pinned */
  bool has_lag;      /* otherwise it is no reader, or attaches just now, or nobody asked */
} sapbuf_participant_snapshot;

SAPBUF_C_INIT(sapbuf_participant_snapshot)

SAPBUF_C_API size_t sapbuf_snapshot_participants(const sapbuf_snapshot* snapshot) SAPBUF_NOEXCEPT; /* 0 for NULL */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_participant(
    const sapbuf_snapshot* snapshot, size_t participant, sapbuf_participant_snapshot* seen) SAPBUF_NOEXCEPT;
/* Of a stream's writer or reader. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_participant_stream_ledger(
    const sapbuf_snapshot* snapshot, size_t participant, sapbuf_stream_ledger* ledger) SAPBUF_NOEXCEPT;
/* Of a pool's user. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_participant_pool_ledger(
    const sapbuf_snapshot* snapshot, size_t participant, sapbuf_pool_ledger* ledger) SAPBUF_NOEXCEPT;
/* Of a map's editor. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_participant_map_ledger(
    const sapbuf_snapshot* snapshot, size_t participant, sapbuf_map_ledger* ledger) SAPBUF_NOEXCEPT;
/* Of a queue's producer or consumer. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_participant_queue_ledger(
    const sapbuf_snapshot* snapshot, size_t participant, sapbuf_queue_ledger* ledger) SAPBUF_NOEXCEPT;

/* --- Facilities, in the order of their places in the directory; <sapbuf/c/snapshot_facility.h> has what each kind has */

typedef struct sapbuf_facility_snapshot {
  size_t struct_size;
  const char* kind; /* as those down to created_ns: see sapbuf_facility_info */
  const char* name;
  uint64_t offset;
  uint64_t bytes;
  uint64_t most_bytes;
  uint64_t created_ns;
  uint64_t recoveries;    /* participants whose things were taken back */
  uint64_t released;      /* what they had kept from others (of a stream: slabs; of a pool: buffers) */
  size_t journal_records; /* that there are */
} sapbuf_facility_snapshot;

SAPBUF_C_INIT(sapbuf_facility_snapshot)

SAPBUF_C_API size_t sapbuf_snapshot_facilities(const sapbuf_snapshot* snapshot) SAPBUF_NOEXCEPT; /* 0 for NULL */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_facility(const sapbuf_snapshot* snapshot, size_t facility,
                                                                       sapbuf_facility_snapshot* seen) SAPBUF_NOEXCEPT;
/* The number of the one of that name; SAPBUF_NOT_FOUND. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_find_facility(const sapbuf_snapshot* snapshot,
                                                                        const char* name,
                                                                        size_t* facility) SAPBUF_NOEXCEPT;

/* One death: who it was, and what was taken back. */
typedef struct sapbuf_journal_record {
  size_t struct_size;
  const char* name;
  const char* proof;    /* as sapbuf_dead_participant::proof */
  uint64_t number;      /* from 1, in the order of the deaths' being noticed; a facility keeps the last 64 */
  uint64_t noticed_ns;  /* wall clock */
  uint64_t finished_ns; /* 0: the repair is not finished */
  uint64_t heartbeat_age_ms;
  uint64_t held_first; /* generations, or buffers; 0 for none */
  uint64_t held_last;
  uint64_t held_count; /* of these, that it kept */
  uint64_t held_bytes;
  uint64_t repairs; /* what was brought to an end for it */
  uint64_t repaired_bytes;
  uint64_t released; /* as sapbuf_facility_snapshot::released */
  int32_t pid;
  uint32_t slot;
  uint32_t role; /* sapbuf_role */
} sapbuf_journal_record;

SAPBUF_C_INIT(sapbuf_journal_record)

/* The oldest one first. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_snapshot_get_journal_record(
    const sapbuf_snapshot* snapshot, size_t facility, size_t record, sapbuf_journal_record* seen) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
