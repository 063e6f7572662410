// The sum over the participants of a facility that have left or died: two records, of which the lowest bit of a selector
// says which one counts. A record has `participants` and `last_departed`, and what the facility counts.
#pragma once

#include <cstdint>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/word.hpp>

namespace SAPBUF_DETAIL {

// Who was in a slot, as the departed record names it.
struct Occupant {
  std::uint32_t slot;
  std::uint64_t incarnation;

  static constexpr std::uint64_t kIncarnation = 0xffff'ffff'ffffu;
  static Occupant from_word(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 48), word & kIncarnation};
  }
  std::uint64_t word() const noexcept { return std::uint64_t{slot} << 48 | (incarnation & kIncarnation); }
};

// Adds `who` once, however often this is repeated, by `add_to(from, to)`: each figure of `from`, and the participant's own.
// `counted_in(slot)` is the slot's word that names who was added although the record names somebody else. Under the
// facility's lock.
template <typename Record, typename CountedIn, typename AddTo>
void add_departed(layout::Word& selector, Record (&records)[2], std::uint32_t slots, Occupant who, CountedIn counted_in,
                  AddTo add_to) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::uint64_t selected = selector.load(std::memory_order_acquire);
  const Record& from = records[selected & 1];
  Record& to = records[(selected + 1) & 1];
  // Whoever added the last one may have died before that one's slot was free, and this one may be settled before it is.
  const Occupant last = Occupant::from_word(from.last_departed.load(relaxed));
  if (from.participants.load(relaxed) != 0 && last.slot < slots) {
    counted_in(last.slot).store(last.incarnation, relaxed);
  }
  if (counted_in(who.slot).load(relaxed) == who.incarnation) return;
  // departed-switch: release, so that an onlooker that sees any of this sees that the selector had left the record.
  std::atomic_thread_fence(std::memory_order_release);
  to.participants.store(from.participants.load(relaxed) + 1, relaxed);
  add_to(from, to);
  to.last_departed.store(who.word(), relaxed);
  SAPBUF_KILL_POINT(departed_before_switch);
  // departed-switch: release, so that whoever sees the selector sees the whole record.
  selector.store(selected + 1, std::memory_order_release);
}

// For onlookers: reads the record that counts by `read(record)`. It is not written; if the selector moved meanwhile, they
// look again.
template <typename Record, typename Read>
void read_departed(const layout::Word& selector, const Record (&records)[2], Read read) {
  for (int tries = 0; tries < 100; ++tries) {
    const std::uint64_t selected = selector.load(std::memory_order_acquire);
    read(records[selected & 1]);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (selector.load(std::memory_order_relaxed) == selected) return;
  }
}

}  // namespace SAPBUF_DETAIL
