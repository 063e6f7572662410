// Blocks that were put back, or that a dead consumer had: they are handed out before anything newer. A bit for each
// block leads to them, and says no more than that the block is worth a look; QueueGroup::look_at says whether any bit
// is.
//
//   who puts back                who takes                                         who found none that is due
//   1. when it is due            1. bits, and their blocks' words                  1. look_at is read; bits and words
//   2. word = returned           2. word: returned -> held, of the oldest          2. look_at: compare-exchange, to when one is
//   3. bit                          that is due: compare-exchange                     due, or never
//   4. look_at is lowered,       3. the bit goes
//      and says one change more
//
// Who found none says so of what look_at said before he looked: if somebody put back since then, he says nothing, and so he
// hides nothing, wherever he stops. A bit goes by the consumer that holds the block, and by nobody else; one that is left leads
// to a block that is not returned, which costs a look.
//
//   killed before 3. or 4.   (left) recovery of the dead sets the bits of all that is returned, and lowers look_at
#pragma once

#include <array>
#include <span>

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

inline constexpr std::uint64_t kNotDelayed = 0;

// On the coarse monotonic clock.
std::uint64_t now_in_ms() noexcept;

// From step 2 on; a block that has a lane waits there instead. The block is held by the caller, or by one that is dead. `due_ms`: on that clock; kNotDelayed.
void give_back(QueueCore& queue, std::uint32_t block, std::uint32_t group, layout::BlockWord held,
               std::uint64_t due_ms) noexcept;
// Steps 3 and 4 of a block that is returned.
void show_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept;

struct Returned {
  std::uint32_t block = 0;
  layout::BlockWord seen;
};
inline constexpr std::size_t kMostReturned = 32;
// The oldest that are due, in order, so many at the most; where there is none, `look_at` says when to look again.
std::size_t find_returned(QueueCore& queue, std::uint32_t group, std::span<Returned> found) noexcept;
// Step 3 of a taker.
void forget_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept;
// Whether there may be some.
inline bool is_worth_a_look(const QueueCore& queue, std::uint32_t group) noexcept {
  const layout::LookAt look_at{queue.group(group).look_at.load(std::memory_order_acquire)};
  return look_at.when_ms() != 0 && (look_at.when_ms() == 1 || look_at.when_ms() <= now_in_ms());
}

}  // namespace SAPBUF_DETAIL
