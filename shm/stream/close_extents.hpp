// Closing in per-writer order: taking their open extents from idle writers. Under the stream's lock; see close.hpp.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Revokes and closes the open extents of a generation, in the `claimed` bytes of its slab. Returns whether all are
// closed now, and no claim is without an extent.
bool close_extents(StreamCore& core, SlabGeneration where, std::uint64_t claimed);

// What the table says of a closed generation.
std::uint64_t count_in_extents(StreamCore& core, SlabGeneration where, std::uint64_t claimed);

}  // namespace SAPBUF_DETAIL
