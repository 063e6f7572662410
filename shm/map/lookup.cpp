#include "map/lookup.hpp"

#include <cstring>

#include "map/keyed_hash.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::IndexPlace;
using layout::KeyLife;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kTries = 1000;  // each fails because the entry in question got another key meanwhile

std::uint64_t hash_of(const MapCore& map, std::string_view key) noexcept {
  const std::uint64_t seed[2] = {map.control().seed[0].load(relaxed), map.control().seed[1].load(relaxed)};
  return keyed_hash(seed, key);
}

template <typename IsWanted>
std::optional<FoundKey> find_any(MapCore& map, const PackedKey& key, IsWanted is_wanted) {
  std::uint32_t entries = map.entries();
  int tries = 0;
  for (std::uint64_t at = 0; at < map.geometry().places;) {
    // index: acquire, so that the entry is there.
    const IndexPlace place{map.place(key.hash + at).load(std::memory_order_acquire)};
    if (place.is_unused()) return std::nullopt;
    if (place.may_be(key.hash)) {
      if (place.entry() >= entries) entries = map.entries();
      // It may be this key's.
      if (place.entry() >= map.reach() && place.entry() < map.geometry().max_keys) map.throw_out_of_reach();
      FoundKey found{place.entry(), {}};
      const Match result = place.entry() < entries ? match(map, place.entry(), key, found.life) : Match::no;
      if (result == Match::yes && is_wanted(found.life)) return found;
      if (result == Match::changed && ++tries < kTries) continue;
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace

Match match(const MapCore& map, std::uint32_t number, const PackedKey& key, KeyLife& life) noexcept {
  const layout::MapEntry& entry = map.entry(number);
  // key: acquire.
  life.word = entry.life.load(std::memory_order_acquire);
  if (!life.is_used() && !life.is_coming()) return Match::no;
  bool same = entry.hash.load(relaxed) == key.hash && entry.key_bytes.load(relaxed) == key.bytes;
  const layout::Word* const words = map.key_of(number);
  for (std::size_t at = 0; same && at * 8 < key.bytes; ++at) same = words[at].load(relaxed) == key.words[at];
  std::atomic_thread_fence(std::memory_order_acquire);
  if (entry.life.load(relaxed) != life.word) return Match::changed;
  return same ? Match::yes : Match::no;
}

PackedKey::PackedKey(const MapCore& map, std::string_view key) noexcept : bytes(key.size()) {
  if (!is_valid(map.geometry())) return;
  words[(bytes - 1) / 8] = 0;
  std::memcpy(words.data(), key.data(), key.size());
  hash = hash_of(map, key);
}

std::optional<FoundKey> find_key(MapCore& map, const PackedKey& key) {
  return find_any(map, key, [](KeyLife life) { return life.is_used(); });
}

std::optional<FoundKey> find_key_or_coming(MapCore& map, const PackedKey& key) {
  return find_any(map, key, [](KeyLife) { return true; });
}

bool has_value(MapCore& map, const PackedKey& key) {
  const std::optional<FoundKey> found = find_key(map, key);
  if (!found) return false;
  const layout::MapEntry& entry = map.entry(found->entry);
  // key: acquire, before the look whether it is the key's still.
  const bool has = entry.value.load(std::memory_order_acquire) != 0;
  return has && entry.life.load(relaxed) == found->life.word;
}

std::optional<std::string> read_key(MapCore& map, std::uint32_t number, KeyLife& life) {
  const layout::MapEntry& entry = map.entry(number);
  life.word = entry.life.load(std::memory_order_acquire);
  if (!life.is_used()) return std::nullopt;
  const std::uint64_t bytes = entry.key_bytes.load(relaxed);
  if (bytes > map.geometry().key_bytes) return std::nullopt;
  std::array<std::uint64_t, layout::round_up(layout::kMaxKeyBytes, 8) / 8> words;
  const layout::Word* const from = map.key_of(number);
  for (std::size_t at = 0; at * 8 < bytes; ++at) words[at] = from[at].load(relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (entry.life.load(relaxed) != life.word) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(words.data()), bytes);
}

}  // namespace SAPBUF_DETAIL
