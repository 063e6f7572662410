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
std::vector<ParticipantSnapshot> participants_of(const Snapshot& snapshot, std::string_view facility);

struct Attached {
  std::uint64_t writers = 0;  // alive
  std::uint64_t readers = 0;  // alive
  std::uint64_t users = 0;    // of pools; alive
  std::uint64_t dead = 0;     // not recovered yet
};
Attached count_attached(const std::vector<ParticipantSnapshot>& participants) noexcept;

}  // namespace sapbuf::tools
