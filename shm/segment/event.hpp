// Sleeping until something changes: an eventcount over a shared futex. The layout and the edge are in
// layout/event.hpp.
//
//   sleeper                                   waker
//   SleepTicket ticket{event, ...};           make the change
//     the word says awaited, fence            fence
//   look again: is it there now?              awaited? -> wake: not awaited and one wake more, in one step; futex_wake
//   ticket.sleep_until(deadline)
//
// The ticket is the word as the sleeper left it. A wake makes it another one for good: then the sleep returns at once. A
// waker that is killed or stopped before that step leaves the event awaited, for the next one.
#pragma once

#include <algorithm>
#include <cstdint>

#include <sapbuf/layout/event.hpp>

#include "platform/clock.hpp"
#include "platform/fence.hpp"
#include "platform/futex.hpp"

namespace SAPBUF_DETAIL {

// Nobody sleeps longer than this without looking: a waker may die between its change and its wake.
inline constexpr std::uint64_t kLongestSleepNs = 50'000'000;
// Nor longer than this without the heavy fence: wakers may not have seen that anybody sleeps.
inline constexpr std::uint64_t kUnfencedSleepNs = 1'000'000;

class SleepTicket {
 public:
  // `light_wakers`: the wakers use light fences, so that this side must make the heavy one.
  SleepTicket(layout::Event& event, bool light_wakers, bool full_fences) noexcept
      : event_(event),
        word_(event.word.fetch_or(layout::Event::kAwaited, std::memory_order_seq_cst) | layout::Event::kAwaited) {
    if (light_wakers) {
      if (!platform::heavy_fence(full_fences)) longest_ns_ = kUnfencedSleepNs;
    } else {
      std::atomic_thread_fence(std::memory_order_seq_cst);
    }
  }
  // For somebody else who sleeps in this one's place.
  std::uint32_t word() const noexcept { return word_; }
  std::uint64_t longest_ns() const noexcept { return longest_ns_; }
  void sleep_until(std::uint64_t deadline_ns) const noexcept {
    platform::futex_wait(event_.word, word_, std::min(deadline_ns, platform::monotonic_ns() + longest_ns_));
  }

 private:
  layout::Event& event_;
  const std::uint32_t word_;
  std::uint64_t longest_ns_ = kLongestSleepNs;
};

void wake_sleepers(layout::Event& event) noexcept;

// For changes off the hot path: a real fence, then the look.
inline void notify(layout::Event& event) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (event.is_awaited()) wake_sleepers(event);
}

}  // namespace SAPBUF_DETAIL
