// Busy queues: see facility_world.hpp.
#pragma once

#include <cstring>
#include <span>

#include "fuzz/facility_world.hpp"

namespace sapbuf::fuzz {

// The bits of `choice` that are not FacilityWorld's: two groups; keys, with lanes; what a full queue does; and fences. A
// queue `jobs`, one for its answers, and, for one group, one for its dead letters, all on one pool. Edits go to control
// and groups, slots, the ring, entries, bits and due times, notes and lanes, the pool's words or the registry, anywhere.
const Original& busy_queue(std::uint8_t choice);
constexpr bool has_two_groups(std::uint8_t choice) { return (choice & 1) != 0; }
constexpr bool has_keys(std::uint8_t choice) { return (choice & 2) != 0; }

inline constexpr std::uint64_t kFuzzedBlockBytes = 64;
inline constexpr std::uint64_t kFirstNumber = 100;  // of the script's messages; those of the busy ones are below
inline constexpr std::uint64_t kFuzzedKeys = 3;

// What stands in each message.
inline void write_number(std::span<std::byte> bytes, std::uint64_t number) {
  std::memcpy(bytes.data(), &number, sizeof number);
}
inline std::uint64_t read_number(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

}  // namespace sapbuf::fuzz
