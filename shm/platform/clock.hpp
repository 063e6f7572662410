// The clocks: three in nanoseconds, and one for stretches of time.
#pragma once

#include <chrono>
#include <cstdint>

namespace sapbuf::platform {

std::uint64_t monotonic_ns() noexcept;          // for deadlines
std::uint64_t coarse_monotonic_ns() noexcept;   // for heartbeats: cheap, and true to a few milliseconds
std::uint64_t wall_clock_ns() noexcept;         // for people
std::uint64_t coarse_wall_clock_ns() noexcept;  // the same, as the other coarse one

// On the first of them; the end of time for what lies behind that.
std::uint64_t deadline_after(std::chrono::nanoseconds timeout) noexcept;

// For comparing spans of time within one thread: as cheap as can be, in a unit of its own.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return monotonic_ns();
#endif
}

}  // namespace sapbuf::platform
