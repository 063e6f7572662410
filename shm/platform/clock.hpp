// The three clocks, in nanoseconds.
#pragma once

#include <cstdint>

namespace sapbuf::platform {

std::uint64_t monotonic_ns() noexcept;         // for deadlines
std::uint64_t coarse_monotonic_ns() noexcept;  // for heartbeats: cheap, and true to a few milliseconds
std::uint64_t wall_clock_ns() noexcept;        // for people

}  // namespace sapbuf::platform
