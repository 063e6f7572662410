#include "common/table.hpp"

#include <algorithm>
#include <string_view>

namespace sapbuf::tools {

namespace {

// Columns on the screen: continuation bytes of UTF-8 take none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t widest = width(columns_[column].title);
    for (const auto& cells : rows_) widest = std::max(widest, width(cells[column]));
    widths.push_back(widest);
  }
  std::string out;
  const auto put_row = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const std::string& cell = cell_of(column);
      const std::string padding(widths[column] - width(cell), ' ');
      if (column != 0) line += "  ";
      line += columns_[column].align == Align::right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  put_row([&](std::size_t column) -> const std::string& { return columns_[column].title; });
  for (const auto& cells : rows_) put_row([&](std::size_t column) -> const std::string& { return cells[column]; });
  return out;
}

}  // namespace sapbuf::tools
