#include "stream/extents.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "stream/frames.hpp"

namespace SAPBUF_DETAIL {

using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::word_at;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

std::byte* address_of(StreamCore& core, ExtentLocation location) {
  return core.slab_for_writing(location.slab) + location.index * core.geometry().granule_bytes;
}

// How many granules an extent at `location` has: whatever its word says, it ends at the slab's end.
std::uint64_t fitting(StreamCore& core, ExtentLocation location, std::uint64_t granules) noexcept {
  return std::clamp<std::uint64_t>(granules, 1, core.geometry().granules_per_slab() - location.index);
}

// A reader comes from behind: the last word leads it to the first. It is written before that one, so that repair finds
// how far a row goes that death cut off.
void mark_last(StreamCore& core, ExtentLocation location, std::uint64_t granules, std::uint32_t owner) noexcept {
  if (granules == 1) return;
  const std::uint64_t back = granules - 1;
  core.extent(location.slab, location.index + back).store(Extent::make(ExtentState::last, owner, back).word, relaxed);
}

}  // namespace

ExtentContent walk_extent(const std::byte* begin, std::uint64_t size, std::uint64_t skip) noexcept {
  ExtentContent content;
  for_each_frame(begin, size, Unwritten::is_end, [&](std::uint64_t offset, FrameHeader header, std::uint64_t span) {
    const bool message = header.kind() == FrameKind::message;
    const bool filler = header.kind() == FrameKind::extent || header.kind() == FrameKind::nop;
    if ((!message && !filler) || header.span() > span) return false;
    content.end = offset + span;
    if (!message) return true;
    if (content.messages >= skip) content.bytes_after_skip += header.payload_bytes();
    content.bytes += header.payload_bytes();
    ++content.messages;
    return true;
  });
  return content;
}

ExtentContent walk_extent(StreamCore& core, ExtentLocation location, Extent extent, std::uint64_t skip) {
  const std::uint64_t granules = fitting(core, location, extent.granules());
  return walk_extent(address_of(core, location), granules * core.geometry().granule_bytes, skip);
}

std::optional<OpenExtent> open_extent_of(StreamCore& core, std::uint32_t writer) noexcept {
  const Claim claim{core.slot(writer).claim.load(std::memory_order_acquire)};
  const auto slab = slab_of(core, claim);
  if (!slab) return std::nullopt;
  const ExtentLocation location{slab->slab, claim.offset_bytes() / core.geometry().granule_bytes};
  const Extent extent{core.extent(location.slab, location.index).load(std::memory_order_acquire)};
  if (extent.state() != ExtentState::open || extent.owner() != writer) return std::nullopt;
  return OpenExtent{slab->generation, location, extent};
}

std::byte* open_extent(StreamCore& core, ExtentLocation location, std::uint64_t granules, std::uint32_t owner) {
  std::byte* const begin = address_of(core, location);
  word_at(begin + layout::kUnitBytes).store(owner, relaxed);
  word_at(begin).store(FrameHeader::make(FrameKind::extent, layout::kUnitBytes).word, relaxed);
  const std::uint64_t first = core.geometry().first_header_at();
  if (const std::uint64_t filler = first - layout::kExtentFrameBytes; filler != 0)
    word_at(begin + layout::kExtentFrameBytes).store(FrameHeader::nop(filler).word, relaxed);
  word_at(begin + first).store(0, relaxed);
  mark_last(core, location, granules, owner);
  SAPBUF_KILL_POINT(extent_written);
  // extent-open: release, so that who sees the word sees the extent frame, and filler and the zero header behind it.
  core.extent(location.slab, location.index)
      .store(Extent::make(ExtentState::open, owner, granules).word, std::memory_order_release);
  return begin + first;
}

void close_extent(StreamCore& core, ExtentLocation location, Extent open) {
  std::byte* const begin = address_of(core, location);
  const std::uint64_t granules = fitting(core, location, open.granules());
  const std::uint64_t size = granules * core.geometry().granule_bytes;
  const ExtentContent content = walk_extent(begin, size);
  // frame-publish: a reader that walks through the NOP comes to the extent's end.
  if (content.end < size)
    word_at(begin + content.end).store(FrameHeader::nop(size - content.end).word, std::memory_order_release);
  SAPBUF_KILL_POINT(extent_filled);
  // extent-close: release, so that who finds it closed finds it whole. A failure means that somebody else closed it, in
  // the same way.
  std::uint64_t expected = open.word;
  core.extent(location.slab, location.index)
      .compare_exchange_strong(expected,
                               Extent::make(ExtentState::closed, open.owner(), granules, content.messages).word,
                               std::memory_order_release, relaxed);
}

void close_hole(StreamCore& core, ExtentLocation location, std::uint64_t granules) {
  granules = fitting(core, location, granules);
  const std::uint64_t size = granules * core.geometry().granule_bytes;
  word_at(address_of(core, location)).store(FrameHeader::nop(size).word, relaxed);
  mark_last(core, location, granules, 0);
  SAPBUF_KILL_POINT(hole_filled);
  // extent-close: as above.
  core.extent(location.slab, location.index)
      .store(Extent::make(ExtentState::closed, 0, granules).word, std::memory_order_release);
}

}  // namespace SAPBUF_DETAIL
