#include "soak/times.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sapbuf::soak {

Watched watched(const Intervals& watchdog, std::uint64_t from_ns, std::uint64_t to_ns) {
  const auto covers = [&](const Interval& up) { return up.covers(from_ns, to_ns); };
  if (std::any_of(watchdog.begin(), watchdog.end(), covers)) return Watched::yes;
  const auto overlaps = [&](const Interval& up) { return up.overlaps(from_ns, to_ns); };
  return std::any_of(watchdog.begin(), watchdog.end(), overlaps) ? Watched::partly : Watched::no;
}

Interval longest_free_stretch(Pace::Gap gap, const Intervals& stopped) {
  Intervals sorted = stopped;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.from_ns < b.from_ns; });
  sorted.push_back({gap.to_ns, gap.to_ns});
  Interval longest{gap.from_ns, gap.from_ns};
  std::uint64_t free_from = gap.from_ns;
  for (const Interval& stop : sorted) {
    const std::uint64_t free_to = std::min(stop.from_ns, gap.to_ns);
    if (free_to > free_from && free_to - free_from > longest.to_ns - longest.from_ns) longest = {free_from, free_to};
    free_from = std::max(free_from, stop.to_ns);
  }
  return longest;
}

Distribution distribution(std::vector<std::uint64_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t last = values.size() - 1;
  return {values.size(), values[last / 2], values[last * 99 / 100], values[last]};
}

std::string short_time(std::uint64_t ns) {
  if (ns < 1000) return fmt::format("{} ns", ns);
  const double us = static_cast<double>(ns) / 1e3;
  if (us < 1000) return fmt::format("{:.0f} µs", us);
  return us < 1e6 ? fmt::format("{:.1f} ms", us / 1e3) : fmt::format("{:.2f} s", us / 1e6);
}

}  // namespace sapbuf::soak
