// Walking over frames, from header to header. Readers have a step of their own, for they stop at a frame and go on from
// there.
#pragma once

#include <algorithm>
#include <cstdint>

#include <sapbuf/layout/frame.hpp>
#include <sapbuf/layout/stream_geometry.hpp>

namespace SAPBUF_DETAIL {

// What an unwritten header (zero) says of the bytes behind it.
enum class Unwritten {
  is_end,   // an extent: behind it stands what an older generation left, which may look like frames
  is_hole,  // total order: slabs are clean, so nobody has written as far as there are zeros
};

// Writes what stands in a clean slab before anything is claimed there. Returns its bytes: where the cursor begins.
inline std::uint64_t begin_slab(std::byte* slab, const layout::StreamGeometry& geometry) noexcept {
  const std::uint64_t bytes = geometry.first_claim_at();
  if (bytes != 0) layout::word_at(slab).store(layout::FrameHeader::nop(bytes).word, std::memory_order_relaxed);
  return bytes;
}

// How far the zero words at `begin` go, of which the first was seen already: `size` bytes at the most.
inline std::uint64_t hole_bytes(const std::byte* begin, std::uint64_t size) noexcept {
  std::uint64_t bytes = layout::kUnitBytes;
  // frame-publish: acquire, as below.
  while (bytes < size && layout::word_at(begin + bytes).load(std::memory_order_acquire) == 0)
    bytes += layout::kUnitBytes;
  return std::min(bytes, size);
}

// Calls `visit(offset, header, span)` for what stands in the `size` bytes from `begin` on, in order, until it returns
// false.
//
// `header` is a copy: the word is read once, and may be anything. `span` is what the walk goes on by, never beyond
// `size`. A frame that says that it overruns is cut off there, so it is the last one; `header.span() > span` tells it
// from others. No word makes a walk endless, for no frame is less than its header: header.span() is 8 at the least. What
// is not written yet is visited, too, as a frame of kind `none`: the hole, or all of the rest, at once.
template <typename Visit>
void for_each_frame(const std::byte* begin, std::uint64_t size, Unwritten unwritten, Visit visit) {
  for (std::uint64_t offset = 0; offset < size;) {
    // frame-publish: acquire, so that who sees the header sees the payload, and what is behind the frame.
    const layout::FrameHeader header{layout::word_at(begin + offset).load(std::memory_order_acquire)};
    const std::uint64_t rest = size - offset;
    std::uint64_t span = std::min(header.span(), rest);
    if (header.kind() == layout::FrameKind::none)
      span = unwritten == Unwritten::is_hole ? hole_bytes(begin + offset, rest) : rest;
    if (!visit(offset, header, span)) return;
    offset += span;
  }
}

static_assert(layout::FrameHeader{}.span() == layout::kUnitBytes);

}  // namespace SAPBUF_DETAIL
