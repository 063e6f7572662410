#include "segment/words.hpp"

#include <cstring>

#include <sapbuf/text.hpp>

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// How far the last bytes of a UTF-8 text must go so that no character is cut in two.
std::size_t whole_characters(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return limit;
}

}  // namespace

void store_text(layout::Word* words, std::string_view text) noexcept {
  char bytes[kTextBytes] = {};
  std::memcpy(bytes, text.data(), whole_characters(text, kTextBytes - 1));
  for (std::size_t i = 0; i < kTextBytes / 8; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + 8 * i, 8);
    words[i].store(word, relaxed);
  }
}

std::string load_text(const layout::Word* words) {
  char bytes[kTextBytes];
  for (std::size_t i = 0; i < kTextBytes / 8; ++i) {
    const std::uint64_t word = words[i].load(relaxed);
    std::memcpy(bytes + 8 * i, &word, 8);
  }
  return {bytes, ::strnlen(bytes, sizeof bytes)};
}

std::string load_name(const layout::Word* words) { return printable(load_text(words)); }

}  // namespace SAPBUF_DETAIL
