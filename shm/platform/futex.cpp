#include "platform/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace sapbuf::platform {

void futex_wait(const layout::HalfWord& word, std::uint32_t expected, std::uint64_t deadline_ns) noexcept {
  timespec deadline{};
  deadline.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000u);
  deadline.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000u);
  // FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock, so a wait that starts over does not grow longer.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_all(layout::HalfWord& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace sapbuf::platform
