#include "stream/flip.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "stream/frames.hpp"
#include "stream/reclaim.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Cursor;
using layout::SlabLife;
using layout::SlabState;

constexpr auto relaxed = std::memory_order_relaxed;

// A slab that a flipper prepared before it died.
std::optional<std::uint32_t> find_prepared(StreamCore& core, std::uint64_t generation) noexcept {
  const SlabLife prepared = SlabLife::make(generation, SlabState::active);
  return first_slab(core, [&](SlabLife life) { return life.word == prepared.word; });
}

void prepare(StreamCore& core, std::uint32_t slab, std::uint64_t generation) {
  begin_slab(core.slab_for_writing(slab), core.geometry());
  layout::SlabDescriptor& descriptor = core.descriptor(slab);
  descriptor.limit_bytes.store(0, relaxed);
  descriptor.messages_before.store(0, relaxed);
  descriptor.messages.store(0, relaxed);
  descriptor.closed.store(0, relaxed);
  SAPBUF_KILL_POINT(flip_preparing);
  // life: release, before the cursor moves here, and behind what the slab begins with.
  descriptor.life.store(SlabLife::make(generation, SlabState::active).word, std::memory_order_release);
}

void move_cursor(StreamCore& core, const ActiveSlab& from, std::uint32_t slab) noexcept {
  layout::Word& cursor = core.control().cursor;
  layout::SlabDescriptor& old = core.descriptor(from.slab);
  const std::uint64_t begin = core.geometry().first_claim_at();
  const Cursor next = Cursor::make(from.generation + 1, slab, begin / layout::kUnitBytes);
  std::uint64_t seen = cursor.load(std::memory_order_acquire);
  do {
    // limit: stored before the cursor leaves; whoever sees the cursor elsewhere sees the final value. Claims that come
    // in between make the exchange fail; each takes space, so they come to an end.
    old.limit_bytes.store(std::min(Cursor{seen}.offset_bytes(), core.geometry().slab_bytes), relaxed);
    SAPBUF_KILL_POINT(flip_limited);
  } while (!cursor.compare_exchange_weak(seen, next.word, std::memory_order_acq_rel, std::memory_order_acquire));
}

FlipResult flip_locked(StreamCore& core, std::uint64_t generation) {
  const ActiveSlab active = load_active(core);
  if (!active.valid()) return FlipResult::corrupt;
  mend_states(core, active);
  if (active.generation != generation) return FlipResult::done;
  auto slab = find_prepared(core, generation + 1);
  if (!slab) {
    bool cleaning = false;
    slab = take_free_slab(core, active, cleaning);
    if (!slab) return cleaning ? FlipResult::cleaning : FlipResult::full;
    SAPBUF_KILL_POINT(flip_taken);
    prepare(core, *slab, generation + 1);
  }
  SAPBUF_KILL_POINT(flip_prepared);
  move_cursor(core, active, *slab);
  SAPBUF_KILL_POINT(flip_moved);
  core.descriptor(active.slab)
      .life.store(SlabLife::make(generation, SlabState::sealed).word, std::memory_order_release);
  return FlipResult::done;
}

}  // namespace

FlipResult flip(StreamCore& core, std::uint64_t generation) noexcept {
  FlipResult result = FlipResult::busy;
  try {
    const MaintenanceLock lock{core};
    if (!lock) return FlipResult::busy;
    result = flip_locked(core, generation);
    if (result == FlipResult::done) notify(core.control().space);
    // What was sealed on the way may be what a sleeping reader waits for before it can let go of its slab.
    if (result == FlipResult::full) notify(core.control().data);
  } catch (const std::exception&) {
    return FlipResult::busy;  // no mapping or no memory for it now: the caller waits and tries again
  }
  if (result == FlipResult::cleaning) SAPBUF_KILL_POINT(flip_let_go);
  return result;
}

}  // namespace SAPBUF_DETAIL
