#include "key_order.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace sapbuf::bench {
namespace {

// Of them, so that drawing one costs a reading next to nothing. They come again in the same order, so of very many keys
// the least popular ones do not come at all.
constexpr std::size_t kDrawn = std::size_t{1} << 17;
constexpr double kSkew = 0.99;
constexpr std::uint64_t kScatter = 2'654'435'761;  // neighbours in popularity are no neighbours in memory

std::vector<std::uint32_t> draw(std::uint64_t keys) {
  std::vector<double> up_to(keys);
  double sum = 0;
  for (std::uint64_t rank = 0; rank < keys; ++rank) {
    up_to[rank] = sum += std::pow(static_cast<double>(rank + 1), -kSkew);
  }
  std::mt19937_64 random{1};
  std::uniform_real_distribution<double> anywhere{0, sum};
  std::vector<std::uint32_t> drawn(kDrawn);
  for (std::uint32_t& key : drawn) {
    const auto found = std::ranges::lower_bound(up_to, anywhere(random));
    const auto rank = std::min<std::uint64_t>(static_cast<std::uint64_t>(found - up_to.begin()), keys - 1);
    key = static_cast<std::uint32_t>(rank * kScatter % keys);
  }
  return drawn;
}

std::span<const std::uint32_t> drawn_of(const MapShape& shape) {
  static std::map<std::uint64_t, std::vector<std::uint32_t>> by_keys;
  if (!shape.skewed) return {};
  std::vector<std::uint32_t>& drawn = by_keys[shape.keys];
  if (drawn.empty()) drawn = draw(shape.keys);
  return drawn;
}

}  // namespace

KeyOrder::KeyOrder(const MapShape& shape, std::uint64_t first)
    : keys_(shape.keys), drawn_(drawn_of(shape)), at_(shape.skewed ? first * kStep : first % shape.keys) {}

}  // namespace sapbuf::bench
