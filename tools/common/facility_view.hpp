// What a snapshot of a segment says of one of its facilities.
#pragma once

#include <cstdint>
#include <sapbuf/inspect.hpp>
#include <string_view>
#include <vector>

namespace sapbuf::tools {

// Null if there is none of that name, or it is of another kind.
const FacilitySnapshot* find_facility(const Snapshot& snapshot, std::string_view name) noexcept;
const FacilitySnapshot* find_stream(const Snapshot& snapshot, std::string_view name) noexcept;
const FacilitySnapshot* find_pool(const Snapshot& snapshot, std::string_view name) noexcept;
const FacilitySnapshot* find_map(const Snapshot& snapshot, std::string_view name) noexcept;
const FacilitySnapshot* find_queue(const Snapshot& snapshot, std::string_view name) noexcept;
const FacilitySnapshot* find_cell(const Snapshot& snapshot, std::string_view name) noexcept;
// Durable readers of a stream, or of all in a segment, that are away, and for which something is kept.
std::vector<DurableReaderInfo> kept_for(const StreamSnapshot& stream);
std::vector<DurableReaderInfo> kept_for(const Snapshot& snapshot);
// The one of the stream's participants that is attached by the durable reader's name, if it was killed: nobody has recovered it
// yet, and what it has not read is kept for the next one. Null otherwise.
const ParticipantSnapshot* find_killed(const DurableReaderInfo& reader,
                                       const std::vector<ParticipantSnapshot>& participants) noexcept;
std::vector<ParticipantSnapshot> participants_of(const Snapshot& snapshot, std::string_view facility);

// So many buffers of a pool, which have so many bytes together, in the unit of its `count`: with size classes, in pieces.
std::uint64_t as_counted(const PoolSnapshot& pool, std::uint64_t buffers, std::uint64_t bytes) noexcept;

// Blocks that wait in a queue, or that somebody has, in all groups; and dead letters that stay in it.
std::uint64_t waiting_blocks(const QueueSnapshot& queue) noexcept;
std::uint64_t dead_letters(const QueueSnapshot& queue) noexcept;

struct Attached {
  std::uint64_t writers = 0;  // of streams and maps, and producers of queues; alive
  std::uint64_t readers = 0;  // the same, and consumers
  std::uint64_t users = 0;    // of pools; alive
  std::uint64_t dead = 0;     // not recovered yet
};
Attached count_attached(const std::vector<ParticipantSnapshot>& participants) noexcept;

}  // namespace sapbuf::tools
