// A shared struct's fields, by name and place: what a layout hash is made of. Each struct has a list beside it, and
// covers() says at compile time that the list leaves nothing out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sapbuf::layout {

struct Field {
  std::string_view name;
  std::size_t offset;
  std::size_t bytes;
};

// Whether the fields, in their order, fill a struct of that size to the last byte, without padding or overlap.
constexpr bool covers(std::span<const Field> fields, std::size_t bytes) noexcept {
  std::size_t end = 0;
  for (const Field& field : fields) {
    if (field.offset != end) return false;
    end += field.bytes;
  }
  return end == bytes;
}

// FNV-1a, 64 bits.
class LayoutHash {
 public:
  constexpr LayoutHash& add(std::uint64_t fact) noexcept {
    for (unsigned shift = 0; shift < 64; shift += 8) add_byte(static_cast<std::uint8_t>(fact >> shift));
    return *this;
  }
  constexpr LayoutHash& add(std::span<const Field> fields, std::size_t bytes) noexcept {
    for (const Field& field : fields) {
      for (const char letter : field.name) add_byte(static_cast<std::uint8_t>(letter));
      add(field.offset).add(field.bytes);
    }
    return add(bytes);
  }
  constexpr std::uint64_t value() const noexcept { return hash_; }

 private:
  constexpr void add_byte(std::uint8_t byte) noexcept { hash_ = (hash_ ^ byte) * 1099511628211u; }
  std::uint64_t hash_ = 14695981039346656037u;
};

}  // namespace sapbuf::layout

#define SAPBUF_FIELD(Struct, name) \
  ::sapbuf::layout::Field { #name, offsetof(Struct, name), sizeof(Struct::name) }
