#include "stream/close_frames.hpp"

#include "stream/frames.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::FrameHeader;
using layout::FrameKind;
using layout::Progress;

// How often a writer that seems to be between a claim and its trace is looked at again: some microseconds.
constexpr int kLooks = 200;

// Whether this writer may still have a claim or an open frame in the generation, which the cursor has left. A claim that
// began after the cursor left it cannot be in it; so a change of the word is as good as none.
bool may_write_into(const layout::StreamSlot& slot, SlabGeneration where) noexcept {
  const Claim first{slot.claim.load(std::memory_order_acquire)};
  for (int look = 0; look < kLooks; ++look) {
    const Claim claim{slot.claim.load(std::memory_order_acquire)};
    if (claim.word != first.word) {
      if (claim.is_claiming() || !claim.is_in(where.generation)) return false;
    } else if (!claim.is_claiming() && !claim.is_in(where.generation)) {
      return false;
    }
    if (claim.is_in(where.generation) && !Progress{slot.progress.load(std::memory_order_acquire)}.busy()) return false;
  }
  return true;
}

}  // namespace

bool no_frame_is_open(StreamCore& core, SlabGeneration where) {
  return !any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration registration) {
    return registration.role() == layout::SlotRole::writer && may_write_into(core.slot(slot), where);
  });
}

std::uint64_t count_in_frames(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  std::uint64_t messages = 0;
  for_each_frame(core.slab_for_writing(where.slab), claimed, Unwritten::is_hole,
                 [&](std::uint64_t, FrameHeader header, std::uint64_t) {
                   if (header.kind() == FrameKind::message) ++messages;
                   return true;
                 });
  return messages;
}

}  // namespace SAPBUF_DETAIL
