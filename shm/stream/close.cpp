#include "stream/close.hpp"

#include <sapbuf/detail/kill_point.hpp>
#include "stream/close_extents.hpp"
#include "stream/close_frames.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::FrameHeader;

constexpr auto relaxed = std::memory_order_relaxed;

// Writes down what is known now that the generation is closed. Repeatable: the last store says that it is done.
void record_closed(StreamCore& core, SlabGeneration where, std::uint64_t claimed) {
  const layout::StreamGeometry& geometry = core.geometry();
  if (claimed < geometry.slab_bytes) {
    layout::word_at(core.slab_for_writing(where.slab) + claimed)
        .store(FrameHeader::nop(geometry.slab_bytes - claimed).word, std::memory_order_release);
  }
  layout::SlabDescriptor& descriptor = core.descriptor(where.slab);
  if (geometry.counts_messages()) {
    const std::uint64_t messages =
        core.in_total_order() ? count_in_frames(core, where, claimed) : count_in_extents(core, where, claimed);
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
  for (std::uint32_t step = 0; step < core.geometry().slabs; ++step) {
    const std::uint64_t generation = core.control().closed_through.load(relaxed) + 1;
    if (generation >= active.generation) return;
    const auto slab = find_slab(core, generation);
    if (!slab) return;
    const SlabGeneration where{generation, *slab};
    const std::uint64_t claimed = claimed_bytes(core, active, where);
    if (!(core.in_total_order() ? no_frame_is_open(core, where) : close_extents(core, where, claimed))) return;
    record_closed(core, where, claimed);
  }
}

}  // namespace SAPBUF_DETAIL
