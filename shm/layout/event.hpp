// An eventcount: sleepers announce themselves, wakers skip the system call when nobody did.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

//   31                          1 0
//   +----------------------------+-+
//   |            wakes           |a|      awaited: somebody may be asleep
//   +----------------------------+-+
//
//   written by  sleepers: awaited, by fetch-or;  who wakes them: not awaited, and one wake more, by one compare-exchange
//   read by     the same; the kernel
//   edge        sleep: awaited, fence, look again, futex_wait <-> the change, fence, look whether it is awaited, futex_wake
//   crash       of a sleeper: costs one needless wake;  of a waker: it is awaited still, or sleepers look again by
//               themselves, every 50 ms at the latest
struct alignas(kLineBytes) Event {
  HalfWord word;  // the futex word
  HalfWord reserved_0;
  Word reserved[7];

  static constexpr std::uint32_t kAwaited = 1;

  bool is_awaited() const noexcept { return (word.load(std::memory_order_relaxed) & kAwaited) != 0; }
  std::uint32_t wakes() const noexcept { return word.load(std::memory_order_relaxed) / 2; }
};

inline constexpr Field kEventFields[] = {SAPBUF_FIELD(Event, word), SAPBUF_FIELD(Event, reserved_0),
                                         SAPBUF_FIELD(Event, reserved)};
static_assert(sizeof(Event) == 64 && covers(kEventFields, sizeof(Event)));

}  // namespace sapbuf::layout
