// Finding a key's entry. See layout/map_entry.hpp for the index.
//
//   who looks for a key                         who inserts one            who erases it        (both under the map's lock)
//   1. places, from the hash's on, up to one    key, value                 no value
//      that is unused: acquire
//   2. the entry's life says used: acquire      life = used: release       the place is gone: release
//   3. hash and key; acquire fence              place: release             life = free: release
//   4. life is what it was; else 1. once more
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "map/map_core.hpp"

namespace SAPBUF_DETAIL {

// A key as it stands in an entry.
struct PackedKey {
  PackedKey(const MapCore& map, std::string_view key) noexcept;

  // Whether it can be one of the map's keys.
  bool is_valid(const layout::MapGeometry& geometry) const noexcept {
    return bytes >= 1 && bytes <= geometry.key_bytes;
  }

  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(words.data()), bytes}; }

  std::array<std::uint64_t, layout::round_up(layout::kMaxKeyBytes, 8) / 8> words;  // as many as it has: zeros behind it
  std::size_t bytes = 0;
  std::uint64_t hash = 0;
};

struct FoundKey {
  std::uint32_t entry = 0;
  layout::KeyLife life;
};

// Throws Error (resource_exhausted) where the entries cannot be mapped, or the key's may be out of reach.
std::optional<FoundKey> find_key(MapCore& map, const PackedKey& key);
// Whether the key is there with a value: it has none while a transaction that inserts it is not committed. Throws as
// find_key().
bool has_value(MapCore& map, const PackedKey& key);
// The entry's key; nothing if it has none, or gets another one just now.
std::optional<std::string> read_key(MapCore& map, std::uint32_t entry, layout::KeyLife& life);

// --- Under the map's lock

// Where a key of that hash may be put: the first place that is gone or unused.
layout::Word& place_for(MapCore& map, std::uint64_t hash) noexcept;
// The place that leads to the entry; null if there is none.
layout::Word* find_place(MapCore& map, std::uint32_t entry) noexcept;
// Nothing leads there any more: the place is gone, or unused where nobody passes it on the way to another key.
void give_up_place(MapCore& map, layout::Word& place) noexcept;

}  // namespace SAPBUF_DETAIL
