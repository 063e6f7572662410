// What writers do before a slab is full, so that the flip finds it done. Each is a try: what it leaves, the flip does.
#pragma once

#include "stream/reclaim.hpp"

namespace SAPBUF_DETAIL {

// Per-writer order: whether the claim from `begin` to `end`, in bytes of a slab, came past the middle. By then those
// who write have left the slab before.
inline bool is_time_to_close(StreamCore& core, std::uint64_t begin, std::uint64_t end) noexcept {
  const std::uint64_t half = core.geometry().slab_bytes / 2;
  return begin < half && end >= half;
}
// Closes the extents that idle writers still have open in older generations than this one, so that readers can finish
// those before their slabs are needed.
void close_ahead(StreamCore& core, std::uint64_t generation) noexcept;

// Total order: whether this claim came past one of the places, in the last quarter of a large slab, where the next one
// is cleaned a little further: so that a flip finds it clean, and nobody cleans much at once.
inline bool is_time_to_clean(StreamCore& core, std::uint64_t begin, std::uint64_t end) noexcept {
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  if (slab_bytes <= 2 * kCleanAtOnce || begin < slab_bytes / 4 * 3) return false;
  constexpr std::uint64_t kStep = kCleanAtOnce / 4;
  return begin / kStep != end / kStep;
}
void clean_ahead(StreamCore& core) noexcept;

// Lossless readers let go of a slab when they have seen the next one, and a pool that has nothing left would have to wait
// for that. So a slab is ended before it is full when its messages, with `attached` buffers at the least, keep a
// quarter of a pool that has `buffers` as large as the one that was attached last; but only when its readers have come to it, so that no more than one such slab waits for them. Whether
// it was.
bool end_ahead(StreamCore& core, std::uint32_t slab, std::uint32_t attached, std::uint64_t buffers) noexcept;

}  // namespace SAPBUF_DETAIL
