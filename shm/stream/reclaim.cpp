#include "stream/reclaim.hpp"

#include <algorithm>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include "segment/registry.hpp"
#include "stream/seal.hpp"

namespace sapbuf::detail {
namespace {

using layout::SlabLife;
using layout::SlabState;

constexpr auto relaxed = std::memory_order_relaxed;

template <typename Test>
bool any_reader(SegmentCore& core, Test test) noexcept {
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    const layout::ParticipantSlot& slot = core.slot(index);
    const layout::SlotTenure tenure{slot.tenure.load(std::memory_order_acquire)};
    if (tenure.in_use() && tenure.role() == layout::SlotRole::reader && test(slot)) return true;
  }
  return false;
}

bool is_held(SegmentCore& core, std::uint64_t generation) noexcept {
  // hold-release: acquire, so that what the reader read is behind us when its hold has moved on.
  return any_reader(core, [&](const layout::ParticipantSlot& reader) {
    return reader.hold.load(std::memory_order_acquire) <= generation;
  });
}

bool is_pinned(SegmentCore& core, std::uint32_t slab) noexcept {
  return any_reader(core, [&](const layout::ParticipantSlot& reader) {
    return (reader.pins.load(std::memory_order_seq_cst) >> slab & 1) != 0;
  });
}

// Makes a slab that nobody may read any more ready for the next generation.
//   killed in between: it still says `cleaning`, and the next one begins anew
void clean(SegmentCore& core, std::uint32_t slab, std::uint64_t generation) {
  const layout::Geometry& geometry = core.geometry();
  if (geometry.order == Order::per_writer) {
    for (std::uint64_t index = 0; index < geometry.extents_per_slab(); ++index)
      core.extent(slab, index).store(0, relaxed);
  } else {
    // All of it: behind the limit stands a NOP, and a claimer that ran over the end may have been killed with half its
    // work done.
    std::memset(core.slab_for_writing(slab), 0, geometry.slab_bytes);
  }
  SAPBUF_KILL_POINT("reclaim.cleaned");
  core.descriptor(slab).life.store(SlabLife::make(generation, SlabState::free).word, std::memory_order_release);
}

// Takes a closed slab that no reader holds. False if a pin is in the way.
//   pin: the state is stored, then pins are read; a reader stores its pin, then reads the state. One of the two sees
//   the other. killed while `reclaiming`: the next one seals it again.  while `cleaning`: the decision stands
bool reclaim(SegmentCore& core, Placed place) {
  layout::Word& life = core.descriptor(place.slab).life;
  life.store(SlabLife::make(place.generation, SlabState::reclaiming).word, std::memory_order_seq_cst);
  SAPBUF_KILL_POINT("reclaim.announced");
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (is_pinned(core, place.slab)) {
    life.store(SlabLife::make(place.generation, SlabState::sealed).word, std::memory_order_release);
    return false;
  }
  life.store(SlabLife::make(place.generation, SlabState::cleaning).word, std::memory_order_release);
  SAPBUF_KILL_POINT("reclaim.cleaning");
  clean(core, place.slab, place.generation);
  return true;
}

// A slab that is free, or that somebody who died was about to free.
std::optional<std::uint32_t> find_free(SegmentCore& core) {
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    const SlabLife life{core.descriptor(slab).life.load(std::memory_order_acquire)};
    if (life.state() == SlabState::cleaning) clean(core, slab, life.generation());
    if (life.state() == SlabState::cleaning || life.state() == SlabState::free) return slab;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> take_free_slab(SegmentCore& core, const ActiveSlab& active) {
  if (const auto slab = find_free(core)) return slab;
  close_ended(core, active);
  const std::uint64_t closed = core.control().closed_through.load(relaxed);
  std::uint64_t from = 1;
  for (std::uint32_t step = 0; step < core.geometry().slabs; ++step) {
    const auto oldest = find_oldest(core, from);
    if (!oldest || oldest->generation > closed || oldest->generation >= active.generation) return std::nullopt;
    // Lossless readers keep everything from their position on: if one holds this generation, it holds all later ones.
    if (is_held(core, oldest->generation)) return std::nullopt;
    if (reclaim(core, *oldest)) return oldest->slab;
    from = oldest->generation + 1;
  }
  return std::nullopt;
}

bool may_have_free_slab(SegmentCore& core) noexcept {
  std::uint64_t newest = 0;
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    const SlabLife life{core.descriptor(slab).life.load(std::memory_order_acquire)};
    if (!life.readable()) return true;
    newest = std::max(newest, life.generation());
  }
  const auto oldest = find_oldest(core, 1);
  return !oldest || oldest->generation == newest || !is_held(core, oldest->generation);
}

}  // namespace sapbuf::detail
