#include "common/table.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string_view>
#include <utility>

namespace sapbuf::tools {

namespace {

constexpr std::size_t kGap = 2;        // between columns
constexpr std::size_t kCutWidth = 14;  // no cell is cut to less

// The first `columns` columns, or the last ones.
std::string_view head(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  while (bytes < text.size() && width_of(text.substr(0, bytes + 1)) <= columns) ++bytes;
  return text.substr(0, bytes);
}

std::string_view tail(std::string_view text, std::size_t columns) {
  std::size_t begin = text.size();
  while (begin > 0 && width_of(text.substr(begin)) < columns) --begin;
  return text.substr(begin);
}

std::string cut_to(const std::string& text, std::size_t width, Table::Cut cut) {
  constexpr std::string_view kMark = "..";
  if (width_of(text) <= width) return text;
  const std::size_t kept = width - kMark.size();
  const std::size_t behind = cut == Table::Cut::middle ? kept / 2 : 0;
  std::string out{head(text, kept - behind)};
  return out.append(kMark).append(behind == 0 ? std::string_view{} : tail(text, behind));
}

std::size_t total(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) + kGap * (widths.size() - 1);
}

}  // namespace

std::vector<std::size_t> Table::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t widest = width_of(columns_[column].title);
    for (const auto& cells : rows_) widest = std::max(widest, width_of(cells[column]));
    widths.push_back(widest);
  }
  return widths;
}

Table::Part Table::part_of(std::vector<std::size_t> columns, const std::vector<std::size_t>& natural) const {
  Part part{std::move(columns), {}};
  for (const std::size_t column : part.columns) part.widths.push_back(natural[column]);
  return part;
}

// Cuts what may be cut, the widest first. False: that is not enough.
bool Table::narrow(Part& part, std::size_t width) const {
  for (;;) {
    const std::size_t now = total(part.widths);
    if (now <= width) return true;
    std::size_t* widest = nullptr;
    for (std::size_t at = 0; at < part.columns.size(); ++at) {
      const bool may_be_cut = columns_[part.columns[at]].narrow.cut != Cut::nothing;
      if (may_be_cut && (widest == nullptr || part.widths[at] > *widest)) widest = &part.widths[at];
    }
    if (widest == nullptr || *widest <= kCutWidth) return false;
    *widest = std::max(kCutWidth, *widest - std::min(*widest, now - width));
  }
}

std::vector<Table::Part> Table::fold(const std::vector<std::size_t>& columns, const std::vector<std::size_t>& natural,
                                     std::size_t width) const {
  std::vector<std::size_t> keys;
  std::copy_if(columns.begin(), columns.end(), std::back_inserter(keys),
               [&](std::size_t column) { return columns_[column].narrow.is_key; });
  std::vector<Part> parts;
  std::vector<std::size_t> chosen;
  const auto end_part = [&](std::vector<std::size_t> next) {
    Part part = part_of(std::exchange(chosen, std::move(next)), natural);
    narrow(part, width);
    parts.push_back(std::move(part));
  };
  for (const std::size_t column : columns) {
    if (!parts.empty() && columns_[column].narrow.is_key) continue;
    std::vector<std::size_t> with = chosen;
    with.push_back(column);
    Part tried = part_of(with, natural);
    const bool has_more_than_keys = chosen.size() > (parts.empty() ? 0 : keys.size());
    if (has_more_than_keys && (columns_[column].narrow.begins_part || !narrow(tried, width))) {
      end_part(keys);
      chosen.push_back(column);
    } else {
      chosen = std::move(with);
    }
  }
  end_part({});
  return parts;
}

bool Table::says_something(const std::vector<std::string>& cells, const Part& part) const {
  return std::any_of(part.columns.begin(), part.columns.end(), [&](std::size_t column) {
    return !columns_[column].narrow.is_key && cells[column] != "-" && !cells[column].empty();
  });
}

void Table::put_row(const Part& part, const std::vector<std::string>& cells, std::string& out) const {
  std::string line;
  for (std::size_t at = 0; at < part.columns.size(); ++at) {
    const Column& column = columns_[part.columns[at]];
    const std::string cell = cut_to(cells[part.columns[at]], part.widths[at], column.narrow.cut);
    const std::string padding(part.widths[at] - std::min(part.widths[at], width_of(cell)), ' ');
    if (at != 0) line.append(kGap, ' ');
    line += column.align == Align::right ? padding + cell : cell + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

void Table::put_part(const Part& part, bool folded, std::string& out) const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  put_row(part, titles, out);
  for (const auto& cells : rows_) {
    if (!folded || says_something(cells, part)) put_row(part, cells, out);
  }
}

std::vector<std::size_t>::iterator Table::least_needed(std::vector<std::size_t>& columns) const {
  auto least = columns.end();
  for (auto column = columns.begin(); column != columns.end(); ++column) {
    const unsigned rank = columns_[*column].narrow.leave_out;
    if (rank != 0 && (least == columns.end() || rank < columns_[*least].narrow.leave_out)) least = column;
  }
  return least;
}

std::string Table::text(std::size_t width) const {
  const std::vector<std::size_t> natural = natural_widths();
  std::vector<std::size_t> columns(columns_.size());
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  std::string left_out;
  std::vector<Part> parts{part_of(columns, natural)};
  while (!narrow(parts.front(), width)) {
    const auto least = least_needed(columns);
    if (least == columns.end()) {
      parts = fold(columns, natural, width);
      break;
    }
    left_out += (left_out.empty() ? "" : ", ") + columns_[*least].title;
    columns.erase(least);
    parts.front() = part_of(columns, natural);
  }
  std::string out;
  for (const Part& part : parts) {
    if (!out.empty()) out += '\n';
    put_part(part, parts.size() > 1, out);
  }
  return left_out.empty() ? out : out + "(no room for " + left_out + ")\n";
}

}  // namespace sapbuf::tools
