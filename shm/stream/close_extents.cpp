#include "stream/close_extents.hpp"

#include <sapbuf/detail/kill_point.hpp>
#include "platform/fence.hpp"
#include "stream/extents.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::Progress;

constexpr auto relaxed = std::memory_order_relaxed;

bool may_close(StreamCore& core, SlabGeneration where, std::uint64_t index, Extent extent) noexcept {
  const layout::StreamSlot& owner = core.slot(extent.owner());
  // close: after the heavy fence. An idle writer will see `revoked` before it touches the extent again; a writer whose
  // claim is elsewhere has left it, or has only just opened it, and will look before it touches it.
  const Claim claim{owner.claim.load(std::memory_order_acquire)};
  const bool here = claim.is_in(where.generation) && claim.slab() == where.slab &&
                    claim.offset_bytes() == index * core.geometry().granule_bytes;
  return !here || !Progress{owner.progress.load(std::memory_order_acquire)}.busy();
}

// An extent that was claimed in time, but opened after the look that revokes, is left to the next closer: its owner
// knows of nothing, and would go on writing into it.
bool is_revoked(StreamCore& core, SlabGeneration where, Extent extent) noexcept {
  return core.slot(extent.owner()).revoked.load(relaxed) >= where.generation;
}

}  // namespace

bool close_extents(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  bool unfinished = false;
  bool any_open = false;
  for_each_extent(core, where, claimed, [&](std::uint64_t, Extent extent, std::uint64_t) {
    if (!extent.begins()) unfinished = true;
    if (extent.state() != ExtentState::open) return;
    if (extent.owner() >= core.geometry().participants) {
      unfinished = true;
      return;
    }
    any_open = true;
    layout::Word& revoked = core.slot(extent.owner()).revoked;
    // revoked: release, so that who sees it sees that the cursor has left the generation.
    if (revoked.load(relaxed) < where.generation) revoked.store(where.generation, std::memory_order_release);
  });
  if (!any_open) return !unfinished;
  SAPBUF_KILL_POINT(close_revoked);
  // Without it an owner may be busy unseen: the extents stay revoked, and whoever can make the fence closes them.
  if (!platform::heavy_fence(core.full_fences())) return false;
  for_each_extent(core, where, claimed, [&](std::uint64_t index, Extent extent, std::uint64_t) {
    if (extent.state() != ExtentState::open) return;
    if (extent.owner() < core.geometry().participants && is_revoked(core, where, extent) &&
        may_close(core, where, index, extent)) {
      close_extent(core, {where.slab, index}, extent);
    } else {
      unfinished = true;
    }
  });
  return !unfinished;
}

std::uint64_t count_in_extents(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  std::uint64_t messages = 0;
  for_each_extent(core, where, claimed, [&](std::uint64_t, Extent extent, std::uint64_t) {
    if (extent.state() == ExtentState::closed) messages += extent.messages();
  });
  return messages;
}

}  // namespace SAPBUF_DETAIL
