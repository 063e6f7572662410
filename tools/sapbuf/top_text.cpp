#include "sapbuf/top_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "common/human.hpp"
#include "common/terminal.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kTopGap = 2;
constexpr std::size_t kWidestTopName = 48;

std::string or_dash(const std::optional<double>& value, const std::function<std::string(double)>& text) {
  return value ? text(*value) : "-";
}

// Widths are fixed, so that nothing moves from look to look.
struct TopColumn {
  std::string_view title;
  std::size_t width;
  std::size_t from_width;  // is shown from this width on
  bool at_right;
  std::string (*text)(const TopFigures& figures);
};

constexpr TopColumn kTopColumns[] = {
    {"KIND", 8, 0, false, [](const TopFigures& of) { return of.kind; }},
    {"RATE/S", 7, 0, true, [](const TopFigures& of) { return or_dash(of.rate, human_rate); }},
    {"BYTES/S", 8, 0, true,
     [](const TopFigures& of) {
       return or_dash(of.byte_rate, [](double rate) { return human_bytes(static_cast<std::uint64_t>(rate)); });
     }},
    {"USED", 5, 0, true,
     [](const TopFigures& of) {
       return or_dash(of.used, [](double part) { return fmt::format("{:.0f} %", part * 100); });
     }},
    {"HELD", 8, 90, true,
     [](const TopFigures& of) { return of.held_bytes == 0 ? std::string{"-"} : human_bytes(of.held_bytes); }},
    {"LAG", 9, 0, true, [](const TopFigures& of) { return of.lag ? human_count(of.lag->messages) : "-"; }},
    {"LAG BYTES", 9, 101, true, [](const TopFigures& of) { return of.lag ? human_bytes(of.lag->bytes) : "-"; }},
    {"WHO", 12, 0, false, [](const TopFigures& of) { return of.who; }},
};

// Exactly so wide.
std::string fitted(const std::string& text, std::size_t width, bool at_right) {
  const std::string shown = shortened(text, width);
  const std::string space(width - std::min(width, width_of(shown)), ' ');
  return at_right ? space + shown : shown + space;
}

std::size_t width_of_name(std::size_t width) {
  std::size_t others = 0;
  for (const TopColumn& column : kTopColumns) {
    if (width >= column.from_width) others += kTopGap + column.width;
  }
  return std::clamp<std::size_t>(width - std::min(width, others), 8, kWidestTopName);
}

template <typename CellOf>
std::string line_of(const std::string& name, std::size_t width, CellOf cell_of) {
  std::string line = fitted(name, width_of_name(width), false);
  for (const TopColumn& column : kTopColumns) {
    if (width < column.from_width) continue;
    line += std::string(kTopGap, ' ') + fitted(cell_of(column), column.width, column.at_right);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return shortened(line, width);
}

std::string line_of(const TopFigures& figures, std::string_view indent, std::size_t width) {
  return line_of(std::string{indent} + figures.name, width,
                 [&](const TopColumn& column) { return column.text(figures); });
}

double key_of(const TopFigures& figures, TopOrder order) {
  switch (order) {
    case TopOrder::rate:
      return figures.rate.value_or(-1);
    case TopOrder::bytes:
      return figures.byte_rate.value_or(-1);
    case TopOrder::used:
      return figures.used.value_or(-1);
    case TopOrder::held:
      return static_cast<double>(figures.held_bytes);
    case TopOrder::lag:
      return figures.lag ? static_cast<double>(figures.lag->messages) : -1;
    case TopOrder::name:
      break;
  }
  return 0;
}

bool comes_before(const TopFigures& one, const TopFigures& other, TopOrder order) {
  const double key = key_of(one, order);
  const double other_key = key_of(other, order);
  return key != other_key ? key > other_key : one.name < other.name;
}

}  // namespace

std::string shortened(const std::string& line, std::size_t width) {
  constexpr std::string_view kMark = "..";
  if (width_of(line) <= width) return line;
  std::size_t end = 0;
  for (std::size_t columns = 0; end < line.size(); ++end) {
    const bool begins_character = (static_cast<unsigned char>(line[end]) & 0xc0) != 0x80;
    if (begins_character && ++columns > width - std::min(width, kMark.size())) break;
  }
  return line.substr(0, end).append(kMark);
}

std::string_view to_string(TopOrder order) noexcept {
  switch (order) {
    case TopOrder::name:
      return "name";
    case TopOrder::rate:
      return "rate";
    case TopOrder::bytes:
      return "bytes";
    case TopOrder::used:
      return "used";
    case TopOrder::held:
      return "held";
    case TopOrder::lag:
      break;
  }
  return "lag";
}

TopOrder next_order(TopOrder order) noexcept {
  return order == TopOrder::lag ? TopOrder::name : static_cast<TopOrder>(static_cast<int>(order) + 1);
}

void sort(TopSample& sample, TopOrder order) {
  const auto before = [order](const TopFigures& one, const TopFigures& other) {
    return comes_before(one, other, order);
  };
  std::stable_sort(
      sample.facilities.begin(), sample.facilities.end(),
      [&](const TopFacility& one, const TopFacility& other) { return before(one.figures, other.figures); });
  for (TopFacility& facility : sample.facilities) {
    std::stable_sort(facility.participants.begin(), facility.participants.end(), before);
  }
}

std::vector<std::string> top_lines(const TopSample& sample, std::size_t width) {
  std::vector<std::string> lines;
  lines.push_back(line_of("NAME", width, [](const TopColumn& column) { return std::string{column.title}; }));
  for (const TopFacility& facility : sample.facilities) {
    lines.push_back(line_of(facility.figures, "", width));
    for (const TopFigures& participant : facility.participants) lines.push_back(line_of(participant, "  ", width));
  }
  if (sample.facilities.empty()) lines.emplace_back("(no segments)");
  for (const std::string& line : sample.unreadable) lines.push_back(shortened(line, width));
  return lines;
}

}  // namespace sapbuf::tools
