// A reader's look for a message: what wait_for() repeats, and pin() begins with.
#pragma once

#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {

// As find_message(), for a lossless reader that knows all and has one place only, at next to no cost: for those who
// spin. In other situations it is unclear.
inline Finding glance(const ReaderState& reader) noexcept {
  using layout::FrameKind;
  // Without a pin, even the header may be somebody's payload by now.
  if (reader.attachment.overwrites()) return Finding::unclear;
  const Place* const place = reader.windows.sole_place();
  if (place == nullptr || !reader.windows.is_up_to_date()) return Finding::unclear;
  if (place->at >= place->stop) return Finding::nothing;
  // frame-publish: acquire, as in the walk.
  switch (layout::FrameHeader{layout::word_at(place->at).load(std::memory_order_acquire)}.kind()) {
    case FrameKind::message:
      return Finding::message;
    case FrameKind::none:
    case FrameKind::busy:
      return Finding::nothing;
    default:
      return Finding::unclear;
  }
}

// Looks for a message, and pins the slabs for it: in an `overwrite` stream nothing may be taken for a frame that is not
// pinned. Unless it finds one, nothing is pinned. Unclear: a slab is just being reclaimed.
inline Finding try_to_pin_message(ReaderState& reader) {
  const Finding glanced = glance(reader);
  if (glanced != Finding::unclear) return glanced;
  for (;;) {
    reader.windows.refresh();
    if (!reader.pins.pin()) return Finding::unclear;
    const Finding found = reader.windows.find_message();
    if (found == Finding::message) return found;
    reader.pins.unpin();
    if (found == Finding::nothing) return found;
  }
}
inline bool pin_message(ReaderState& reader) { return try_to_pin_message(reader) == Finding::message; }

inline Finding look_closely(ReaderState& reader) {
  const Finding found = try_to_pin_message(reader);
  if (found == Finding::message) reader.pins.undo_pin();
  return found;
}
inline bool look(ReaderState& reader) { return look_closely(reader) == Finding::message; }

}  // namespace SAPBUF_DETAIL
