#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sapbuf::bench {

double median(std::vector<double> figures) { return percentile(figures, 50); }

double percentile(std::vector<double>& figures, double hundredths) {
  std::sort(figures.begin(), figures.end());
  const auto at = static_cast<std::size_t>(static_cast<double>(figures.size()) * hundredths / 100);
  return figures[std::min(at, figures.size() - 1)];
}

void run_rounds(const std::string& title, std::vector<Column>& columns, unsigned rounds) {
  for (unsigned round = 0; round <= rounds; ++round) {
    for (Column& column : columns) {
      fmt::print(stderr, "\r\033[K{}: round {} of {}, {}", title, round, rounds, column.name);
      const double figure = column.run();
      if (round != 0) column.figures.push_back(figure);
    }
  }
  fmt::print(stderr, "\r\033[K");
}

void show(const std::string& title, const std::string& unit, const std::vector<Column>& columns,
          const Options& options) {
  if (!options.json) {
    fmt::print("{} ({})\n  {:<28}{:>10}{:>10}{:>10}{:>10}\n", title, unit, "", "median", "min", "max", "ratio");
  }
  const double first = median(columns.front().figures);
  for (const Column& column : columns) {
    const double middle = median(column.figures);
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    if (!options.json) {
      fmt::print("  {:<28}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", column.name, middle, *low, *high, middle / first);
      continue;
    }
    fmt::print("{}\n", nlohmann::json{{"scenario", title},
                                      {"what", column.name},
                                      {"unit", unit},
                                      {"median", middle},
                                      {"min", *low},
                                      {"max", *high},
                                      {"rounds", column.figures.size()}}
                           .dump());
  }
  std::fflush(stdout);
}

}  // namespace sapbuf::bench
