// Looking at a segment from outside: nothing is attached, nothing is written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/pool.hpp>
#include <sapbuf/recovery.hpp>
#include <sapbuf/stream.hpp>

namespace sapbuf {

enum class Liveness : std::uint8_t { alive = 0, dead = 1, hung = 2 };
std::string_view to_string(Liveness liveness) noexcept;
std::string_view to_string(Order order) noexcept;     // "per-writer", "total"
std::string_view to_string(OnFull on_full) noexcept;  // "block", "drop", "overwrite"

struct Ledger {
  std::uint64_t committed = 0;        // messages
  std::uint64_t committed_bytes = 0;  // of payload
  std::uint64_t aborted = 0;
  std::uint64_t dropped = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t skipped = 0;  // by Reader::skip_to_newest()
};

// The same of a pool's user, in buffers: acquired + adopted = released + held + reclaimed. Exact when nothing is under
// way, and of one that was killed but for what was: that counts as released, or as held.
struct PoolLedger {
  std::uint64_t acquired = 0;   // by acquire() and acquire_for()
  std::uint64_t hits = 0;       // of these, from what it had at hand
  std::uint64_t adopted = 0;    // by adopt()
  std::uint64_t released = 0;   // let go of, in whatever way
  std::uint64_t attached = 0;   // of these, to messages
  std::uint64_t held = 0;       // now, by the pool's words; one that it has twice counts twice
  std::uint64_t reclaimed = 0;  // that it still had when it was killed
  std::uint64_t refills = 0;    // times that it had nothing at hand, and took some free ones
  std::uint64_t stolen = 0;     // taken, while nothing was free, from what others had at hand
  std::uint64_t grown = 0;      // that it let the pool grow by
  std::uint64_t waits = 0;      // times
};

struct SlabSnapshot {
  std::uint32_t index = 0;
  std::uint64_t generation = 0;  // 0: never used
  std::string state;             // free, active, sealed, cleaning
  std::uint64_t used_bytes = 0;  // claimed
  std::uint64_t capacity_bytes = 0;
  std::vector<std::string>
      held_by;  // names of readers that hold or pin it, and of writers with an extent or frame open in it
};

struct ParticipantSnapshot {
  std::string facility;  // name of the stream that it takes part in
  std::uint32_t slot = 0;
  std::uint64_t incarnation = 0;  // of the slot: with it, names one participant for ever
  Role role = Role::none;
  std::string name;
  std::int32_t pid = 0;
  std::uint64_t pid_namespace = 0;  // inode number
  std::uint64_t start_time = 0;     // clock ticks after boot
  std::uint64_t attached_ns = 0;    // wall clock
  Liveness state = Liveness::alive;
  bool in_operation = false;                    // a reservation or a claim is open, or a range is pinned
  std::uint64_t heartbeat_age_ms = 0;           // 0 for those in another time namespace, whose clock cannot be compared
  std::vector<std::uint64_t> held_generations;  // of a pool's user: the numbers of its buffers, from 1
  std::uint64_t held_bytes = 0;                 // of these slabs, or buffers
  Ledger ledger;
  PoolLedger pool_ledger;  // of a pool's user
};

struct JournalRecord {
  std::uint64_t number = 0;
  std::uint32_t slot = 0;
  Role role = Role::none;
  std::string name;
  std::int32_t pid = 0;
  std::string proof;
  std::uint64_t noticed_ns = 0;   // wall clock, since the epoch
  std::uint64_t finished_ns = 0;  // 0: the repair is not finished
  std::uint64_t heartbeat_age_ms = 0;
  std::uint64_t held_first = 0, held_last = 0;  // generations, or buffers; 0, 0 for none
  std::uint64_t held_count = 0;                 // of these, that it kept
  std::uint64_t held_bytes = 0;
  std::uint64_t repairs = 0;
  std::uint64_t repaired_bytes = 0;
  std::uint64_t released = 0;
};

// The file behind a segment, as fstat(2) has it; all zero for memory that the caller supplied.
struct BackingFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t mode = 0;  // permission bits
};

// A stream by itself.
struct StreamSnapshot {
  StreamOptions options;
  std::uint64_t generation = 0;      // the active one
  bool awaits_first_reader = false;  // StreamOptions::retain, and no reader has come yet: nothing is reclaimed
  std::vector<SlabSnapshot> slabs;
  std::uint64_t departed_participants = 0;
  Ledger departed;
};

// Somebody who keeps buffers of a pool from others: who has them for himself, or shares them. What lies in its magazine does
// not count, for others may take that.
struct PoolHolder {
  std::uint32_t slot = 0;
  std::string name;
  std::uint64_t buffers = 0;
  std::uint64_t bytes = 0;
  // How long it has had its oldest one, modulo 2^32: true to some milliseconds. A buffer that was shared counts from then on,
  // also for those who adopted it; one that its user released and acquired again from what it had at hand, from the
  // first time. 0 for those in another time namespace, whose clock cannot be compared.
  std::uint64_t oldest_ms = 0;
};

// A pool by itself.
struct PoolSnapshot {
  PoolOptions options;
  std::uint64_t count = 0;   // buffers that there are
  std::uint64_t in_use = 0;  // that one user has for himself, and uses
  std::uint64_t cached = 0;  // free ones that users have at hand
  std::uint64_t shared = 0;  // that were shared, and not freed yet: some may be held by nobody
  std::uint64_t free = 0;
  std::uint64_t unbacked = 0;  // of these: their memory is the system's, until somebody needs it (Pool::trim())
  std::uint64_t acquired = 0;  // so far, by users that are there
  std::uint64_t waits = 0;     // so far, for a buffer
  std::uint64_t waiting = 0;   // users that wait now
  // The most buffers that were not free at a time, those at hand included. It is told in batches, behind what leaves the
  // pool: so it may be too small by what was under way, also when a user was killed.
  std::uint64_t peak = 0;
  std::uint64_t grown = 0;          // buffers that there are more than at first
  std::vector<PoolHolder> holders;  // by slot
  PoolLedger present;               // of all users that are there
  std::uint64_t departed_users = 0;
  PoolLedger departed;
};

struct FacilitySnapshot {
  FacilityInfo info;
  std::uint64_t recoveries = 0;        // participants whose things were taken back
  std::uint64_t released = 0;          // what they had kept from others (of a stream: slabs; of a pool: buffers)
  std::vector<JournalRecord> journal;  // oldest first
  std::optional<StreamSnapshot> stream;
  std::optional<PoolSnapshot> pool;
};

// A segment. What it says of slabs, departed and journal is that of its stream `main`, as in `facilities`; empty if it
// has none.
struct Snapshot {
  std::string name;
  BackingFile file;
  std::uint64_t bytes = 0;  // as Segment::bytes()
  std::uint32_t abi = 0;
  std::uint64_t created_ns = 0;  // wall clock
  SegmentOptions options;
  std::uint64_t generation = 0;      // the active one
  bool awaits_first_reader = false;  // SegmentOptions::retain, and no reader has come yet: nothing is reclaimed
  std::vector<SlabSnapshot> slabs;
  std::vector<ParticipantSnapshot> participants;  // of all facilities
  std::uint64_t departed_participants = 0;
  Ledger departed;
  std::uint64_t released = 0;
  std::vector<JournalRecord> journal;  // oldest first
  std::vector<FacilitySnapshot> facilities;
};

struct InspectOptions {
  // A live participant is called hung when it holds something that others may need and made no progress for this long.
  // 0: never. One in another time namespace is never called hung.
  Milliseconds hung_after = std::chrono::seconds{5};
};

// A snapshot is not atomic: writers go on while it is taken; each figure by itself is true at some moment in between.
// Throws Errc::corrupt and, for a name, whatever Segment::open may throw; a read-only descriptor is enough.
Snapshot inspect(const Segment& segment, const InspectOptions& options = {});
Snapshot inspect(std::string_view name, const InspectOptions& options = {});

// A part of a segment: the common ones, and those of each facility's region.
struct SegmentPart {
  std::string facility;      // its name; empty for a part that is the segment's own
  std::string what;          // "extent tables"
  std::uint64_t offset = 0;  // from the segment's first byte
  std::uint64_t bytes = 0;
};

// Where everything is, in the order of the offsets, without attaching. Between two parts there may be room that nothing
// uses: a region that was removed, or what one may grow to. Throws as inspect().
std::vector<SegmentPart> layout_of(const Segment& segment);
std::vector<SegmentPart> layout_of(std::string_view name);

// One frame as it stands in a slab.
struct FrameRecord {
  std::uint32_t slab = 0;
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;            // in the slab
  std::string_view kind;               // message, busy, nop, extent, hole, open
  std::uint16_t type = 0;              // of a message
  std::uint64_t span = 0;              // bytes from this header to the next
  std::uint32_t owner = 0;             // slot: of an extent or a busy frame
  std::span<const std::byte> payload;  // of a message; valid during the call only
};

// Calls `visit` for every frame of every slab, oldest generation first, without attaching; works on a segment whose
// processes are all dead. Stops with Errc::corrupt where the bytes make no sense. A slab that is flipped meanwhile is
// left at the next frame.
// What `visit` throws ends the walk, and comes out.
void dump(std::string_view name, const std::function<void(const FrameRecord&)>& visit);
// The same for a segment that is open; that in memory which the caller supplied has no name.
void dump(const Segment& segment, const std::function<void(const FrameRecord&)>& visit);
// Of another stream than `main`.
void dump(std::string_view segment, std::string_view stream, const std::function<void(const FrameRecord&)>& visit);
void dump(const Stream& stream, const std::function<void(const FrameRecord&)>& visit);

}  // namespace sapbuf
