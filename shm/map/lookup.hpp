// Finding a key's entry. See layout/map_entry.hpp for the index.
//
//   who looks for a key                         who inserts one (keys.cpp)        who erases it
//   1. places, from the hash's on, up to one    key; life = coming: release       no value
//      that is unused: acquire
//   2. the entry's life says used: acquire      place (index.hpp): release        the place is gone: release
//   3. hash and key; acquire fence              life = used: release; value       life = free: release
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

// The key's entry if its life says used; throws Error (resource_exhausted) where the entries cannot be mapped, or the
// key's may be out of reach.
std::optional<FoundKey> find_key(MapCore& map, const PackedKey& key);
// The same, or the entry of one who is inserting it.
std::optional<FoundKey> find_key_or_coming(MapCore& map, const PackedKey& key);
enum class Match { no, yes, changed };
// Whether the entry has that key, used or coming, and what its life is. changed: it got another key meanwhile.
Match match(const MapCore& map, std::uint32_t entry, const PackedKey& key, layout::KeyLife& life) noexcept;
// Whether the key is there with a value: it has none while who inserts it is not done. Throws as find_key().
bool has_value(MapCore& map, const PackedKey& key);
// The entry's key; nothing if it has none, or gets another one just now.
std::optional<std::string> read_key(MapCore& map, std::uint32_t entry, layout::KeyLife& life);

}  // namespace SAPBUF_DETAIL
