// How a block leaves a queue by a consumer, so that it is counted once whoever dies: what is about to leave is said
// first, beside what the count will be then.
//
//   1. leaving = the block, and ended + 1      killed here: the block is the dead one's still; recovery takes `leaving` back,
//                                              and returns it behind that
//   2. its word = none                         killed here: it is not, and recovery counts it
//   3. ended + 1
#pragma once

#include <sapbuf/detail/kill_point.hpp>

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

inline void leave(QueueCore& queue, layout::QueueSlot& slot, std::uint32_t block, std::uint32_t group) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const std::uint64_t ended = slot.ended.load(relaxed) + 1;
  slot.leaving.store((std::uint64_t{block} + 1) << 32 | (ended & 0xffff'ffffu), relaxed);
  SAPBUF_KILL_POINT(queue_leaving);
  // queue-done: release, behind the last use.
  queue.state(block, group).store(0, std::memory_order_release);
  SAPBUF_KILL_POINT(queue_left);
  slot.ended.store(ended, relaxed);
}

// Step 3 on behalf of the dead.
inline void count_left(QueueCore& queue, std::uint32_t index) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  layout::QueueSlot& dead = queue.slot(index);
  const std::uint64_t leaving = dead.leaving.load(relaxed);
  const std::uint64_t ended = dead.ended.load(relaxed) + 1;
  const std::uint64_t block = (leaving >> 32) - 1;
  if ((leaving & 0xffff'ffffu) != (ended & 0xffff'ffffu) || block >= queue.geometry().blocks) return;
  const auto group = static_cast<std::uint32_t>(dead.group.load(relaxed) % queue.geometry().groups);
  const layout::BlockWord seen{queue.state(static_cast<std::uint32_t>(block), group).load(std::memory_order_acquire)};
  if (!seen.is_held_by(index)) {
    dead.ended.store(ended, relaxed);
  } else {
    // It is about to be returned: who recovers the dead once more must not take that for step 2.
    dead.leaving.store(0, relaxed);
  }
}

}  // namespace SAPBUF_DETAIL
