// The buffers that are attached to a slab's messages: room for one more, walking over them, letting go of them.
//
// Whoever attaches has a reservation open in the slab, so its generation is not closed meanwhile, and the slab not
// reclaimed: what a writer claims there stays its own until the message is committed, however long it is stopped.
#pragma once

#include <optional>

#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

// Whether no more reservations are to be made in the slab: `attachments` entries are taken.
inline bool is_array_full(const layout::StreamGeometry& geometry, const layout::AttachedBuffers& array) noexcept {
  return array.count.load(std::memory_order_relaxed) >= geometry.attachments;
}

// Claims an entry: its place. Nothing if the array is full; the first one of a reservation may still have one of those
// that are kept for that. There are as many of these as participants, each of which takes one at the most: it looks at
// the array before its next reservation, and whoever came later has looked before its first.
std::optional<std::uint32_t> claim_attached(StreamCore& core, std::uint32_t slab, bool is_first) noexcept;

// The place of the entry that a reader, or who aborts, comes to. Nothing if the words make no sense: places only rise,
// so no walk is endless.
struct AttachedAt {
  layout::AttachedLink link;
  layout::Root root;
};
std::optional<AttachedAt> load_attached(StreamCore& core, std::uint32_t slab, std::uint32_t place) noexcept;

// Lets go of what was attached in one reservation, of which `first` is the first place. By its writer.
void let_go_of_attached(StreamCore& core, std::uint32_t slab, std::uint32_t first) noexcept;

// Lets go of all that is attached in a slab that nobody may read any more. Under the stream's lock, before the slab is
// free.
//   killed in between: the next one does it once more
void let_go_of_all_attached(StreamCore& core, std::uint32_t slab) noexcept;

// Whether buffers of that pool are attached to messages of the slab.
bool has_attached(StreamCore& core, std::uint32_t slab, layout::FacilityId pool) noexcept;

}  // namespace SAPBUF_DETAIL
