// How far apart cores are: the time that a cache line takes from one to another.
//
// It decides how fast anything is handed over, and it need not stay as it is: a virtual machine's cores are moved about
// by its host, from the halves of one core to different sockets and back within seconds. So it is measured around each
// figure that depends on it.
#pragma once

#include "round_trips.hpp"

namespace sapbuf::bench {

// One way between two cores of those that the program was given, in nanoseconds.
Percentiles ping_pong_of_a_line(unsigned here, unsigned there, unsigned count);

// One way between the cores that a hand-over uses, in the median; takes about a millisecond. There must be two.
double cache_line_ns();

// Two words for people: from so many nanoseconds on, lines go further than between neighbours that share a cache.
inline constexpr double kFarNs = 150;
inline const char* distance(double line_ns) noexcept { return line_ns < kFarNs ? "near" : "far"; }

}  // namespace sapbuf::bench
