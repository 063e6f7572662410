// What participants keep from others, by generations: readers what they have not read yet, or look at; writers what
// they have an extent or a frame open in.
#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "stream/durable_readers.hpp"
#include "stream/extents.hpp"
#include "stream/ledger.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::Progress;
using layout::SlabLife;
using layout::SlabState;
using layout::SlotRole;

constexpr auto relaxed = std::memory_order_relaxed;

std::optional<std::uint64_t> generation_of_open_extent(StreamCore& core, std::uint32_t index) noexcept {
  const auto open = open_extent_of(core, index);
  return open ? std::optional{open->generation} : std::nullopt;
}

std::optional<std::uint64_t> generation_of_open_frame(StreamCore& core, std::uint32_t index) noexcept {
  const layout::StreamSlot& slot = core.slot(index);
  const auto where = slab_of(core, Claim{slot.claim.load(std::memory_order_acquire)});
  const bool busy = Progress{slot.progress.load(std::memory_order_acquire)}.busy();
  return where && busy ? std::optional{where->generation} : std::nullopt;
}

bool keeps(StreamCore& core, std::uint32_t index, SlabGeneration where) noexcept {
  if (core.registration_of(index).role() == SlotRole::writer) {
    return where.generation ==
           (core.in_total_order() ? generation_of_open_frame(core, index) : generation_of_open_extent(core, index));
  }
  const layout::StreamSlot& slot = core.slot(index);
  return slot.hold.load(std::memory_order_acquire) <= where.generation ||
         (slot.pins.load(std::memory_order_acquire) >> where.slab & 1) != 0;
}

bool is_kept_by_others(StreamCore& core, SlabGeneration where, std::span<const std::uint32_t> gone) noexcept {
  if (keeps_durably(core, where.generation)) return true;
  return any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) {
    return std::find(gone.begin(), gone.end(), slot) == gone.end() && keeps(core, slot, where);
  });
}

}  // namespace

void StreamCore::find_holdings(std::uint32_t index, std::vector<std::uint64_t>& generations) {
  for_each_slab(*this, [&](std::uint32_t slab, SlabLife life) {
    if (life.readable() && keeps(*this, index, {life.generation(), slab})) generations.push_back(life.generation());
  });
  std::sort(generations.begin(), generations.end());
}

std::uint32_t StreamCore::count_released(std::span<const std::uint64_t> generations,
                                         std::span<const std::uint32_t> gone) {
  std::uint32_t count = 0;
  for (const std::uint64_t generation : generations) {
    const auto slab = find_slab(*this, generation);
    if (!slab) continue;
    const SlabLife life{descriptor(*slab).life.load(std::memory_order_acquire)};
    if (life.state() == SlabState::sealed && !is_kept_by_others(*this, {generation, *slab}, gone)) ++count;
  }
  return count;
}

// It is in the middle of a step, or keeps an older generation.
bool StreamCore::is_in_the_way(std::uint32_t index, layout::SlotRegistration registration) {
  const layout::StreamSlot& own = slot(index);
  if (registration.role() == SlotRole::reader && own.pins.load(relaxed) != 0) return true;
  if (registration.role() == SlotRole::writer) {
    const Claim claim{own.claim.load(relaxed)};
    if (claim.is_claiming()) return true;
    // Without a claim it is waiting for room itself.
    if (claim.word != 0 && Progress{own.progress.load(relaxed)}.busy()) return true;
  }
  std::vector<std::uint64_t> held;
  find_holdings(index, held);
  const std::uint64_t newest = newest_generation(*this);
  return std::any_of(held.begin(), held.end(), [newest](std::uint64_t generation) { return generation < newest; });
}

void StreamCore::release(std::uint32_t index) noexcept {
  add_to_departed(*this, index);
  SAPBUF_KILL_POINT(recover_departed);
  leave_durable(*this, index);
  slot(index).pins.store(0, relaxed);
  // hold-release: release, as by the reader itself.
  slot(index).hold.store(layout::kNoHold, std::memory_order_release);
}

}  // namespace SAPBUF_DETAIL
