// A look of `sapbuf top` as lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sapbuf/top_sample.hpp"

namespace sapbuf::tools {

enum class TopOrder { name, rate, bytes, used, held, lag };

std::string_view to_string(TopOrder order) noexcept;
TopOrder next_order(TopOrder order) noexcept;

// Facilities, and the participants of each. By name ascending; by anything else descending.
void sort(TopSample& sample, TopOrder order);

// The titles, then a line each, none wider than `width`; columns that have no room are left out.
std::vector<std::string> top_lines(const TopSample& sample, std::size_t width);

// No wider than `width`: the end is cut off, and that is shown.
std::string shortened(const std::string& line, std::size_t width);

}  // namespace sapbuf::tools
