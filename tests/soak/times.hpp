// What is measured: how long deaths go unnoticed and unmended, and how long survivors stand still.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "soak/board.hpp"

namespace sapbuf::soak {

struct Interval {
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = ~std::uint64_t{0};  // open
  bool overlaps(std::uint64_t from, std::uint64_t to) const noexcept { return from_ns < to && from < to_ns; }
  bool covers(std::uint64_t from, std::uint64_t to) const noexcept { return from_ns <= from && to <= to_ns; }
};
using Intervals = std::vector<Interval>;

// Behind a stop: until what waited for the process has run.
inline constexpr std::uint64_t kStopGraceNs = 10'000'000;

enum class Watched { yes, no, partly };

// Whether the watchdog was there all the time, never, or came or went.
Watched watched(const Intervals& watchdog, std::uint64_t from_ns, std::uint64_t to_ns);

// The longest stretch of a gap in which nobody was stopped; empty if there is none.
Interval longest_free_stretch(Pace::Gap gap, const Intervals& stopped);

struct Death {
  std::uint64_t round = 0;
  Role role = Role::none;
  std::uint64_t kill_ns = 0;  // wall clock
  std::uint64_t noticed_ns = 0;
  std::uint64_t finished_ns = 0;
  Watched watched = Watched::no;
  bool while_stopped = false;  // somebody was stopped meanwhile, so that others could not go on
  bool nobody_needed = false;  // found only by the supervisor's recovery after the round
};

struct Stall {
  std::uint64_t round = 0;
  std::string who;
  Role role = Role::none;  // none: the process that only naps
  bool waits = false;      // a reader, or a producer that blocks
  std::uint64_t length_ns = 0;
  Watched watched = Watched::no;
};

struct Distribution {
  std::size_t count = 0;
  std::uint64_t median = 0, p99 = 0, max = 0;
};
Distribution distribution(std::vector<std::uint64_t> values);

std::string short_time(std::uint64_t ns);  // "450 ns", "12 µs", "3.4 ms", "1.23 s"

}  // namespace sapbuf::soak
