// A busy map: see facility_world.hpp.
#pragma once

#include "fuzz/facility_world.hpp"

namespace sapbuf::fuzz {

// The bits of `choice` that are not FacilityWorld's: fences; how many keys there are, and were; and whether the values come
// from a pool with size classes. Edits go to control,
// slots, the index, entries, values, the pool's words, the registry, anywhere.
const Original& busy_map(std::uint8_t choice);

inline constexpr std::uint64_t kFuzzedValueBytes = 32;
inline constexpr std::uint64_t kFuzzedKeys = 8;  // the busy ones, and the script's

}  // namespace sapbuf::fuzz
