#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sapbuf::bench {
namespace {

void show_table(const Measurement& measurement) {
  fmt::print("{} ({})\n  {:<34}{:>10}{:>10}{:>10}{:>10}\n", measurement.title, measurement.unit, "", "median", "min",
             "max", "ratio");
  const double first = median(measurement.columns.front().figures);
  for (const Column& column : measurement.columns) {
    const double middle = median(column.figures);
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    fmt::print("  {:<34}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", column.name, middle, *low, *high, middle / first);
  }
}

void show_json(const Measurement& measurement) {
  for (const Column& column : measurement.columns) {
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    fmt::print("{}\n", nlohmann::json{{"scenario", measurement.scenario},
                                      {"title", measurement.title},
                                      {"at", measurement.at},
                                      {"what", column.name},
                                      {"unit", measurement.unit},
                                      {"median", median(column.figures)},
                                      {"min", *low},
                                      {"max", *high},
                                      {"rounds", column.figures.size()}}
                           .dump());
  }
}

}  // namespace

double median(std::vector<double> figures) { return percentile(figures, 50); }

double percentile(std::vector<double>& figures, double hundredths) {
  std::sort(figures.begin(), figures.end());
  const auto at = static_cast<std::size_t>(static_cast<double>(figures.size()) * hundredths / 100);
  return figures[std::min(at, figures.size() - 1)];
}

void Report::measure(Measurement measurement, unsigned rounds) {
  for (unsigned round = 0; round <= rounds; ++round) {
    for (Column& column : measurement.columns) {
      fmt::print(stderr, "\r\033[K{}: round {} of {}, {}", measurement.title, round, rounds, column.name);
      const double figure = column.run();
      if (round != 0) column.figures.push_back(figure);
    }
  }
  fmt::print(stderr, "\r\033[K");
  add(std::move(measurement));
}

void Report::add(Measurement measurement) {
  if (options_.json) {
    show_json(measurement);
  } else {
    show_table(measurement);
  }
  std::fflush(stdout);
  measurements_.push_back(std::move(measurement));
}

const Column* Report::find(std::string_view scenario, double at, std::string_view column) const noexcept {
  for (const Measurement& measurement : measurements_) {
    if (measurement.scenario != scenario || measurement.at != at) continue;
    for (const Column& one : measurement.columns) {
      if (one.name == column) return &one;
    }
  }
  return nullptr;
}

}  // namespace sapbuf::bench
