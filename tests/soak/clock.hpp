// Times in nanoseconds: of this boot for durations, of the wall clock for comparing with a stream's journal.
#pragma once

#include <chrono>
#include <cstdint>

namespace sapbuf::soak {

inline std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1});
}

inline std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds{1});
}

inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;
// For what takes milliseconds on an idle machine: after that, somebody is stuck.
inline constexpr std::uint64_t kPatience = 30 * kSecond;

}  // namespace sapbuf::soak
