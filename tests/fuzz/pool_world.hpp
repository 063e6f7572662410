// A busy pool: see facility_world.hpp.
#pragma once

#include <sapbuf/layout/pool_geometry.hpp>

#include "fuzz/facility_world.hpp"

namespace sapbuf::fuzz {

// The bits of `choice` that are not FacilityWorld's: order, policy and fences of the stream that carries the pool's
// buffers, and whether the pool has size classes. Edits go to control, slots, magazines, roots, words, attached buffers,
// registry, anywhere.
const Original& busy_pool(std::uint8_t choice);

inline constexpr std::uint64_t kFuzzedBuffers = 16;  // at first
inline constexpr std::uint64_t kFuzzedMost = 24;
inline constexpr std::uint64_t kFuzzedBufferBytes = 64;
inline constexpr std::uint64_t kFuzzedLargest = 2048;  // with size classes

}  // namespace sapbuf::fuzz
