// What is taken by chance, and the seed that repeats it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <random>
#include <vector>

namespace sapbuf::test {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : seed_(seed), dice_(seed) {}

  std::uint64_t seed() const noexcept { return seed_; }
  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>{0, limit - 1}(dice_); }

  // So many of the numbers 0 to count - 1, rising; all of them if `wanted` is 0 or more than there are.
  std::vector<std::size_t> some_of(std::size_t count, std::size_t wanted) {
    std::vector<std::size_t> all(count);
    std::iota(all.begin(), all.end(), std::size_t{0});
    if (wanted == 0 || wanted >= count) return all;
    std::vector<std::size_t> some;
    std::sample(all.begin(), all.end(), std::back_inserter(some), wanted, dice_);
    return some;
  }

 private:
  std::uint64_t seed_;
  std::mt19937_64 dice_;
};

}  // namespace sapbuf::test
