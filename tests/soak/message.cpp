#include "soak/message.hpp"

#include <algorithm>
#include <cstring>

#include "soak/dice.hpp"

namespace sapbuf::soak {
namespace {

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;
constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

std::uint64_t word_of(const std::byte* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, kWordBytes);
  return word;
}

}  // namespace

std::uint64_t Messages::key_of(std::uint16_t producer, std::uint64_t number) const noexcept {
  return mix(seed_ ^ mix(number ^ (std::uint64_t{producer} << 48)));
}

std::size_t Messages::size_of(std::uint16_t producer, std::uint64_t number) const noexcept {
  const std::uint64_t chance = mix(key_of(producer, number));
  const std::uint64_t spread = chance >> 16;
  std::size_t size = kNumberedBytes + spread % 256;
  if (chance % 256 == 0) {
    size = spread % (largest_ + 1);
  } else if (chance % 16 == 1) {
    size = spread % kNumberedBytes;
  } else if (chance % 16 == 2) {
    size = kNumberedBytes + spread % 2048;
  }
  return std::min(size, largest_);
}

void Messages::fill(std::span<std::byte> message, std::uint16_t producer, std::uint64_t number) const noexcept {
  std::uint64_t word = key_of(producer, is_numbered(message.size()) ? number : 0);
  std::byte* at = message.data();
  std::byte* const end = at + message.size();
  if (is_numbered(message.size())) {
    std::memcpy(at, &number, kWordBytes);
    at += kWordBytes;
  }
  for (; end - at >= static_cast<std::ptrdiff_t>(kWordBytes); at += kWordBytes, word += kStep) {
    std::memcpy(at, &word, kWordBytes);
  }
  if (at != end) std::memcpy(at, &word, static_cast<std::size_t>(end - at));
}

std::uint64_t Messages::number_of(std::span<const std::byte> message) noexcept { return word_of(message.data()); }

bool Messages::is_whole(std::span<const std::byte> message, std::uint16_t producer) const noexcept {
  const bool numbered = is_numbered(message.size());
  std::uint64_t word = key_of(producer, numbered ? number_of(message) : 0);
  const std::byte* at = message.data() + (numbered ? kWordBytes : 0);
  const std::byte* const end = message.data() + message.size();
  std::uint64_t differences = 0;
  for (; end - at >= static_cast<std::ptrdiff_t>(kWordBytes); at += kWordBytes, word += kStep) {
    differences |= word_of(at) ^ word;
  }
  return differences == 0 && (at == end || std::memcmp(at, &word, static_cast<std::size_t>(end - at)) == 0);
}

}  // namespace sapbuf::soak
