// Columns of figures that are measured in turn, and how they are shown.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sapbuf::bench {

struct Options {
  std::vector<std::string> scenarios;
  unsigned rounds = 5;
  bool quick = false;
  bool json = false;

  unsigned rounds_that_count() const noexcept { return quick ? 1 : rounds; }
};

// One thing that is measured beside others: a figure each round.
struct Column {
  std::string name;
  std::function<double()> run;
  std::vector<double> figures{};
};

double median(std::vector<double> figures);
// The figure that so many of a hundred do not exceed. Sorts them.
double percentile(std::vector<double>& figures, double hundredths);

// One round to warm up, then the columns in turn, round by round, so that the machine's moods meet all of them alike.
void run_rounds(const std::string& title, std::vector<Column>& columns, unsigned rounds);

// Medians and spreads; each column's median also as a multiple of the first one's.
void show(const std::string& title, const std::string& unit, const std::vector<Column>& columns,
          const Options& options);

}  // namespace sapbuf::bench
