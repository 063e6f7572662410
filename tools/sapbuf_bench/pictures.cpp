#include "pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace sapbuf::bench {
namespace {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // rising x
};

struct Chart {
  std::string name;
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series{};
  std::vector<std::string>
      x_names{};  // of x = 0, 1, 2...: a linear axis; none: a logarithmic one with a mark each point
};

constexpr double kWidth = 760;
constexpr double kHeight = 420;
constexpr double kLeft = 64;
constexpr double kRight = 220;  // the legend is there
constexpr double kTop = 40;
constexpr double kBottom = 48;
// Told apart by those who see no red or green, too (Okabe and Ito).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                    "#e69f00", "#56b4e9", "#666666", "#000000"};

// Y is logarithmic everywhere: what is compared here differs by factors.
class Canvas {
 public:
  explicit Canvas(const Chart& chart) : chart_(chart) {
    for (const Series& series : chart.series) {
      for (const auto& [x, y] : series.points) {
        x_.grow(along_x(x));
        y_.grow(std::log10(y));
      }
    }
    y_.low = std::floor(y_.low);
    y_.high = std::max(std::ceil(y_.high), y_.low + 1);
    if (x_.low == x_.high) x_.high += 1;
  }

  std::string draw() {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        kWidth, kHeight);
    text(kLeft, 22, "start", chart_.title, " font-size=\"14\"");
    draw_grid();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_series(i);
    return out_ + "</svg>\n";
  }

 private:
  struct Range {
    double low = 1e300;
    double high = -1e300;
    void grow(double value) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    double part(double value) const { return (value - low) / (high - low); }
  };

  double along_x(double x) const { return chart_.x_names.empty() ? std::log10(x) : x; }
  double x_of(double x) const { return kLeft + x_.part(along_x(x)) * (kWidth - kLeft - kRight); }
  double y_of(double y) const { return kHeight - kBottom - y_.part(std::log10(y)) * (kHeight - kTop - kBottom); }

  void text(double x, double y, const char* anchor, const std::string& what, const char* more = "") {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more, what);
  }
  void line(double x1, double y1, double x2, double y2) {
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
  }

  void draw_grid() {
    for (double decade = y_.low; decade <= y_.high; ++decade) {
      const double y = std::pow(10, decade);
      line(kLeft, y_of(y), kWidth - kRight, y_of(y));
      text(kLeft - 6, y_of(y) + 4, "end", fmt::format("{:g}", y));
    }
    std::vector<double> marks;
    for (const Series& series : chart_.series) {
      for (const auto& point : series.points) marks.push_back(point.first);
    }
    std::sort(marks.begin(), marks.end());
    marks.erase(std::unique(marks.begin(), marks.end()), marks.end());
    for (const double x : marks) {
      line(x_of(x), kTop, x_of(x), kHeight - kBottom);
      const auto index = static_cast<std::size_t>(x);
      text(x_of(x), kHeight - kBottom + 16, "middle",
           chart_.x_names.empty() ? fmt::format("{:g}", x) : chart_.x_names.at(index));
    }
    text((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", chart_.x_label);
    text(kLeft, kTop - 4, "start", chart_.y_label, " fill=\"#666\"");
  }

  void draw_series(std::size_t index) {
    const Series& series = chart_.series[index];
    const char* const colour = kColours[index % std::size(kColours)];
    const char* const dashes = index >= std::size(kColours) ? " stroke-dasharray=\"6 4\"" : "";
    std::string path;
    for (const auto& [x, y] : series.points) {
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x_of(x), y_of(y));
      out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x_of(x), y_of(y), colour);
    }
    out_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", path, colour, dashes);
    const double y = kTop + 10 + 20 * static_cast<double>(index);
    const double x = kWidth - kRight + 16;
    out_ +=
        fmt::format("<path d=\"M{:.1f} {:.1f}h24\" stroke=\"{}\" stroke-width=\"2\"{}/>\n", x, y - 4, colour, dashes);
    text(x + 30, y, "start", series.name);
  }

  const Chart& chart_;
  Range x_;
  Range y_;
  std::string out_;
};

// A line for each column, a point for each of the scenario's measurements.
Chart chart_over(const Report& report, const char* scenario, Chart chart) {
  for (const Measurement& measurement : report.measurements()) {
    if (measurement.scenario != scenario) continue;
    for (const Column& column : measurement.columns) {
      auto at = std::find_if(chart.series.begin(), chart.series.end(),
                             [&](const Series& series) { return series.name == column.name; });
      if (at == chart.series.end()) at = chart.series.insert(at, {column.name, {}});
      at->points.emplace_back(measurement.at, median(column.figures));
    }
  }
  return chart;
}

// A line for each rate, a point for each percentile.
Chart chart_of_tails(const Report& report) {
  Chart chart{"latency", "Delivery at a fixed rate, from when a message was due", "percentile", "microseconds"};
  for (const Measurement& measurement : report.measurements()) {
    if (measurement.scenario.rfind("rate-", 0) != 0) continue;
    Series series{measurement.scenario.substr(5) + " messages/s", {}};
    chart.x_names.clear();
    for (const Column& column : measurement.columns) {
      series.points.emplace_back(static_cast<double>(chart.x_names.size()), median(column.figures));
      chart.x_names.push_back(column.name);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart chart_of_recovery(const Report& report) {
  Chart chart{"recovery", "From the SIGKILL of a slab's holder to the blocked writer's next message",
              "percentile of the kills", "milliseconds"};
  chart.x_names = {"min", "p50", "p90", "p99", "max"};
  for (const Measurement& measurement : report.measurements()) {
    if (measurement.scenario != "recovery") continue;
    for (const Column& column : measurement.columns) {
      Series series{column.name, {}};
      std::vector<double> figures = column.figures;
      double x = 0;
      for (const double hundredths : {0., 50., 90., 99., 100.}) {
        series.points.emplace_back(x++, percentile(figures, hundredths));
      }
      chart.series.push_back(std::move(series));
    }
  }
  return chart;
}

}  // namespace

std::vector<Picture> pictures_of(const Report& report) {
  const Chart charts[] = {
      chart_over(report, "one-to-one",
                 {"throughput", "One producer to one consumer, every byte read", "bytes of a message",
                  "million messages a second"}),
      chart_over(report, "producers",
                 {"producers", "Producers to one consumer, 16 bytes", "producers", "million messages a second"}),
      chart_of_tails(report),
      chart_of_recovery(report),
  };
  std::vector<Picture> pictures;
  for (const Chart& chart : charts) {
    if (!chart.series.empty()) pictures.push_back({chart.name, Canvas{chart}.draw()});
  }
  return pictures;
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file{path};
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

void write_pictures(const Report& report, const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (const Picture& picture : pictures_of(report)) write_file(folder + "/" + picture.name + ".svg", picture.svg);
}

}  // namespace sapbuf::bench
