#include "pool/figures.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "segment/departed.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::DepartedUsers;
using layout::MagazineState;

constexpr auto relaxed = std::memory_order_relaxed;

std::uint64_t less(std::uint64_t from, std::uint64_t what) noexcept { return from > what ? from - what : 0; }

}  // namespace

PoolFigures load_figures(const PoolCore& core, std::uint32_t index) noexcept {
  const layout::PoolSlot& slot = core.slot(index);
  const std::uint64_t next_magazine = slot.next_magazine.load(relaxed);
  bool is_next = false;
  std::uint64_t acquired = 0;
  std::uint64_t depth = 0;
  for (std::uint32_t number = 0; number < core.magazines(); ++number) {
    const MagazineState state{core.magazine(index, number).state.load(std::memory_order_acquire)};
    if (number == next_magazine) is_next = state.word == slot.next_state.load(relaxed);
    acquired += state.acquired();
    depth += state.depth();
  }
  const std::uint64_t has = (is_next ? slot.next_has : slot.has).load(relaxed);
  PoolFigures figures{.acquired = acquired,
                      .misses = std::min(slot.misses.load(relaxed), acquired),
                      .adopted = slot.adopted.load(relaxed),
                      .released = 0,
                      .attached = slot.attached.load(relaxed),
                      .in_use = less(has, slot.elsewhere.load(relaxed) + depth),
                      .refills = slot.refills.load(relaxed),
                      .stolen = slot.stolen.load(relaxed),
                      .grown = slot.grown.load(relaxed),
                      .waits = slot.waits.load(relaxed)};
  figures.released = less(figures.acquired + figures.adopted, figures.in_use);
  return figures;
}

void change_has(layout::PoolSlot& slot, std::int64_t more) noexcept {
  const std::uint64_t has = slot.has.load(relaxed) + static_cast<std::uint64_t>(more);
  slot.next_has.store(has, relaxed);  // that is what counts if nothing was done with the magazine since
  slot.has.store(has, std::memory_order_release);
}

void change_magazine(layout::PoolSlot& slot, std::uint32_t number, const Magazine& magazine, MagazineState next,
                     std::int64_t more) noexcept {
  constexpr std::uint64_t kNoState = ~std::uint64_t{0};
  const std::uint64_t has = slot.has.load(relaxed) + static_cast<std::uint64_t>(more);
  if (slot.next_magazine.load(relaxed) != number) {
    slot.next_state.store(kNoState, relaxed);
    slot.next_magazine.store(number, std::memory_order_release);
  }
  slot.next_state.store(next.word, std::memory_order_release);  // from here on, `has` counts
  slot.next_has.store(has, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_magazine_planned);
  // pool-free: release, for who takes buffers from the magazine.
  magazine.state.store(next.word, std::memory_order_release);
  SAPBUF_KILL_POINT(pool_magazine_changed);
  slot.has.store(has, std::memory_order_release);
}

void add_to_departed(PoolCore& core, std::uint32_t index) noexcept {
  const auto counted_in = [&](std::uint32_t other) -> layout::Word& { return core.slot(other).counted; };
  add_departed(core.control().departed_selector, core.control().departed, core.geometry().participants,
               {index, core.registration_of(index).incarnation()}, counted_in,
               [&](const DepartedUsers& from, DepartedUsers& to) {
                 const PoolFigures figures = load_figures(core, index);
                 const auto add = [&](layout::Word DepartedUsers::*field, std::uint64_t value) {
                   (to.*field).store((from.*field).load(relaxed) + value, relaxed);
                 };
                 add(&DepartedUsers::acquired, figures.acquired);
                 add(&DepartedUsers::misses, figures.misses);
                 add(&DepartedUsers::adopted, figures.adopted);
                 add(&DepartedUsers::released, figures.released);
                 add(&DepartedUsers::attached, figures.attached);
                 add(&DepartedUsers::reclaimed, figures.in_use);
                 add(&DepartedUsers::refills, figures.refills);
                 add(&DepartedUsers::stolen, figures.stolen);
                 add(&DepartedUsers::grown, figures.grown);
                 add(&DepartedUsers::waits, figures.waits);
               });
}

}  // namespace SAPBUF_DETAIL
