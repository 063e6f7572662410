// Chance that follows from a seed.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace sapbuf::soak {

// splitmix64 (Steele, Lea and Flood, 2014): each word looks unlike its neighbours.
constexpr std::uint64_t mix(std::uint64_t word) noexcept {
  word += 0x9e3779b97f4a7c15u;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
  return word ^ (word >> 31);
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t word() noexcept { return mix(state_++); }
  std::uint64_t below(std::uint64_t limit) noexcept { return word() % limit; }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }
  std::uint64_t between(std::uint64_t first, std::uint64_t last) noexcept { return first + below(last - first + 1); }
  template <typename T>
  T one_of(std::initializer_list<T> values) noexcept {
    return values.begin()[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace sapbuf::soak
