// Text in shared memory: kept in words, so that it can be read while it is written.
#pragma once

#include <string>
#include <string_view>

#include <sapbuf/layout/word.hpp>

namespace SAPBUF_DETAIL {

inline constexpr std::size_t kTextBytes = 64;  // of each such text: 63 bytes at the most, and a zero

// Cut at a whole character of UTF-8.
void store_text(layout::Word* words, std::string_view text) noexcept;
// As it stands there: whoever looks for it compares it with what cannot hurt.
std::string load_text(const layout::Word* words);
// Printable, whatever stands there: for people.
std::string load_name(const layout::Word* words);

}  // namespace SAPBUF_DETAIL
