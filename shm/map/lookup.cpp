#include "map/lookup.hpp"

#include <algorithm>
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

enum class Match { no, yes, changed };

Match match(const MapCore& map, std::uint32_t number, const PackedKey& key, KeyLife& life) noexcept {
  const layout::MapEntry& entry = map.entry(number);
  // key: acquire.
  life.word = entry.life.load(std::memory_order_acquire);
  if (!life.is_used()) return Match::no;
  bool same = entry.hash.load(relaxed) == key.hash && entry.key_bytes.load(relaxed) == key.bytes;
  const layout::Word* const words = map.key_of(number);
  for (std::size_t at = 0; same && at * 8 < key.bytes; ++at) same = words[at].load(relaxed) == key.words[at];
  std::atomic_thread_fence(std::memory_order_acquire);
  if (entry.life.load(relaxed) != life.word) return Match::changed;
  return same ? Match::yes : Match::no;
}

}  // namespace

PackedKey::PackedKey(const MapCore& map, std::string_view key) noexcept : bytes(key.size()) {
  if (!is_valid(map.geometry())) return;
  words[(bytes - 1) / 8] = 0;
  std::memcpy(words.data(), key.data(), key.size());
  hash = hash_of(map, key);
}

std::optional<FoundKey> find_key(MapCore& map, const PackedKey& key) {
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
      if (result == Match::yes) return found;
      if (result == Match::changed && ++tries < kTries) continue;
    }
    ++at;
  }
  return std::nullopt;
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

namespace {

// How many places are passed on the way from a key's hash to its place; all, where that cannot be told.
std::uint64_t way_to(MapCore& map, std::uint64_t at, IndexPlace place) noexcept {
  const std::uint64_t places = map.geometry().places;
  if (place.entry() >= map.entries()) return places;
  const std::uint64_t hash = map.entry(place.entry()).hash.load(relaxed);
  return place.may_be(hash) ? (at - hash) & (places - 1) : places;
}

}  // namespace

layout::Word& place_for(MapCore& map, std::uint64_t hash) noexcept {
  std::uint64_t at = hash;
  for (std::uint64_t looked = 0; looked < map.geometry().places; ++looked, ++at) {
    const IndexPlace seen{map.place(at).load(relaxed)};
    if (seen.is_unused() || seen.is_gone()) break;
  }
  return map.place(at);
}

layout::Word* find_place(MapCore& map, std::uint32_t entry) noexcept {
  const std::uint64_t hash = map.entry(entry).hash.load(relaxed);
  const std::uint64_t wanted = IndexPlace::make(hash, entry).word;
  for (std::uint64_t looked = 0; looked < map.geometry().places; ++looked) {
    layout::Word& place = map.place(hash + looked);
    const IndexPlace seen{place.load(relaxed)};
    if (seen.word == wanted) return &place;
    if (seen.is_unused()) break;
  }
  return nullptr;
}

// Where nobody passes a place that is gone on the way to a key, it becomes unused: then those who look for a key that is
// not there need not pass it, either. All places from a key's hash to its own are used or gone for as long as it is
// there; so whoever looks for it meanwhile finds it, wherever he is.
void give_up_place(MapCore& map, layout::Word& place) noexcept {
  place.store(IndexPlace::gone().word, std::memory_order_release);
  const std::uint64_t places = map.geometry().places;
  const auto own = static_cast<std::uint64_t>(&place - &map.place(0));
  // Behind the first unused one nobody passes any of these.
  std::uint64_t end = own + 1;
  while (!IndexPlace{map.place(end).load(relaxed)}.is_unused()) {
    if (++end - own == places) return;
  }
  std::uint64_t passed = 0;  // counted from the end back: those up to here are
  for (std::uint64_t back = 1; back < places; ++back) {
    layout::Word& word = map.place(end - back);
    const IndexPlace seen{word.load(relaxed)};
    if (seen.is_unused()) return;
    if (!seen.is_gone()) {
      passed = std::max(passed, back + way_to(map, end - back, seen));
    } else if (back > passed) {
      word.store(0, std::memory_order_release);
    }
  }
}

}  // namespace SAPBUF_DETAIL
