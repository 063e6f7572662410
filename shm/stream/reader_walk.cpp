#include "stream/reader_walk.hpp"

#include <algorithm>

#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {

using layout::FrameHeader;
using layout::FrameKind;

// From the walk's place on, the first that is to be read now.
Stretch ReaderWalk::enter_place() noexcept {
  for (; !is_at_end(); ++window_, place_ = 0) {
    const Window& window = windows_[window_];
    if (!window.in_range) continue;
    while (place_ < window.places.size() && window.places[place_].deferred) ++place_;
    if (place_ == window.places.size()) continue;
    if (!pins_.come_to(window)) break;  // it was overwritten: the next range says how much is lost
    return {window.places[place_].at, window.places[place_].stop};
  }
  return stop_here();
}

// Notes how far the walk came in its place.
void ReaderWalk::leave_place(const std::byte* at, Handed handed) noexcept {
  Window& window = windows_[window_];
  Place& place = window.places[place_];
  bytes_ += static_cast<std::uint64_t>(at - place.at);
  place.at = at;
  const Passed passed{.messages = handed.messages(), .bytes = handed.bytes()};
  window.passed += passed;
  layout::StreamSlot& slot = attachment_.slot();
  slot.delivered.store(slot.delivered.load(std::memory_order_relaxed) + passed.messages, std::memory_order_relaxed);
  slot.read_bytes.store(slot.read_bytes.load(std::memory_order_relaxed) + passed.bytes, std::memory_order_relaxed);
}

Stretch ReaderWalk::next(const std::byte* at, Handed handed) noexcept {
  if (is_at_end()) return {nullptr, nullptr};
  leave_place(at, handed);
  const Place& place = windows_[window_].places[place_];
  if (at < place.stop) {
    // frame-publish: acquire, as in the loop over the range.
    const FrameHeader header{layout::word_at(at).load(std::memory_order_acquire)};
    const std::uint64_t room = static_cast<std::uint64_t>(place.end - at);
    const bool filler = header.kind() == FrameKind::nop || header.kind() == FrameKind::extent;
    if (filler && header.span() <= room) return {at + header.span(), place.stop};
    if (header.kind() == FrameKind::message && header.span() <= room) {
      return {at, std::max(place.stop, at + header.span())};  // it came only now
    }
    if (header.kind() != FrameKind::none && header.kind() != FrameKind::busy) attachment_.set_corrupt(true);
  }
  if (attachment_.corrupt() || (attachment_.in_total_order() && at < place.end)) return stop_here();
  ++place_;
  return enter_place();
}

void ReaderWalk::end(const std::byte* at, Handed handed) noexcept {
  const bool is_others = !attachment_.is_current();
  if (is_others || is_abandoned_) return end_range();
  if (!is_at_end()) leave_place(at, handed);  // the loop was left early
  windows_.store_position();
  end_range();
  windows_.trail(false);
  windows_.forget_deferred();  // an extent is left out once, however long its owner fills it
  pins_.unpin();
  if (windows_.sole_place() == nullptr) windows_.forget_finished();
}

// By what this reader knows of itself, which its hold only tells others: see RangeOwner.
bool ReaderWalk::keeps_by_range(const StreamCore& stream, std::uint64_t generation) const noexcept {
  if (attachment_.is_of_parent() || !attachment_.core().is_same(stream)) return false;
  return !attachment_.overwrites() && windows_.front().generation <= generation;
}

Stretch next_stretch(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept {
  return state.walk.next(at, Handed{handed});
}

void unpin(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept {
  state.walk.end(at, Handed{handed});
  if (state.closed) [[unlikely]]
    close_reader(&state);
}

}  // namespace SAPBUF_DETAIL
