#include <sapbuf/text.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace {

// What text begins with: one character, or one byte that belongs to none.
struct Piece {
  std::size_t size = 1;
  std::uint32_t code_point = 0;
  bool is_character = false;
};

Piece first_piece(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead, true};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  std::uint32_t code_point = lead & (0xffU >> (size + 1));
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return {};
    code_point = code_point << 6 | (byte(at) & 0x3fU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // for so many bytes: others are overlong
  const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[size] || code_point > 0x10ffff || is_surrogate) return {};
  return {size, code_point, true};
}

struct Range {
  std::uint32_t first, last;
};

// Controls; what has no width or turns the direction of writing, so that a name looks like another; ends of lines.
constexpr Range kUnseen[] = {
    {0x00, 0x1f},       {0x7f, 0x9f},     {0xad, 0xad},      // controls, soft hyphen
    {0x061c, 0x061c},   {0x180e, 0x180e},                    // Arabic letter mark, Mongolian vowel separator
    {0x200b, 0x200f},   {0x2028, 0x202e}, {0x2060, 0x206f},  // no width, directions, ends of lines
    {0xfeff, 0xfeff},   {0xfff9, 0xfffb}, {0xfffe, 0xffff},  // byte order mark, annotations, no characters
    {0xe0000, 0xe0fff},                                      // tags, selectors
};

bool is_printable(const Piece& piece) noexcept {
  return piece.is_character && std::none_of(std::begin(kUnseen), std::end(kUnseen), [&](const Range& range) {
           return piece.code_point >= range.first && piece.code_point <= range.last;
         });
}

constexpr char kDigits[] = "0123456789abcdef";

std::string escaped_bytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
  }
  return text;
}

std::string escaped(const Piece& piece, std::string_view bytes) {
  if (!piece.is_character || piece.code_point < 0x80) {
    switch (bytes[0]) {
      case '\n':
        return "\\n";
      case '\t':
        return "\\t";
      case '\r':
        return "\\r";
      default:
        return escaped_bytes(bytes);
    }
  }
  std::string digits;
  for (std::uint32_t rest = piece.code_point; rest != 0; rest >>= 4) digits.insert(digits.begin(), kDigits[rest & 15]);
  return "\\u{" + digits + "}";
}

// Calls `take` for each piece of `text`, with its bytes.
template <class Take>
void for_each_piece(std::string_view text, Take take) {
  while (!text.empty()) {
    const Piece piece = first_piece(text);
    take(piece, text.substr(0, piece.size));
    text.remove_prefix(piece.size);
  }
}

bool is_safe_in_shells(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"_-./:,@%+="}.find(c) != std::string_view::npos;
}

// '...', which ends for each quotation mark: 'it'\''s'.
std::string single_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
  return quoted + "'";
}

// $'...' without a quotation mark inside: a shell that does not know the form takes it for '...' behind a dollar sign,
// and must not find its end earlier.
std::string dollar_quoted(std::string_view text) {
  std::string quoted = "$'";
  for_each_piece(text, [&](const Piece& piece, std::string_view bytes) {
    const bool stays = is_printable(piece) && bytes != "'" && bytes != "\\" && bytes != "!";
    quoted += stays ? std::string{bytes} : escaped_bytes(bytes);
  });
  return quoted + "'";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for_each_piece(text, [&](const Piece& piece, std::string_view bytes) {
    line += is_printable(piece) ? std::string{bytes} : escaped(piece, bytes);
  });
  return line;
}

std::string shell_operand(std::string_view text) {
  const std::string ahead = text.starts_with('-') ? "-- " : "";
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_safe_in_shells)) return ahead + std::string{text};
  return ahead + (printable(text) == text ? single_quoted(text) : dollar_quoted(text));
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
