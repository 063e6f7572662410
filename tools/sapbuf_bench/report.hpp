// What is measured: columns of figures, taken in turn, kept for the table, the goals and the pictures.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sapbuf::bench {

struct Options {
  std::vector<std::string> scenarios;
  unsigned rounds = 5;
  unsigned longest_s = 300;  // that one figure may take
  bool quick = false;
  bool json = false;
  std::string html;      // file for the report; none if empty
  std::string pictures;  // folder for the SVG files; none if empty
  std::string watchdog;  // path of sapbuf-watchdog; empty if there is none

  unsigned rounds_that_count() const noexcept { return quick ? 1 : rounds; }
};

// One thing that is measured beside others: a figure each round.
struct Column {
  std::string name;
  std::function<double()> run;
  std::vector<double> figures{};
  std::vector<double> line_ns{};        // around each figure: a cache line one way; empty if not measured
  std::function<std::string()> note{};  // what else there is to say, once all figures are there
};

// Columns at one point of a scenario.
struct Measurement {
  std::string scenario;
  std::string title;
  std::string unit;
  std::vector<Column> columns;
  double at = 0;               // bytes of a message, producers, ...: what the scenario varies; 0 if it varies nothing
  bool between_cores = false;  // figures depend on how far apart the cores are: that is measured around each of them
};

double median(std::vector<double> figures);
// The figure that so many of a hundred do not exceed. Sorts them.
double percentile(std::vector<double>& figures, double hundredths);
// Of all its columns; empty if it was not measured.
std::vector<double> line_ns_of(const Measurement& measurement);
// "cores near: a cache line takes 75 (70 to 240) ns one way"; empty if it was not measured.
std::string distance_of(const Measurement& measurement);

class Report {
 public:
  explicit Report(const Options& options) : options_(options) {}

  const Options& options() const noexcept { return options_; }

  // One round to warm up, then the columns in turn, round by round, so that the machine's moods meet all of them alike.
  // Shows the result, and keeps it. Ends the program where a figure does not come.
  void measure(Measurement measurement) { measure(std::move(measurement), options_.rounds_that_count()); }
  void measure(Measurement measurement, unsigned rounds);
  // The same for figures that are there already.
  void add(Measurement measurement);

  const std::vector<Measurement>& measurements() const noexcept { return measurements_; }
  // A scenario's column at a point; null if it was not measured.
  const Column* find(std::string_view scenario, double at, std::string_view column) const noexcept;

 private:
  const Options& options_;
  std::vector<Measurement> measurements_;
};

}  // namespace sapbuf::bench
