// What fits on the screen that standard output goes to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sapbuf::tools {

inline constexpr std::size_t kAnyWidth = ~std::size_t{0};

// Columns: what the variable COLUMNS says, or else the terminal; kAnyWidth where the output is no terminal.
std::size_t output_width() noexcept;

// Columns that `text` takes: continuation bytes of UTF-8 take none.
std::size_t width_of(std::string_view text) noexcept;

// Lines that are wider go on in the next one, indented; they are broken at spaces.
std::string wrapped(std::string_view text, std::size_t width);

}  // namespace sapbuf::tools
