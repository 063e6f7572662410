// What a reader finds attached to the messages that it looks at.
#include <sapbuf/reader.hpp>

#include "pool/hand_over.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/reader_state.hpp"

namespace sapbuf::detail {

// frame-publish: the header was read with acquire, so entries that it leads to are seen; and the reader keeps the slab.
AttachedReference load_attached(ReaderState& reader, const std::byte* payload, std::uint32_t place) noexcept {
  StreamCore& core = reader.attachment.core();
  const std::byte* const header = payload - layout::kUnitBytes;
  const auto slab = static_cast<std::uint32_t>(static_cast<std::uint64_t>(header - core.slab_for_reading(0)) /
                                               core.geometry().slab_bytes);
  const auto found = load_attached(core, slab, place);
  if (!found) {
    reader.attachment.set_corrupt(true);
    return {};
  }
  return {.reference = {where_of(core.segment().creation_id(), found->link.pool()), found->root.index(),
                        found->root.incarnation()},
          .next_place = found->link.ends_message() ? 0 : found->link.next(),
          .is_there = true};
}

}  // namespace sapbuf::detail
