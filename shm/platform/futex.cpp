#include "platform/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "platform/clock.hpp"

namespace sapbuf::platform {
namespace {

// futex_waitv(2): headers before Linux 5.16 do not know it.
constexpr long kWaitForSeveral = 449;
constexpr std::uint32_t kSharedWord = 2;  // of 32 bits, in several processes
struct Waiter {
  std::uint64_t value;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};

constexpr std::uint64_t kNapNs = 10'000'000;

timespec time_of(std::uint64_t monotonic_ns) noexcept {
  timespec time{};
  time.tv_sec = static_cast<time_t>(monotonic_ns / 1'000'000'000u);
  time.tv_nsec = static_cast<long>(monotonic_ns % 1'000'000'000u);
  return time;
}

}  // namespace

void futex_wait(const layout::HalfWord& word, std::uint32_t expected, std::uint64_t deadline_ns) noexcept {
  const timespec deadline = time_of(deadline_ns);
  // FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock, so a wait that starts over does not grow longer.
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wait_either(const layout::HalfWord& first, std::uint32_t expected_first, const layout::HalfWord& second,
                       std::uint32_t expected_second, std::uint64_t deadline_ns) noexcept {
  const timespec deadline = time_of(deadline_ns);
  const auto waiter = [](const layout::HalfWord& word, std::uint32_t expected) {
    return Waiter{
        .value = expected, .address = reinterpret_cast<std::uintptr_t>(&word), .flags = kSharedWord, .reserved = 0};
  };
  const Waiter waiters[] = {waiter(first, expected_first), waiter(second, expected_second)};
  if (::syscall(kWaitForSeveral, waiters, 2, 0, &deadline, CLOCK_MONOTONIC) >= 0) return;
  if (errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR) return;
  if (second.load(std::memory_order_acquire) != expected_second) return;
  futex_wait(first, expected_first, std::min(deadline_ns, monotonic_ns() + kNapNs));
}

void futex_wake_all(layout::HalfWord& word) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace sapbuf::platform
