// Looking at a segment from outside: nothing is attached, nothing is written.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/map.hpp>
#include <sapbuf/pool.hpp>
#include <sapbuf/queue.hpp>
#include <sapbuf/recovery.hpp>
#include <sapbuf/stream.hpp>

SAPBUF_BEGIN

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

// What a reader of a stream has still to come to: messages that are committed, and stand there.
struct Lag {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // of payload
};

// The ledger of a pool's user, in buffers: acquired + adopted = released + held + reclaimed. Exact when nothing is under
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

// That of a map's editor.
struct MapLedger {
  std::uint64_t flipped = 0;   // values that keys had before
  std::uint64_t inserted = 0;  // keys
  std::uint64_t erased = 0;    // keys
  std::uint64_t waits = 0;     // times that another one had the key to himself
};

// That of a queue's producer or consumer.
struct QueueLedger {
  std::uint64_t pushed = 0;       // blocks that it released
  std::uint64_t dropped = 0;      // that had no room (policy drop)
  std::uint64_t taken = 0;        // also those that had been taken before
  std::uint64_t redelivered = 0;  // of these, that had been
  std::uint64_t ended =
      0;  // that left the queue by it: it was done with them, or passed them on, or they were buried elsewhere
  std::uint64_t put_back = 0;      // by itself, or by recovery
  std::uint64_t passed = 0;        // on to other queues
  std::uint64_t dead_letters = 0;  // that it was the last one to have
  std::uint64_t waits = 0;         // for room
};

struct SlabSnapshot {
  std::uint32_t index = 0;
  std::uint64_t generation = 0;  // 0: never used
  std::string state;             // free, active, sealed, cleaning
  std::uint64_t used_bytes = 0;  // claimed
  std::uint64_t capacity_bytes = 0;
  std::vector<std::string>
      held_by;  // names of readers that hold or pin it, durable ones that are away too, and of writers with an extent or
                // frame open in it
};

struct ParticipantSnapshot {
  std::string facility;  // name of what it takes part in
  std::uint32_t slot = 0;
  std::uint64_t incarnation = 0;  // of the slot: with it, names one participant for ever
  Role role = Role::none;
  std::string name;
  std::int32_t pid = 0;
  std::uint64_t pid_namespace = 0;  // inode number
  std::uint64_t start_time = 0;     // clock ticks after boot
  std::uint64_t attached_ns = 0;    // wall clock
  Liveness state = Liveness::alive;
  bool in_operation = false;           // a reservation or a claim is open, or a range is pinned
  std::uint64_t heartbeat_age_ms = 0;  // 0 for those in another time namespace, whose clock cannot be compared
  std::vector<std::uint64_t>
      held_generations;  // of a pool's user, a map's viewer, or a queue's consumer: the numbers of its buffers, from 1
  std::uint64_t held_bytes = 0;  // of these slabs, or buffers
  Ledger ledger;
  // Of a stream's reader, whenever it attached. Nothing of others, and while it attaches. In a stream that overwrites, more by
  // what it has read of a slab that was overwritten in the meantime, until the reader itself looks.
  std::optional<Lag> lag;
  PoolLedger pool_ledger;               // of a pool's user
  std::optional<MapLedger> map_ledger;  // of a map's editor
  QueueLedger queue_ledger;             // of a queue's producer or consumer
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
  std::uint64_t generation = 0;        // the active one
  bool awaits_first_reader = false;    // StreamOptions::retain, and no reader has come yet: nothing is reclaimed
  std::uint64_t finished_writers = 0;  // that said that no more comes from them
  std::vector<SlabSnapshot> slabs;
  std::vector<DurableReaderInfo> durable_readers;
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

// The buffers of one size class of a pool, that it has blocks for.
struct PoolClass {
  std::uint64_t bytes = 0;    // of each
  std::uint64_t buffers = 0;  // that there are
  std::uint64_t free = 0;     // of these
};

// A pool by itself. With size classes, `count`, `free` and `unbacked` are in pieces of the smallest size (PoolOptions::piece_bytes());
// what blocks leave over is in none of them.
struct PoolSnapshot {
  PoolOptions options;
  std::uint64_t count = 0;   // buffers that there are
  std::uint64_t in_use = 0;  // that one user has for himself, and uses
  std::uint64_t cached = 0;  // free ones that users have at hand
  std::uint64_t shared = 0;  // that were shared, and not freed yet: some may be held by nobody
  std::uint64_t free = 0;
  std::uint64_t unbacked = 0;  // of these: their memory is the system's, until somebody needs it (Pool::trim())
  std::uint64_t in_use_bytes = 0;
  std::uint64_t cached_bytes = 0;
  std::uint64_t shared_bytes = 0;
  std::vector<PoolClass> classes;  // by size; empty if there is one
  std::uint64_t acquired = 0;      // so far, by users that are there
  std::uint64_t waits = 0;         // for a buffer, so far: of those who are there, and of those who left
  std::uint64_t waiting = 0;       // users that wait now
  // The most buffers that were not free at a time, those at hand included. It is told in batches, behind what leaves the
  // pool: so it may be too small by what was under way, also when a user was killed.
  std::uint64_t peak = 0;
  std::uint64_t grown = 0;          // buffers that there are more than at first
  std::vector<PoolHolder> holders;  // by slot
  PoolLedger present;               // of all users that are there
  std::uint64_t departed_users = 0;
  PoolLedger departed;
};

// A map by itself. What of its values there is, and who keeps old versions, is told by its pool, and its participants.
struct MapSnapshot {
  MapOptions options;
  std::string pool;           // the name of the one that it has its values in
  std::uint64_t keys = 0;     // that there are
  std::uint64_t room = 0;     // for so many keys, now
  std::uint64_t changes = 0;  // so far; one that its editor died of may count twice
  MapLedger present;          // of all editors that are there
  std::uint64_t departed_participants = 0;
  MapLedger departed;  // of all that left or died
};

// A cell by itself.
struct CellSnapshot {
  std::size_t value_bytes = 0;
  std::uint64_t version = 0;  // values that were stored so far
};

// What one group of a queue's consumers has before it.
struct QueueGroupSnapshot {
  std::uint64_t queued = 0;    // that nobody has taken yet
  std::uint64_t returned = 0;  // that were put back, or whose consumer died
  std::uint64_t held = 0;      // by its consumers
  std::uint64_t dead = 0;      // dead letters that stay here
};

// A queue by itself. While nobody works in it, groups x pushed = ended + what the groups have before them; each death may leave a
// block counted in a pass that was under way.
struct QueueSnapshot {
  QueueOptions options;
  std::string pool;          // the name of the one that its blocks are buffers of
  std::uint64_t pushed = 0;  // blocks that came into the queue, so far
  std::uint64_t ended = 0;   // that left it, of all groups
  std::vector<QueueGroupSnapshot> groups;
  std::uint64_t oldest_ms = 0;  // since the oldest one that is there was released
  QueueLedger present;          // of all participants that are there
  std::uint64_t departed_participants = 0;
  QueueLedger departed;
};

struct FacilitySnapshot {
  FacilityInfo info;
  std::uint64_t recoveries = 0;        // participants whose things were taken back
  std::uint64_t released = 0;          // what they had kept from others (of a stream: slabs; of a pool: buffers)
  std::vector<JournalRecord> journal;  // oldest first
  std::optional<StreamSnapshot> stream;
  std::optional<PoolSnapshot> pool;
  std::optional<MapSnapshot> map;
  std::optional<QueueSnapshot> queue;
  std::optional<CellSnapshot> cell;
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
  // 0: never. Nor is one in another time namespace, nor a pool's user: what that has at hand is taken from it, and what it
  // holds is its own.
  Milliseconds hung_after = std::chrono::seconds{5};
  // Whether to find out how far readers are behind: that goes through all frames from the slab on that the slowest reader is
  // in, some milliseconds for a million of them.
  bool lag = true;
};

// A snapshot is not atomic: writers go on while it is taken; each figure by itself is true at some moment in between.
// Throws Errc::corrupt and, for a name, whatever Segment::open may throw; a read-only descriptor is enough.
Snapshot inspect(const Segment& segment, const InspectOptions& options = {});
Snapshot inspect(std::string_view name, const InspectOptions& options = {});

// Somebody who had a block, and was not done with it.
struct DeliveryRecord {
  bool died = false;  // otherwise it was put back
  std::int32_t pid = 0;
  std::string name;
  std::uint64_t at_ns = 0;  // wall clock
};

// A block of a queue, as one group has it before itself.
struct QueueBlock {
  std::uint32_t group = 0;
  std::uint64_t position = 0;  // in the queue's order
  std::string_view state;      // queued, returned, held, dead
  std::uint32_t deliveries = 0;
  std::uint16_t type = 0;
  std::optional<std::uint64_t> key;
  std::uint64_t bytes = 0;            // that its producer used
  std::uint64_t age_ms = 0;           // since it was released
  std::uint64_t due_in_ms = 0;        // of one that was put back with a delay
  std::string holder;                 // of one that is held
  std::vector<std::byte> content;     // the beginning of it
  std::vector<DeliveryRecord> notes;  // oldest first; as many as the queue keeps
};

// All blocks, by groups, in the queue's order, with up to `content_bytes` of each; takes nothing away from anybody. Throws Errc::corrupt,
// Errc::forked, Errc::resource_exhausted.
std::vector<QueueBlock> list_blocks(const Queue& queue, std::size_t content_bytes = 0);
// By the right to read alone. Throws also as inspect().
std::vector<QueueBlock> list_blocks(std::string_view segment, std::string_view queue, std::size_t content_bytes = 0);

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

// One entry of a map that has a key, or that somebody has claimed.
struct EntryRecord {
  std::uint32_t number = 0;
  std::uint64_t incarnation = 0;  // of the entry: it grows with each key that gets it
  // used; coming: its key is being inserted; free: it has none; corrupt: its words make no sense, and no key is shown.
  std::string_view state;
  std::string key;                       // of one that is used or coming
  std::optional<std::uint32_t> claimer;  // slot of the writer that has it to itself
  std::string claimer_name;              // empty if that one is not attached any more
  // Of its value, if it has one that its buffer still has; otherwise 0 and empty, but for `buffer`.
  std::uint64_t buffer = 0;  // the number of the pool's buffer, from 1; 0: there is no value
  std::uint64_t version = 0;
  std::uint64_t flipped_ns = 0;  // wall clock
  std::uint64_t bytes = 0;
  std::vector<std::byte> content;  // the beginning of it
};

// Calls `visit` for each such entry of a map, in the order of their numbers, with up to `content_bytes` of its value,
// without attaching; works on a segment whose processes are all dead, and with the right to read alone. Of what changes
// meanwhile it shows one state or the other; an entry that does so all the time is left out. What `visit` throws ends
// the walk, and comes out. Throws as inspect().
void dump(std::string_view segment, std::string_view map, const std::function<void(const EntryRecord&)>& visit,
          std::size_t content_bytes = 0);
void dump(const Map& map, const std::function<void(const EntryRecord&)>& visit, std::size_t content_bytes = 0);

SAPBUF_END
