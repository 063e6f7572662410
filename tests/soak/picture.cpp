#include "soak/picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/human.hpp"

namespace sapbuf::soak {
namespace {

constexpr double kWidth = 1000;
constexpr double kTop = 112;
constexpr double kPanelHeight = 250;
constexpr double kPanelStep = kPanelHeight + 92;
constexpr std::size_t kRows = 125;

// Colours by class, so that one block of rules serves the light and the dark scheme.
constexpr const char* kStyle = R"(<style>
  svg { font-family: "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif; }
  .page { fill: #ffffff; } .plot { fill: #f5f7fa; }
  .title { fill: #16202c; font-size: 21px; font-weight: bold; } .head { fill: #16202c; font-size: 14px; font-weight: bold; }
  .text { fill: #55606e; font-size: 12px; } .grid { stroke: #d8dee6; stroke-width: 1; }
  .limit { stroke: #b3261e; stroke-width: 1; stroke-dasharray: 4 3; }
  .writer { stroke: #2f6fde; fill: #2f6fde; } .reader { stroke: #d9822b; fill: #d9822b; }
  .line { stroke-width: 1; stroke-opacity: 0.35; } .took { stroke-width: 1.5; } .reclaimed { fill: #16202c; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #12171e; } .plot { fill: #1a212b; }
    .title, .head { fill: #edf1f6; } .text { fill: #a7b2c0; } .grid { stroke: #303a47; }
    .limit { stroke: #ff8a80; }
    .writer { stroke: #6ea8ff; fill: #6ea8ff; } .reader { stroke: #ffb066; fill: #ffb066; } .reclaimed { fill: #edf1f6; }
  }
</style>
)";

std::string decade_name(int exponent) {
  constexpr const char* kUnits[] = {"ns", "\u00b5s", "ms", "s"};
  constexpr const char* kCounts[] = {"1", "10", "100"};
  return fmt::format("{} {}", kCounts[exponent % 3], kUnits[std::min(exponent / 3, 3)]);
}

// Times on a logarithmic axis between two powers of ten, in nanoseconds.
class Axis {
 public:
  Axis(double left, double right, int first, int last) : left_(left), right_(right), first_(first), last_(last) {}

  double at(std::uint64_t ns) const {
    const double exponent = std::log10(static_cast<double>(std::max<std::uint64_t>(ns, 1)));
    return left_ + (right_ - left_) * std::clamp((exponent - first_) / (last_ - first_), 0.0, 1.0);
  }
  double left() const { return left_; }
  double right() const { return right_; }

  std::string draw(double top, double bottom) const {
    std::string svg = fmt::format("<rect class=\"plot\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", left_, top,
                                  right_ - left_, bottom - top);
    std::uint64_t ns = 1;
    for (int exponent = 0; exponent <= last_; ++exponent, ns *= 10) {
      if (exponent < first_) continue;
      const bool has_room = at(10 * ns) - at(ns) > 60 || (exponent - first_) % 2 == 0;
      svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", at(ns), top,
                         bottom);
      if (!has_room) continue;
      svg += fmt::format("<text class=\"text\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", at(ns),
                         bottom + 17, decade_name(exponent));
    }
    return svg;
  }

 private:
  double left_, right_;
  int first_, last_;
};

const Axis kSinceKill{50, 660, 4, 10};  // 10 us to 10 s
const Axis kTook{720, 960, 2, 8};       // 100 ns to 100 ms

std::uint64_t since_kill(const Death& death) { return death.finished_ns - death.kill_ns; }

// Sorted; at most so many as there are rows, evenly chosen, the slowest among them.
std::vector<Death> rows_of(std::vector<Death> deaths) {
  std::sort(deaths.begin(), deaths.end(), [](const Death& a, const Death& b) { return since_kill(a) < since_kill(b); });
  if (deaths.size() <= kRows) return deaths;
  std::vector<Death> rows;
  for (std::size_t row = 0; row < kRows; ++row) rows.push_back(deaths[row * (deaths.size() - 1) / (kRows - 1)]);
  return rows;
}

std::string draw_row(const Death& death, double y) {
  const char* const role = death.role == Role::writer ? "writer" : "reader";
  const double noticed = kSinceKill.at(death.noticed_ns - death.kill_ns);
  const double reclaimed = kSinceKill.at(since_kill(death));
  const double took = kTook.at(death.finished_ns - death.noticed_ns);
  return fmt::format(
      "<line class=\"{0} line\" x1=\"{1}\" x2=\"{2:.1f}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/>"
      "<line class=\"{0} took\" x1=\"{2:.1f}\" x2=\"{4:.1f}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/>"
      "<circle class=\"{0}\" cx=\"{2:.1f}\" cy=\"{3:.1f}\" r=\"1.6\"/>"
      "<rect class=\"reclaimed\" x=\"{4:.1f}\" y=\"{5:.1f}\" width=\"1.6\" height=\"2\"/>"
      "<line class=\"{0} line\" x1=\"{6}\" x2=\"{7:.1f}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/>"
      "<rect class=\"reclaimed\" x=\"{7:.1f}\" y=\"{5:.1f}\" width=\"1.6\" height=\"2\"/>\n",
      role, kSinceKill.left(), noticed, y, reclaimed, y - 1, kTook.left(), took);
}

std::string summary(const std::vector<Death>& deaths, std::uint64_t (*time)(const Death&)) {
  std::vector<std::uint64_t> values;
  std::transform(deaths.begin(), deaths.end(), std::back_inserter(values), time);
  const Distribution d = distribution(std::move(values));
  return fmt::format("median {}, p99 {}, max {}", short_time(d.median), short_time(d.p99), short_time(d.max));
}

std::string text(const char* style, double x, double y, std::string_view words) {
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\">{}</text>\n", style, x, y, words);
}

std::string draw_panel(const std::vector<Death>& deaths, std::string_view title, double top) {
  const double bottom = top + kPanelHeight;
  std::string svg = kSinceKill.draw(top, bottom) + kTook.draw(top, bottom);
  svg +=
      text("head", kSinceKill.left(), top - 24, fmt::format("{}: {} deaths", title, tools::human_count(deaths.size())));
  if (deaths.empty()) return svg;
  svg += text("text", kSinceKill.left(), top - 7, "since the kill, until reclaimed: " + summary(deaths, since_kill));
  svg += text("head", kTook.left(), top - 24, "Reclaiming by itself took");
  svg += text("text", kTook.left(), top - 7,
              summary(deaths, [](const Death& death) { return death.finished_ns - death.noticed_ns; }));
  const double limit = kSinceKill.at(100'000'000);
  svg +=
      fmt::format("<line class=\"limit\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", limit, top, bottom);
  const std::vector<Death> rows = rows_of(deaths);
  const double step = kPanelHeight / static_cast<double>(rows.size() + 1);
  for (std::size_t row = 0; row < rows.size(); ++row)
    svg += draw_row(rows[row], top + step * static_cast<double>(row + 1));
  return svg;
}

std::string draw_legend(double y) {
  std::string svg;
  const auto entry = [&](double x, const char* role, const char* words) {
    svg += fmt::format(
        "<line class=\"{0} took\" x1=\"{1}\" x2=\"{2}\" y1=\"{3}\" y2=\"{3}\"/>"
        "<circle class=\"{0}\" cx=\"{2}\" cy=\"{3}\" r=\"3\"/>\n",
        role, x, x + 22, y - 4);
    svg += text("text", x + 32, y, words);
  };
  entry(50, "writer", "a producer, from SIGKILL to noticed");
  entry(325, "reader", "a reader, from SIGKILL to noticed");
  svg += fmt::format("<rect class=\"reclaimed\" x=\"590\" y=\"{}\" width=\"4\" height=\"8\"/>\n", y - 8);
  svg += text("text", 602, y, "reclaimed");
  svg += fmt::format("<line class=\"limit\" x1=\"690\" x2=\"712\" y1=\"{0}\" y2=\"{0}\"/>\n", y - 4);
  return svg + text("text", 720, y, "100 ms: the promise to those who wait");
}

}  // namespace

std::string picture(const Report& report) {
  const double height = kTop + 2 * kPanelStep + 6;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">\n"
      "<title>From SIGKILL to reclaimed</title>\n{2}<rect class=\"page\" width=\"{0}\" height=\"{1}\"/>\n",
      kWidth, height, kStyle);
  svg += text("title", 50, 34, "From SIGKILL to noticed to reclaimed");
  svg +=
      text("text", 50, 54,
           fmt::format("soak of {:.0f} s, seed {}: {} rounds. One row is one death, the quickest on top; of more than "
                       "{} a sample, evenly chosen.",
                       report.seconds, report.seed, report.rounds, kRows));
  svg += draw_legend(78);
  const double top = kTop + 28;
  svg += draw_panel(measured_deaths(report, Watched::yes), "With sapbuf-watchdog", top);
  svg += draw_panel(measured_deaths(report, Watched::no), "Without a watchdog", top + kPanelStep);
  svg += text("text", 50, kTop + 2 * kPanelStep - 12,
              "Logarithmic axes. Left out: deaths while somebody was stopped, and those that nobody needed to notice");
  return svg + "</svg>\n";
}

}  // namespace sapbuf::soak
