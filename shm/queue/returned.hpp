// Blocks that were put back, or that a dead consumer had: they are handed out before anything newer. A bit for each
// block leads to them, and says no more than that the block is worth a look; QueueGroup::look_at says whether any bit
// is.
//
//   who puts back                     who takes                              who found a bit of a block that is not returned
//   1. when it is due                 1. bits, and their blocks' words       1. the bit goes
//   2. word = returned                2. word: returned -> held, of the      2. the word: returned? then the bit and look_at
//   3. bit                               oldest that is due: compare-           are set once more
//   4. look_at is lowered                exchange                            who found none that is due
//                                     3. the bit goes                        1. look_at = 0; fence
//                                                                            2. bits and words once more; look_at is lowered
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
// The oldest that are due, in order, so many at the most; also puts right what `look_at` and the bits say.
std::size_t find_returned(QueueCore& queue, std::uint32_t group, std::span<Returned> found) noexcept;
// Step 3 of a taker.
void forget_returned(QueueCore& queue, std::uint32_t block, std::uint32_t group) noexcept;
// Whether there may be some.
inline bool is_worth_a_look(const QueueCore& queue, std::uint32_t group) noexcept {
  const std::uint64_t look_at = queue.group(group).look_at.load(std::memory_order_acquire);
  return look_at != 0 && (look_at == 1 || look_at <= now_in_ms());
}

}  // namespace SAPBUF_DETAIL
