// What sapbuf wants to reach, as ratios of figures of the same run: where cores are near each other, and where they are
// far apart.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace sapbuf::bench {

struct Goal {
  std::string what;
  bool at_least;  // else: at most
  double bound;
  double reached;
  std::string unit;   // of bound and reached; empty for a ratio
  std::string cores;  // near, far: of the rounds that it is judged by; mixed; empty where it does not matter

  bool met() const noexcept { return at_least ? reached >= bound : reached <= bound; }
};

// Those goals whose figures were measured.
std::vector<Goal> goals_of(const Report& report);
void show(const std::vector<Goal>& goals, const Options& options);

}  // namespace sapbuf::bench
