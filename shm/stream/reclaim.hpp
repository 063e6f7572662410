// Reclaiming: from a sealed slab that nobody needs to a free one. Under the maintenance lock.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// In total order a slab is cleaned in steps of so many bytes, and the lock is let go between two of them.
inline constexpr std::uint64_t kCleanAtOnce = std::uint64_t{1} << 20;

// Behind mend_states(). A slab that is free now: one that was, or one that could be reclaimed, the oldest first.
// Nothing if none can be had; `cleaning`: because this call has cleaned one a little further, and the next may find it
// free.
std::optional<std::uint32_t> take_free_slab(StreamCore& core, const ActiveSlab& active, bool& cleaning);

// Behind mend_states(). Reclaims the oldest slab that has buffers of the pool attached to its messages, if it can be, and
// those before it: the buffers are let go of. False: there is none.
bool reclaim_attached(StreamCore& core, const ActiveSlab& active, layout::FacilityId pool);

// Whether a lossless reader keeps the generation.
bool is_held(StreamCore& core, std::uint64_t generation) noexcept;

// Whether no lossless reader has yet to come to the generation, nor a first one to the stream.
bool have_readers_come_to(StreamCore& core, std::uint64_t generation) noexcept;

// Whether take_free_slab is worth a try: a cheap look, without the lock, for those who wait.
bool may_have_free_slab(StreamCore& core) noexcept;

// Whether what keeps the slabs, where there is none, may let go of them without telling anybody: a reader that pins them,
// or a writer with an open reservation in a generation that is not closed for that.
bool is_kept_in_silence(StreamCore& core) noexcept;

}  // namespace SAPBUF_DETAIL
