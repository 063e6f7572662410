// What a reader finds out about a message that it looks at: where it stands, and what is attached to it.
#include <sapbuf/reader.hpp>

#include "pool/hand_over.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {
namespace {

struct HeaderPlace {
  std::uint32_t slab;
  std::uint64_t offset;
};

HeaderPlace place_of(StreamCore& core, const std::byte* payload) noexcept {
  const auto at = static_cast<std::uint64_t>(payload - layout::kUnitBytes - core.slab_for_reading(0));
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  return {static_cast<std::uint32_t>(at / slab_bytes), at % slab_bytes};
}

}  // namespace

// life: relaxed, for the reader keeps the slab, so that this is the word by which it found the generation.
FramePosition position_of(ReaderState& reader, const std::byte* payload) noexcept {
  StreamCore& core = reader.attachment.core();
  const HeaderPlace place = place_of(core, payload);
  const layout::SlabLife life{core.descriptor(place.slab).life.load(std::memory_order_relaxed)};
  return {life.generation(), place.offset};
}

// frame-publish: the header was read with acquire, so entries that it leads to are seen; and the reader keeps the slab.
AttachedReference load_attached(ReaderState& reader, const std::byte* payload, std::uint32_t place) noexcept {
  StreamCore& core = reader.attachment.core();
  const auto found = load_attached(core, place_of(core, payload).slab, place);
  if (!found) {
    reader.attachment.set_corrupt(true);
    return {};
  }
  return {.reference = {where_of(core.segment().creation_id(), found->link.pool()), found->root.index(),
                        found->root.incarnation()},
          .next_place = found->link.ends_message() ? 0 : found->link.next(),
          .is_there = true};
}

}  // namespace SAPBUF_DETAIL
