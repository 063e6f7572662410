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
// pinned. False: there is none now, and nothing is pinned.
inline bool pin_message(ReaderState& reader) {
  const Finding glanced = glance(reader);
  if (glanced != Finding::unclear) return glanced == Finding::message;
  for (;;) {
    reader.windows.refresh();
    if (!reader.pins.pin()) return false;
    const Finding found = reader.windows.find_message();
    if (found == Finding::message) return true;
    reader.pins.unpin();
    if (found == Finding::nothing) return false;
  }
}

inline bool look(ReaderState& reader) {
  const bool found = pin_message(reader);
  if (found) reader.pins.undo_pin();
  return found;
}

}  // namespace SAPBUF_DETAIL
