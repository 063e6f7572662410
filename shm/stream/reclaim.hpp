// Reclaiming: from a sealed slab that nobody needs to a free one. Under the maintenance lock.
#pragma once

#include "stream/slabs.hpp"

namespace sapbuf::detail {

// A slab that is free now: one that was, or one that could be reclaimed, the oldest first. Nothing if none can be had.
std::optional<std::uint32_t> take_free_slab(SegmentCore& core, const ActiveSlab& active);

// Whether take_free_slab is worth a try: a cheap look, without the lock, for those who wait.
bool may_have_free_slab(SegmentCore& core) noexcept;

}  // namespace sapbuf::detail
