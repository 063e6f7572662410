#include "stream/reader_newest.hpp"

#include <bitset>

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {
namespace {

using layout::FrameHeader;
using layout::FrameKind;

constexpr auto relaxed = std::memory_order_relaxed;

// What stands in a place from the reader's position on.
struct PlaceContent {
  const std::byte* at = nullptr;    // the first header that is neither a message nor filler
  const std::byte* last = nullptr;  // the last message; null: there is none
  Passed all;                       // messages
  std::uint64_t last_bytes = 0;     // payload of the last one

  Passed all_but_last() const noexcept { return {.messages = all.messages - 1, .bytes = all.bytes - last_bytes}; }
};

PlaceContent walk_to_end(ReaderState& reader, const Place& place) noexcept {
  PlaceContent content;
  content.at = place.at;
  while (content.at < place.stop) {
    // frame-publish: acquire, as in the walk of a range.
    const FrameHeader header{layout::word_at(content.at).load(std::memory_order_acquire)};
    if (header.kind() == FrameKind::none || header.kind() == FrameKind::busy) break;
    const bool message = header.kind() == FrameKind::message;
    const bool filler = header.kind() == FrameKind::nop || header.kind() == FrameKind::extent;
    if ((!message && !filler) || header.span() > static_cast<std::uint64_t>(place.end - content.at)) {
      reader.attachment.set_corrupt(true);
      break;
    }
    if (message) {
      content.last = content.at;
      content.last_bytes = header.payload_bytes();
      content.all += {.messages = 1, .bytes = content.last_bytes};
    }
    content.at += header.span();
  }
  return content;
}

// From the newest to the oldest: whoever spoke in a later place has nothing new to say in an earlier one.
Passed skip_in_extents(ReaderState& reader, bool keeps_newest) noexcept {
  std::bitset<layout::Extent::kMaxOwners> has_spoken;
  Passed total;
  for (auto window = reader.windows.rbegin(); window != reader.windows.rend(); ++window) {
    for (auto place = window->places.rbegin(); place != window->places.rend(); ++place) {
      const PlaceContent content = walk_to_end(reader, *place);
      const bool keeps_last = content.last != nullptr && keeps_newest && !has_spoken[place->owner];
      if (keeps_last) has_spoken.set(place->owner);
      const Passed passed = keeps_last ? content.all_but_last() : content.all;
      place->at = keeps_last ? content.last : content.at;
      window->passed += passed;
      total += passed;
    }
  }
  return total;
}

// As far as the chain goes now: to the first frame that is open.
Passed skip_in_chain(ReaderState& reader, bool keeps_newest) noexcept {
  Window* newest = nullptr;  // has the newest message, which is left out if a later one is found
  const std::byte* behind = nullptr;
  std::uint64_t newest_bytes = 0;
  Passed total;
  const auto leave_out = [&](Window& window, const Passed& passed) {
    window.passed += passed;
    total += passed;
  };
  const auto leave_out_newest = [&] {
    if (newest == nullptr) return;
    newest->places.front().at = behind;
    leave_out(*newest, {.messages = 1, .bytes = newest_bytes});
  };
  for (Window& window : reader.windows) {
    if (window.places.empty()) continue;
    Place& place = window.places.front();
    const PlaceContent content = walk_to_end(reader, place);
    place.at = content.at;
    if (content.last != nullptr) {
      leave_out_newest();
      newest = &window;
      behind = content.at;
      newest_bytes = content.last_bytes;
      place.at = content.last;
      leave_out(window, content.all_but_last());
    }
    if (content.at < place.end) break;
  }
  if (!keeps_newest) leave_out_newest();
  return total;
}

}  // namespace

std::uint64_t skip_to_newest(ReaderState& reader) {
  StreamCore& core = reader.attachment.core();
  layout::StreamSlot& slot = reader.attachment.slot();
  reader.windows.trail(false);
  std::uint64_t total = 0;
  // In an `overwrite` stream there may be a gap, and what lies behind it is known when all before it is finished.
  bool knows_newest = false;
  for (std::uint32_t pass = 0; pass <= core.geometry().slabs && !knows_newest; ++pass) {
    reader.windows.refresh();
    SAPBUF_KILL_POINT(newest_looked);
    if (!reader.pins.pin()) break;
    knows_newest = reader.windows.reach_cursor();
    const Passed left_out =
        core.in_total_order() ? skip_in_chain(reader, knows_newest) : skip_in_extents(reader, knows_newest);
    slot.skipped.store(slot.skipped.load(relaxed) + left_out.messages, relaxed);
    slot.read_bytes.store(slot.read_bytes.load(relaxed) + left_out.bytes, relaxed);
    total += left_out.messages;
    reader.windows.store_position();
    reader.pins.undo_pin();
    reader.windows.forget_finished();
    reader.attachment.check_not_corrupt();
  }
  return total;
}

}  // namespace SAPBUF_DETAIL
