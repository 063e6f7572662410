#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cache_line.hpp"
#include "deadline.hpp"
#include "processes.hpp"

namespace sapbuf::bench {
namespace {

void show_table(const Measurement& measurement) {
  const std::string apart = distance_of(measurement);
  fmt::print("{} ({}){}{}\n  {:<34}{:>10}{:>10}{:>10}{:>10}{}\n", measurement.title, measurement.unit,
             apart.empty() ? "" : "; ", apart, "", "median", "min", "max", "ratio", apart.empty() ? "" : "   line ns");
  const double first = median(measurement.columns.front().figures);
  for (const Column& column : measurement.columns) {
    const double middle = median(column.figures);
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    fmt::print("  {:<34}{:>10.2f}{:>10.2f}{:>10.2f}", column.name, middle, *low, *high);
    first == 0 ? fmt::print("{:>10}", "-") : fmt::print("{:>10.2f}", middle / first);
    if (!column.line_ns.empty()) fmt::print("{:>10.0f}", median(column.line_ns));
    fmt::print("{}{}\n", column.note ? "   " : "", column.note ? column.note() : "");
  }
}

void show_json(const Measurement& measurement) {
  for (const Column& column : measurement.columns) {
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    nlohmann::json line{{"scenario", measurement.scenario},
                        {"title", measurement.title},
                        {"at", measurement.at},
                        {"what", column.name},
                        {"unit", measurement.unit},
                        {"median", median(column.figures)},
                        {"min", *low},
                        {"max", *high},
                        {"rounds", column.figures.size()}};
    if (!column.line_ns.empty()) {
      line["cache_line_ns"] = median(column.line_ns);
      line["cache_line_ns_of_rounds"] = column.line_ns;
    }
    if (column.note) line["note"] = column.note();
    fmt::print("{}\n", line.dump());
  }
}

struct PlacedFigure {
  double figure;
  double line_ns;
};

// A figure is taken again when the cores were at other distances after it than before, up to so many times.
PlacedFigure run_while_cores_stay(const std::function<double()>& run) {
  constexpr unsigned kTimes = 3;
  constexpr double kAlike = 1.5;
  double before = cache_line_ns();
  for (unsigned time = 1;; ++time) {
    const double figure = run();
    const double after = cache_line_ns();
    const auto [less, more] = std::minmax(before, after);
    if (more <= less * kAlike || time == kTimes) return {figure, (before + after) / 2};
    before = after;
  }
}

}  // namespace

double median(std::vector<double> figures) { return percentile(figures, 50); }

double percentile(std::vector<double>& figures, double hundredths) {
  std::sort(figures.begin(), figures.end());
  const auto at = static_cast<std::size_t>(static_cast<double>(figures.size()) * hundredths / 100);
  return figures[std::min(at, figures.size() - 1)];
}

std::vector<double> line_ns_of(const Measurement& measurement) {
  std::vector<double> all;
  for (const Column& column : measurement.columns) all.insert(all.end(), column.line_ns.begin(), column.line_ns.end());
  return all;
}

std::string distance_of(const Measurement& measurement) {
  const std::vector<double> line_ns = line_ns_of(measurement);
  if (line_ns.empty()) return {};
  const auto [low, high] = std::minmax_element(line_ns.begin(), line_ns.end());
  const double middle = median(line_ns);
  return fmt::format("cores {}: a cache line takes {:.0f} ({:.0f} to {:.0f}) ns one way", distance(middle), middle,
                     *low, *high);
}

void Report::measure(Measurement measurement, unsigned rounds) {
  const bool between_cores = measurement.between_cores && cores() > 1;
  for (unsigned round = 0; round <= rounds; ++round) {
    for (Column& column : measurement.columns) {
      fmt::print(stderr, "\r\033[K{}: round {} of {}, {}", measurement.title, round, rounds, column.name);
      const Deadline deadline{options_.longest_s, measurement.title + ", " + column.name};
      if (between_cores) {
        const PlacedFigure placed = run_while_cores_stay(column.run);
        if (round == 0) continue;
        column.figures.push_back(placed.figure);
        column.line_ns.push_back(placed.line_ns);
      } else {
        const double figure = column.run();
        if (round != 0) column.figures.push_back(figure);
      }
    }
  }
  fmt::print(stderr, "\r\033[K");
  for (Column& column : measurement.columns) column.run = nullptr;  // with all that it needed
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
