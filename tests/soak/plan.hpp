// What a round does, as far as it follows from the seed. When a signal meets a process does not.
#pragma once

#include <cstdint>
#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::soak {

struct Plan {
  std::uint64_t number = 0;
  std::uint64_t seed = 0;
  SegmentOptions options;
  unsigned largest_percent = 0;  // largest message, of what fits a slab
  std::uint32_t producers = 0;   // at once; the first is never killed
  std::uint32_t readers = 0;     // at once; the first reads everything, and is never killed
  bool watchdog = false;
  bool stops = false;
  std::uint64_t event_every_ns = 0;
  std::uint64_t length_ns = 0;
};

// Twelve rounds have every order, policy, and presence of the watchdog.
inline constexpr std::uint64_t kRoundsOfAllKinds = 12;

Plan plan_round(std::uint64_t seed, std::uint64_t number, std::uint64_t length_ns);
std::string describe(const Plan& plan);

}  // namespace sapbuf::soak
