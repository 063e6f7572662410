#include <sapbuf/layout/map_geometry.hpp>
#include <sapbuf/layout/pool_geometry.hpp>

namespace sapbuf::layout {
namespace {

std::string outside(const char* what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return std::string(what) + " is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " +
         std::to_string(high);
}

}  // namespace

void write_choices(const MapGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept {
  choices[0] = g.keys;
  choices[1] = g.max_keys;
  choices[2] = g.key_bytes;
  choices[3] = g.value_bytes;
  choices[4] = g.own_pool ? 1 : 0;
}

std::optional<MapGeometry> read_map_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  if (choices[4] > 1) return std::nullopt;
  for (std::size_t unknown = 5; unknown < kChoices; ++unknown) {
    if (choices[unknown] != 0) return std::nullopt;
  }
  MapGeometry g;
  g.keys = choices[0];
  g.max_keys = choices[1];
  g.key_bytes = choices[2];
  g.value_bytes = choices[3];
  g.own_pool = choices[4] == 1;
  return g;
}

std::optional<std::string> problem_with(const MapGeometry& g) {
  if (g.keys < 1 || g.keys > kMaxKeys) return outside("the number of keys", g.keys, 1, kMaxKeys);
  if (g.max_keys < g.keys || g.max_keys > kMaxKeys) {
    return outside("the number of keys that the map may grow to", g.max_keys, g.keys, kMaxKeys);
  }
  if (g.key_bytes < 1 || g.key_bytes > kMaxKeyBytes) {
    return outside("the size of keys", g.key_bytes, 1, kMaxKeyBytes) + " bytes";
  }
  if (g.value_bytes > kMaxValueBytes) return outside("the size of values", g.value_bytes, 0, kMaxValueBytes) + " bytes";
  return std::nullopt;
}

}  // namespace sapbuf::layout
