// The soak's messages: size and every byte follow from who wrote a message and from its number, so a reader can tell a
// torn, foreign, repeated or missing one without having seen what was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sapbuf::soak {

// Shorter messages have no room for their number: a reader counts them.
inline constexpr std::size_t kNumberedBytes = 16;

class Messages {
 public:
  // `largest`: no message is longer.
  Messages(std::uint64_t seed, std::size_t largest) : seed_(seed), largest_(largest) {}

  // Numbers begin at 1. Mostly tens to hundreds of bytes; some of 0 to 15, a few up to the largest.
  std::size_t size_of(std::uint16_t producer, std::uint64_t number) const noexcept;
  void fill(std::span<std::byte> message, std::uint16_t producer, std::uint64_t number) const noexcept;

  static bool is_numbered(std::size_t size) noexcept { return size >= kNumberedBytes; }
  static std::uint64_t number_of(std::span<const std::byte> message) noexcept;
  // Whether each byte is as `fill` wrote it. Of those without a number: for any number.
  bool is_whole(std::span<const std::byte> message, std::uint16_t producer) const noexcept;

 private:
  std::uint64_t key_of(std::uint16_t producer, std::uint64_t number) const noexcept;

  std::uint64_t seed_;
  std::size_t largest_;
};

}  // namespace sapbuf::soak
