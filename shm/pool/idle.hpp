// Taking free buffers from those who have them at hand: they may be idle, slow or stopped.
//
//   who takes, under the pool's lock                      the owner of the magazine, at each step
//   1. attention + 1                                      depth; light fence; attention
//   2. heavy fence                                        unchanged: the step counts
//   3. depth, the buffers' words                          changed: the step is undone; then
//   4. has the owner looked up?                             a. acknowledged = attention
//   5. no: each word: its own -> free, next incarnation     b. each word: its own -> free, next incarnation
//
// After 2 the owner either has not made the step, or it is seen at 3, or the owner sees the attention. What was read at
// 3 is a buffer that nobody uses, until the owner looks up; then its incarnation changes, and 5 fails for it. Without
// 4, what is read at 3 could be what the owner took after it had looked up, and uses.
//   killed anywhere    words that are the owner's still, or free; the owner looks once more than it needs to
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// Calls `visit(buffer)` for each buffer that the user of this slot has at hand. From one that has not looked up since
// somebody took them there are none to be had, whatever the depth of its magazine says.
template <typename Visit>
void for_each_idle(const PoolCore& core, std::uint32_t slot, Visit visit) {
  const std::uint32_t there = core.count();
  for (std::uint32_t number = 0; number < core.magazines(); ++number) {
    const Magazine magazine = core.magazine(slot, number);
    // pool-free: acquire.
    const std::uint32_t depth = magazine.depth(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < depth; ++i) {
      const std::uint32_t buffer = magazine.buffers[i].load(std::memory_order_relaxed);
      if (buffer >= there) continue;
      const layout::BufferWord seen{core.word(buffer).load(std::memory_order_relaxed)};
      if (seen.is_local_of(slot)) visit(buffer);
    }
  }
}

struct TakenIdle {
  std::uint32_t count = 0;
  // An owner gave back what it had, or has said that it does so, and may be stopped before it does: there may be something
  // at the next look.
  bool may_be_more = false;

  bool any() const noexcept { return count != 0 || may_be_more; }
};
// Makes free what users have at hand, the one of slot `first` first, until that is enough for a while. Under the pool's
// lock.
TakenIdle take_idle(PoolCore& core, std::uint32_t first) noexcept;

}  // namespace SAPBUF_DETAIL
