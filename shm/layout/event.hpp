// An eventcount: sleepers announce themselves, wakers skip the system call when nobody did.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

//   written by  sleepers (`sleepers`), and those who wake them (both)
//   read by     the same; the kernel
//   edge        sleep: sleepers = 1, fence, look again, futex_wait <-> the change, fence, look at sleepers, futex_wake
//   crash       of a sleeper: costs one needless wake;  of a waker: sleepers look again by themselves, every 50 ms at the
//               latest
struct alignas(kLineBytes) Event {
  HalfWord sequence;  // the futex word; grows by one at every wake
  HalfWord sleepers;  // 1 if anybody may be asleep
  Word reserved[7];
};

inline constexpr Field kEventFields[] = {SAPBUF_FIELD(Event, sequence), SAPBUF_FIELD(Event, sleepers),
                                         SAPBUF_FIELD(Event, reserved)};
static_assert(sizeof(Event) == 64 && covers(kEventFields, sizeof(Event)));

}  // namespace sapbuf::layout
