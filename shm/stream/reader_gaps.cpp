#include "stream/reader_gaps.hpp"

#include <algorithm>

#include "segment/liveness.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;
using layout::SlabState;

template <typename Test>
bool any_writer(StreamCore& core, Test test) noexcept {
  return any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration registration) {
    return registration.role() == layout::SlotRole::writer && test(slot);
  });
}

bool any_writer_is_claiming(StreamCore& core) noexcept {
  return any_writer(core, [&](std::uint32_t index) {
    return Claim{core.slot(index).claim.load(std::memory_order_acquire)}.is_claiming();
  });
}

// Total order: whether a writer has the frame at `offset` open.
bool any_writer_has_open(StreamCore& core, SlabGeneration where, std::uint64_t offset) noexcept {
  return any_writer(core, [&](std::uint32_t index) {
    const layout::StreamSlot& slot = core.slot(index);
    const Claim claim{slot.claim.load(std::memory_order_acquire)};
    // gap: acquire, for the length may be a later claim's: then this one's frame is seen at the next look at it.
    if (!claim.is_in(where.generation) || claim.slab() != where.slab) return false;
    const std::uint64_t end = claim.offset_bytes() + slot.claimed_bytes.load(std::memory_order_acquire);
    return claim.offset_bytes() <= offset && offset < end &&
           layout::Progress{slot.progress.load(std::memory_order_acquire)}.busy();
  });
}

// What the dead have begun is recovery's to close.
bool any_writer_is_dead(StreamCore& core) noexcept {
  return any_writer(core, [&](std::uint32_t index) {
    layout::SlotRegistration registration;
    return needs_settling(core.segment(), index, registration);
  });
}

bool is_unwritten(const std::byte* at) noexcept {
  const FrameKind kind = FrameHeader{layout::word_at(at).load(std::memory_order_acquire)}.kind();
  return kind == FrameKind::none || kind == FrameKind::busy;
}

// A closed extent is one chain of frames to its end. And a claim leaves its trace before its writer does anything else:
//   announce: the cursor was read (acquire) when the claim was learned of; who made it says `claiming` until the trace
//   is there
bool has_gap_in_extents(const ReaderState& reader) noexcept {
  StreamCore& core = reader.attachment.core();
  const auto state_of = [&](const Window& window, std::uint64_t granule) {
    return Extent{core.extent(window.slab, granule).load(std::memory_order_acquire)}.state();
  };
  const auto is_without_trace = [&](const Window& window, Granules claimed) {
    for (std::uint64_t granule = claimed.begin; granule < claimed.end; ++granule) {
      if (state_of(window, granule) != ExtentState::free) return false;
    }
    return true;
  };
  for (const Window& window : reader.windows) {
    for (const Place& place : window.places) {
      // extent-close: acquire, so that the frames are seen up to the end; the header is read behind it.
      if (place.at < place.stop && state_of(window, place.extent) == ExtentState::closed && is_unwritten(place.at)) {
        return true;
      }
    }
    if (window.untraced.empty() || any_writer_is_claiming(core)) continue;
    const Granules claimed = window.untraced.front();
    if (is_without_trace(window, claimed) && !any_writer_is_dead(core) && is_without_trace(window, claimed)) {
      return true;
    }
  }
  return false;
}

// A claimed frame that is not there belongs to a writer that says so: `claiming`, or located there and busy.
bool has_gap_in_chain(const ReaderState& reader) noexcept {
  StreamCore& core = reader.attachment.core();
  const Window& window = reader.windows.front();
  if (window.places.empty()) return false;
  const SlabGeneration slab{window.generation, window.slab};
  const std::byte* const begin = core.slab_for_reading(slab.slab);
  const std::byte* const at = window.places.front().at;
  // announce: acquire of the cursor, then the claims, as in repair.
  const ActiveSlab active = load_active(core);
  if (!active.valid() || at >= begin + claimed_bytes(core, active, slab) || !is_unwritten(at)) return false;
  const auto offset = static_cast<std::uint64_t>(at - begin);
  if (any_writer_is_claiming(core) || any_writer_has_open(core, slab, offset)) return false;
  if (!is_unwritten(at) || any_writer_is_dead(core)) return false;
  return is_unwritten(at);
}

}  // namespace

bool is_obstructed(const ReaderState& reader) noexcept {
  StreamCore& core = reader.attachment.core();
  // Whoever was reclaiming this slab may have died before it decided; recovery settles that.
  const Window& first = reader.windows.front();
  if (SlabLife{core.descriptor(first.slab).life.load(std::memory_order_acquire)}.state() == SlabState::reclaiming)
    return true;
  if (!core.in_total_order()) {
    return std::any_of(reader.windows.begin(), reader.windows.end(),
                       [](const Window& window) { return !window.untraced.empty(); });
  }
  if (first.places.empty()) return false;
  const ActiveSlab active = load_active(core);
  const std::uint64_t claimed = claimed_bytes(core, active, {first.generation, first.slab});
  return first.places.front().at < core.slab_for_reading(first.slab) + claimed;
}

void check_for_gaps(ReaderState& reader) {
  if (!reader.pins.pin()) return;
  const bool gap = reader.attachment.in_total_order() ? has_gap_in_chain(reader) : has_gap_in_extents(reader);
  reader.pins.undo_pin();
  if (!gap) return;
  reader.attachment.set_corrupt(true);
  reader.attachment.core().throw_corrupt(
      "there is a gap that nobody is going to fill (was one Writer used by two threads at once?)");
}

}  // namespace SAPBUF_DETAIL
