#include "stream/slabs.hpp"

#include <algorithm>

namespace SAPBUF_DETAIL {

using layout::Cursor;
using layout::SlabLife;
using layout::SlabState;

ActiveSlab load_active(StreamCore& core) noexcept {
  // The cursor moves while this looks; a mismatch that lasts is not a race but corruption.
  for (int tries = 0; tries < 1000; ++tries) {
    const Cursor cursor{core.control().cursor.load(std::memory_order_acquire)};
    if (cursor.slab() >= core.geometry().slabs) return {};
    // life: stored before the cursor moved here, so the acquire above makes it visible.
    const SlabLife life{core.descriptor(cursor.slab()).life.load(std::memory_order_acquire)};
    if (cursor.is_in(life.generation()) && life.generation() != 0 && life.readable()) {
      return {life.generation(), cursor.slab(), cursor.offset_bytes()};
    }
  }
  return {};
}

ActiveSlab expect_active(StreamCore& core) {
  const ActiveSlab active = load_active(core);
  if (!active.valid()) core.throw_corrupt("the cursor points nowhere");
  return active;
}

std::optional<std::uint32_t> find_slab(StreamCore& core, std::uint64_t generation) noexcept {
  return first_slab(core, [&](SlabLife life) { return life.generation() == generation && life.readable(); });
}

std::optional<SlabGeneration> slab_of(StreamCore& core, layout::Claim claim) noexcept {
  if (!claim.is_located() || claim.slab() >= core.geometry().slabs) return std::nullopt;
  if (claim.offset_bytes() >= core.geometry().slab_bytes) return std::nullopt;
  const SlabLife life{core.descriptor(claim.slab()).life.load(std::memory_order_acquire)};
  if (!life.readable() || !claim.is_in(life.generation())) return std::nullopt;
  return SlabGeneration{life.generation(), claim.slab()};
}

std::optional<SlabGeneration> find_oldest(StreamCore& core, std::uint64_t at_least) noexcept {
  std::optional<SlabGeneration> oldest;
  for_each_slab(core, [&](std::uint32_t slab, SlabLife life) {
    if (!life.readable() || life.generation() < at_least) return;
    if (!oldest || life.generation() < oldest->generation) oldest = SlabGeneration{life.generation(), slab};
  });
  return oldest;
}

std::uint64_t newest_generation(StreamCore& core) noexcept {
  std::uint64_t newest = 0;
  for_each_slab(core, [&newest](std::uint32_t, SlabLife life) {
    if (life.readable()) newest = std::max(newest, life.generation());
  });
  return newest;
}

std::uint64_t claimed_bytes(StreamCore& core, const ActiveSlab& active, SlabGeneration where) noexcept {
  const std::uint64_t claimed = where.generation == active.generation
                                    ? active.offset_bytes
                                    : core.descriptor(where.slab).limit_bytes.load(std::memory_order_acquire);
  const std::uint64_t unit = core.geometry().order == Order::total ? layout::kUnitBytes : core.geometry().granule_bytes;
  return std::min(claimed, core.geometry().slab_bytes) / unit * unit;
}

void mend_states(StreamCore& core, const ActiveSlab& active) noexcept {
  for_each_slab(core, [&](std::uint32_t slab, SlabLife life) {
    if ((life.state() == SlabState::active && life.generation() < active.generation) ||
        life.state() == SlabState::reclaiming) {
      core.descriptor(slab).life.store(SlabLife::make(life.generation(), SlabState::sealed).word,
                                       std::memory_order_release);
    }
  });
}

}  // namespace SAPBUF_DETAIL
