// Aligned columns for people, within what the screen is wide.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/terminal.hpp"

namespace sapbuf::tools {

class Table {
 public:
  enum class Align { left, right };
  // What may be taken from a cell that is too wide.
  enum class Cut { nothing, middle, end };
  // What becomes of a column where the table is wider than the screen. First cells are cut; then columns are left out,
  // and named below the table; and then the table is folded: it goes on below itself, with the key columns once more, and
  // without the rows that have nothing but "-" there.
  struct Narrow {
    Cut cut = Cut::nothing;
    unsigned leave_out = 0;    // which one is left out first, from 1 on; 0: never
    bool is_key = false;       // names the row
    bool begins_part = false;  // where the table is folded, a new part begins here
  };
  struct Column {
    std::string title;
    Align align = Align::left;
    Narrow narrow{};
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const noexcept { return rows_.empty(); }
  // The titles, then the rows, each with a newline behind it.
  std::string text(std::size_t width = output_width()) const;

 private:
  // Some of the columns, and how wide each is shown.
  struct Part {
    std::vector<std::size_t> columns;
    std::vector<std::size_t> widths;
  };

  std::vector<std::size_t> natural_widths() const;
  Part part_of(std::vector<std::size_t> columns, const std::vector<std::size_t>& natural) const;
  bool narrow(Part& part, std::size_t width) const;
  std::vector<Part> fold(const std::vector<std::size_t>& columns, const std::vector<std::size_t>& natural,
                         std::size_t width) const;
  std::vector<std::size_t>::iterator least_needed(std::vector<std::size_t>& columns) const;
  bool says_something(const std::vector<std::string>& cells, const Part& part) const;
  void put_row(const Part& part, const std::vector<std::string>& cells, std::string& out) const;
  void put_part(const Part& part, bool folded, std::string& out) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace sapbuf::tools
