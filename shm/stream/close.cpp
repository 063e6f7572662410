#include "stream/close.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/fence.hpp"
#include "segment/registry.hpp"
#include "stream/extents.hpp"

namespace sapbuf::detail {
namespace {

using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::Progress;

constexpr auto relaxed = std::memory_order_relaxed;

// How often a writer that seems to be between a claim and its trace is looked at again: some microseconds.
constexpr int kLooks = 200;

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

// Revokes and closes the open extents of a generation. Returns whether all are closed now.
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

// Total order: whether this writer may still have a claim or an open frame in the generation, which the cursor has
// left. A claim that began after the cursor left it cannot be in it; so a change of the word is as good as none.
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

bool no_frame_is_open(StreamCore& core, SlabGeneration where) {
  return !any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration registration) {
    return registration.role() == layout::SlotRole::writer && may_write_into(core.slot(slot), where);
  });
}

std::uint64_t count_messages(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  std::uint64_t messages = 0;
  if (core.geometry().order == Order::per_writer) {
    for_each_extent(core, where, claimed, [&](std::uint64_t, Extent extent, std::uint64_t) {
      if (extent.state() == ExtentState::closed) messages += extent.messages();
    });
    return messages;
  }
  const std::byte* const slab = core.slab_for_writing(where.slab);
  for (std::uint64_t offset = 0; offset < claimed;) {
    const FrameHeader header{layout::word_at(slab + offset).load(std::memory_order_acquire)};
    if (header.kind() == FrameKind::message) ++messages;
    offset += header.span();
  }
  return messages;
}

// Writes down what is known now that the generation is closed. Repeatable: the last store says that it is done.
void record_closed(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  const layout::StreamGeometry& geometry = core.geometry();
  if (claimed < geometry.slab_bytes) {
    layout::word_at(core.slab_for_writing(where.slab) + claimed)
        .store(FrameHeader::nop(geometry.slab_bytes - claimed).word, std::memory_order_release);
  }
  layout::SlabDescriptor& descriptor = core.descriptor(where.slab);
  if (geometry.counts_messages()) {
    const std::uint64_t messages = count_messages(core, where, claimed);
    descriptor.messages.store(messages + 1, relaxed);
    const std::uint64_t before = descriptor.messages_before.load(relaxed);
    if (const auto next = find_slab(core, where.generation + 1)) {
      core.descriptor(*next).messages_before.store(before + messages, std::memory_order_release);
    }
  }
  SAPBUF_KILL_POINT(close_recorded);
  descriptor.closed.store(1, relaxed);
  core.control().closed_through.store(where.generation, std::memory_order_release);
}

}  // namespace

void close_ended(StreamCore& core, const ActiveSlab& active) {
  const bool per_writer = core.geometry().order == Order::per_writer;
  for (std::uint32_t step = 0; step < core.geometry().slabs; ++step) {
    const std::uint64_t generation = core.control().closed_through.load(relaxed) + 1;
    if (generation >= active.generation) return;
    const auto slab = find_slab(core, generation);
    if (!slab) return;
    const SlabGeneration where{generation, *slab};
    const std::uint64_t claimed = claimed_bytes(core, active, where);
    if (!(per_writer ? close_extents(core, where, claimed) : no_frame_is_open(core, where))) return;
    record_closed(core, where, claimed);
  }
}

}  // namespace sapbuf::detail
