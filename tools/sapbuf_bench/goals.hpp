// What sapbuf wants to reach, as ratios of figures of the same run.
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
  std::string unit;  // of bound and reached; empty for a ratio

  bool met() const noexcept { return at_least ? reached >= bound : reached <= bound; }
};

// Those goals whose figures were measured.
std::vector<Goal> goals_of(const Report& report);
void show(const std::vector<Goal>& goals, const Options& options);

}  // namespace sapbuf::bench
