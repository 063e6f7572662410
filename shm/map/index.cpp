#include "map/index.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

namespace SAPBUF_DETAIL {
namespace {

using layout::IndexPlace;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int kTries = 1000;  // each fails because somebody else changed the place, or its entry, meanwhile

IndexPlace gone_anew(MapCore& map) noexcept { return IndexPlace::gone(map.control().tags.fetch_add(1, relaxed) + 1); }

// How many places are passed on the way from a key's hash to its place; all, where that cannot be told.
std::uint64_t way_to(const MapCore& map, std::uint64_t at, IndexPlace place, std::uint32_t entries) noexcept {
  const std::uint64_t places = map.geometry().places;
  if (place.entry() >= entries) return places;
  const std::uint64_t hash = map.entry(place.entry()).hash.load(relaxed);
  return place.may_be(hash) ? (at - hash) & (places - 1) : places;
}

// Whether somebody passes the place on the way to a key: one behind it, before the first that is unused.
bool is_passed(const MapCore& map, std::uint64_t place, std::uint32_t entries) noexcept {
  for (std::uint64_t steps = 1; steps < map.geometry().places; ++steps) {
    const IndexPlace seen{map.place(place + steps).load(std::memory_order_acquire)};
    if (seen.is_unused()) return false;
    if (!seen.is_gone() && way_to(map, place + steps, seen, entries) >= steps) return true;
  }
  return false;
}

// Behind a place that went. What is passed by somebody as far as one look back tells stays as it is; for all others the
// look behind them is made once more, with their tag in hand: whoever takes a place there meanwhile gives them another.
void give_up_around(MapCore& map, std::uint64_t own, std::uint32_t entries) noexcept {
  const std::uint64_t places = map.geometry().places;
  std::uint64_t end = own + 1;
  while (!IndexPlace{map.place(end).load(relaxed)}.is_unused()) {
    if (++end - own == places) break;  // no place is unused
  }
  std::uint64_t passed = 0;  // counted from the end back: those up to here are
  for (std::uint64_t back = 1; back <= places; ++back) {
    layout::Word& place = map.place(end - back);
    // index: acquire, so that who gave it its tag had his own place before.
    IndexPlace seen{place.load(std::memory_order_acquire)};
    if (seen.is_unused()) return;
    if (!seen.is_gone()) {
      passed = std::max(passed, back + way_to(map, end - back, seen, entries));
    } else if (back > passed) {
      std::atomic_thread_fence(std::memory_order_seq_cst);  // index (SB): behind its tag, whoever made it gone
      if (is_passed(map, end - back, entries)) continue;
      place.compare_exchange_strong(seen.word, 0, std::memory_order_acq_rel, relaxed);
    }
  }
}

void refuse(const MapCore& map, const FoundKey& other) noexcept {
  std::uint64_t life = other.life.word;
  map.entry(other.entry)
      .life.compare_exchange_strong(life, other.life.freed().word, std::memory_order_acq_rel, relaxed);
  SAPBUF_KILL_POINT(map_refused);
}

}  // namespace

std::optional<std::uint64_t> take_place(MapCore& map, const PackedKey& key, std::uint32_t entry,
                                        layout::Word& taking) noexcept {
  const std::uint64_t places = map.geometry().places;
  for (std::uint64_t steps = 0; steps < places; ++steps) {
    const std::uint64_t at = (key.hash + steps) & (places - 1);
    layout::Word& place = map.place(at);
    IndexPlace seen{place.load(relaxed)};
    while (seen.is_unused() || seen.is_gone()) {
      // index: release, before the place.
      taking.store(at + 1, std::memory_order_release);
      SAPBUF_KILL_POINT(map_taking);
      // index: release, behind the entry.
      const std::uint64_t own = IndexPlace::make(key.hash, entry).word;
      if (place.compare_exchange_weak(seen.word, own, std::memory_order_acq_rel, relaxed)) {
        SAPBUF_KILL_POINT(map_indexed);
        return at;
      }
    }
  }
  return std::nullopt;
}

bool is_reached(MapCore& map, const PackedKey& key, std::uint64_t own) noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // index (SB): behind the own place
  const std::uint64_t way = (own - key.hash) & (map.geometry().places - 1);
  for (std::uint64_t back = 1; back <= way; ++back) {
    layout::Word& place = map.place(own - back);
    // index (SB): in one order with the full fences of those who look behind what is gone.
    IndexPlace seen{place.load(std::memory_order_seq_cst)};
    while (seen.is_gone()) {
      if (place.compare_exchange_weak(seen.word, gone_anew(map).word, std::memory_order_seq_cst)) break;
    }
    if (seen.is_unused()) return false;
  }
  return true;
}

bool has_rival(MapCore& map, const PackedKey& key, std::uint64_t own, std::optional<FoundKey>& rival) noexcept {
  rival.reset();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // index (SB): behind the look back
  const std::uint64_t places = map.geometry().places;
  bool is_past = false;  // the own place
  int tries = 0;
  for (std::uint64_t steps = 0; steps < places;) {
    if (++tries > kTries) return true;
    const std::uint64_t at = (key.hash + steps) & (places - 1);
    // index: acquire, so that the entry is there.
    const IndexPlace seen{map.place(at).load(std::memory_order_acquire)};
    if (at == own) {
      is_past = true;
    } else if (seen.is_unused()) {
      return false;
    } else if (seen.may_be(key.hash) && seen.entry() < map.geometry().max_keys) {
      if (seen.entry() >= map.entries()) return true;  // which this process cannot address
      FoundKey other{seen.entry(), {}};
      const Match matches = match(map, other.entry, key, other.life);
      if (matches == Match::changed) continue;
      if (matches == Match::yes && (other.life.is_used() || !is_past)) {
        rival = other;
        return true;
      }
      if (matches == Match::yes) {
        refuse(map, other);
        continue;  // it may be used by now
      }
    }
    tries = 0;
    ++steps;
  }
  return false;
}

// On the way from its key's hash; or where its writer took a place last, and was cut off from it.
std::optional<std::uint64_t> find_place(const MapCore& map, std::uint32_t entry, std::uint64_t taking) noexcept {
  const std::uint64_t places = map.geometry().places;
  const std::uint64_t hash = map.entry(entry).hash.load(relaxed);
  const std::uint64_t wanted = IndexPlace::make(hash, entry).word;
  for (std::uint64_t steps = 0; steps < places; ++steps) {
    const IndexPlace seen{map.place(hash + steps).load(relaxed)};
    if (seen.word == wanted) return (hash + steps) & (places - 1);
    if (seen.is_unused()) break;
  }
  if (taking != 0 && map.place(taking - 1).load(relaxed) == wanted) return (taking - 1) & (places - 1);
  return std::nullopt;
}

void give_up_place(MapCore& map, std::uint64_t place, std::uint64_t hash, std::uint32_t entry) noexcept {
  std::uint64_t own = IndexPlace::make(hash, entry).word;
  // index: release, behind the value.
  if (!map.place(place).compare_exchange_strong(own, gone_anew(map).word, std::memory_order_acq_rel, relaxed)) return;
  SAPBUF_KILL_POINT(map_gone);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // index (SB): behind the own place
  give_up_around(map, place, map.entries());
}

}  // namespace SAPBUF_DETAIL
