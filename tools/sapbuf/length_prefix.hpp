// What stands before each message where `--length-prefix` was given, in what `sub` and `queue pop` write, and `pub` and
// `queue push` read:
//
//   byte   0       4      6
//          +-------+------+----------------+
//          | size  | type | payload        |    size: bytes of payload; type: the message's. Both unsigned, little-endian
//          +-------+------+----------------+
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace sapbuf::tools {

inline constexpr std::size_t kLengthPrefixBytes = 6;

struct LengthPrefix {
  std::uint32_t size = 0;  // a slab has at most 4 GiB, headers included
  std::uint16_t type = 0;

  std::array<char, kLengthPrefixBytes> bytes() const noexcept {
    const std::uint64_t word = std::uint64_t{type} << 32 | size;
    std::array<char, kLengthPrefixBytes> bytes{};
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<char>(word >> (8 * at));
    return bytes;
  }
  static LengthPrefix from(const char* bytes) noexcept {
    std::uint64_t word = 0;
    for (std::size_t at = 0; at < kLengthPrefixBytes; ++at) {
      word |= std::uint64_t{static_cast<unsigned char>(bytes[at])} << (8 * at);
    }
    return {.size = static_cast<std::uint32_t>(word), .type = static_cast<std::uint16_t>(word >> 32)};
  }
};

}  // namespace sapbuf::tools
