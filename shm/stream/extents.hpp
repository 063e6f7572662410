// Extents: opening one for a writer, walking through one, closing one. Per-writer order only.
#pragma once

#include <algorithm>

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Where an extent begins. `index` counts granules from the slab's beginning.
struct ExtentLocation {
  std::uint32_t slab = 0;
  std::uint64_t index = 0;
};

// What stands in an extent: its committed messages, up to the first header that is not one.
struct ExtentContent {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;             // of payload
  std::uint64_t end = 0;               // offset in the extent behind the last message
  std::uint64_t bytes_after_skip = 0;  // of payload, of the messages behind the first `skip` ones
};
ExtentContent walk_extent(const std::byte* begin, std::uint64_t size, std::uint64_t skip = 0) noexcept;
// The same for an extent that a word of the table tells of.
ExtentContent walk_extent(StreamCore& core, ExtentLocation location, layout::Extent extent, std::uint64_t skip = 0);

// The extent that a writer has open, if any: where its claim says.
struct OpenExtent {
  std::uint64_t generation;
  ExtentLocation location;
  layout::Extent extent;
};
std::optional<OpenExtent> open_extent_of(StreamCore& core, std::uint32_t writer) noexcept;

// Opens an extent of `granules` at `location`, which the caller has claimed, for `owner`. Returns the first byte for
// frames.
std::byte* open_extent(StreamCore& core, ExtentLocation location, std::uint64_t granules, std::uint32_t owner);

// Turns all that is not committed in an open extent to NOP, and closes it. By the owner, or by whoever knows that the
// owner can not write to it any more.
//   killed between the NOP and the word: it is done again, with the same result
void close_extent(StreamCore& core, ExtentLocation location, layout::Extent open);

// The same for granules that were claimed, and that no writer ever opened: a hole that death left, or a claim that ran
// over the end.
void close_hole(StreamCore& core, ExtentLocation location, std::uint64_t granules);

// Calls `visit(index, extent, granules)` for all that is claimed of a slab, in order: for an extent that left its trace
// once, for others granule by granule. `granules` is what the walk goes on by: 1 at the least, and no further than what
// is claimed, whatever the word says.
template <typename Visit>
void for_each_extent(StreamCore& core, SlabGeneration where, std::uint64_t claimed, Visit visit) {
  const std::uint64_t count = claimed / core.geometry().granule_bytes;
  for (std::uint64_t index = 0; index < count;) {
    // extent-open, extent-close: acquire, so that what stands in the extent is seen as the word says.
    const layout::Extent extent{core.extent(where.slab, index).load(std::memory_order_acquire)};
    const std::uint64_t granules = extent.begins() ? std::clamp<std::uint64_t>(extent.granules(), 1, count - index) : 1;
    visit(index, extent, granules);
    index += granules;
  }
}

}  // namespace SAPBUF_DETAIL
