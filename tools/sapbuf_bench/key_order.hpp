// Which keys a map is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sapbuf::bench {

struct MapShape {
  std::uint64_t keys;
  std::size_t value_bytes;  // a multiple of 8
  bool skewed = false;      // some keys are wanted more often than others
};

// One process's: keys 0 to keys - 1, all in turn by a step that is prime to their number. Or, skewed, by chance, the n-th
// most popular one as often as n^-0.99 says, as YCSB has it.
class KeyOrder {
 public:
  KeyOrder(const MapShape& shape, std::uint64_t first);
  std::uint64_t next() noexcept {
    if (!drawn_.empty()) return drawn_[at_++ & (drawn_.size() - 1)];
    const std::uint64_t key = at_;
    at_ = (at_ + kStep) % keys_;
    return key;
  }

 private:
  static constexpr std::uint64_t kStep = 7919;

  std::uint64_t keys_;
  std::span<const std::uint32_t> drawn_;  // empty, or of a power of two
  std::uint64_t at_;
};

}  // namespace sapbuf::bench
