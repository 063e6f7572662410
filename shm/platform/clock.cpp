#include "platform/clock.hpp"

#include <algorithm>
#include <ctime>

namespace sapbuf::platform {
namespace {

std::uint64_t read_clock(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }
std::uint64_t coarse_monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC_COARSE); }
std::uint64_t wall_clock_ns() noexcept { return read_clock(CLOCK_REALTIME); }
std::uint64_t coarse_wall_clock_ns() noexcept { return read_clock(CLOCK_REALTIME_COARSE); }

std::uint64_t deadline_after(std::chrono::nanoseconds timeout) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, timeout.count()));
  const std::uint64_t now = monotonic_ns();
  return ns > ~now ? ~std::uint64_t{0} : now + ns;
}

}  // namespace sapbuf::platform
