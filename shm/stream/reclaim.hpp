// Reclaiming: from a sealed slab that nobody needs to a free one. Under the maintenance lock.
#pragma once

#include "stream/slabs.hpp"

namespace sapbuf::detail {

// Whether any reader keeps a generation, or has pinned a slab.
bool is_held(SegmentCore& core, std::uint64_t generation) noexcept;
bool is_pinned(SegmentCore& core, std::uint32_t slab) noexcept;

// A slab that is free now: one that was, or one that could be reclaimed, the oldest first. Nothing if none can be had.
std::optional<std::uint32_t> take_free_slab(SegmentCore& core, const ActiveSlab& active);

// For readers that leave a slab: cleans it if nobody needs it and no other is free, so that writers find one ready.
// Total order only; elsewhere cleaning is next to nothing.
void clean_consumed(SegmentCore& core);

}  // namespace sapbuf::detail
