// The reader's windows: learning of generations and extents, letting go of them, and losing them.
#include <algorithm>
#include <bitset>

#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/extents.hpp"
#include "stream/reader_state.hpp"

namespace sapbuf::detail {
namespace {

using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::SlabLife;
using layout::SlabState;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

void ReaderState::add_window(SlabGeneration where) {
  Window window;
  window.generation = where.generation;
  window.slab = where.slab;
  if (in_total_order()) {
    const std::byte* const begin = core->slab_for_reading(where.slab);
    window.places.push_back({.at = begin, .end = begin + core->geometry().slab_bytes, .stop = begin});
    window.discovered = 1;
  }
  windows.push_back(std::move(window));
}

// Looks for extents in granules that are claimed, and makes places of them. What has left no trace yet goes to
// `still_untraced`, the newest first. As long as there is an extent at the beginning, forward: what is older has left
// its trace then. Behind the first gap, from the newest to the oldest.
void ReaderState::trace(Window& window, Granules claimed) {
  const auto word_of = [&](std::uint64_t granule) {
    // extent-open: acquire, so that the extent frame, and the end of the owner's extent before this one, are seen.
    return Extent{core->extent(window.slab, granule).load(std::memory_order_acquire)};
  };
  for (; claimed.begin < claimed.end;) {
    const Extent extent = word_of(claimed.begin);
    if (!extent.begins()) break;
    const std::uint64_t end = claimed.begin + extent.granules();
    if (end == claimed.begin || end > claimed.end) return distrust(window, claimed);
    add_place(window, {claimed.begin, end}, extent);
    claimed.begin = end;
  }
  std::uint64_t at = claimed.end;
  std::uint64_t free_end = at;  // from `at` to here, nothing has left a trace
  const auto leave_behind = [&](std::uint64_t begin) {
    if (begin < free_end) still_untraced.push_back({begin, free_end});
  };
  while (at > claimed.begin) {
    std::uint64_t begin = at - 1;
    Extent extent = word_of(begin);
    if (extent.state() == ExtentState::last) {
      if (extent.granules() > begin - claimed.begin) return distrust(window, {claimed.begin, free_end});
      begin -= extent.granules();
      extent = word_of(begin);
    }
    if (extent.state() == ExtentState::free) {  // claimed, but not opened yet
      at = begin;
      continue;
    }
    // The last word of a row may have come between the look at it and this one.
    const std::uint64_t end = begin + extent.granules();
    if (!extent.begins() || end < at || end > free_end) return distrust(window, {claimed.begin, free_end});
    leave_behind(end);
    add_place(window, {begin, end}, extent);
    at = free_end = begin;
  }
  leave_behind(claimed.begin);
}

// Words that contradict each other: in an `overwrite` stream the slab may be somebody else's by now, which shows when
// it is pinned.
void ReaderState::distrust(Window& window, Granules rest) {
  if (!overwrites()) {
    corrupt = true;
    core->throw_corrupt("the extent table of slab " + std::to_string(window.slab) + " contradicts itself");
  }
  still_untraced.push_back(rest);
}

void ReaderState::add_place(Window& window, Granules row, Extent extent) {
  const std::uint64_t granule_bytes = core->geometry().granule_bytes;
  const std::byte* const slab = core->slab_for_reading(window.slab);
  const std::byte* const end = slab + row.end * granule_bytes;
  const bool deferred = trailing && extent.state() == ExtentState::open;
  any_deferred = any_deferred || deferred;
  window.places.push_back({.at = slab + row.begin * granule_bytes,
                           .end = end,
                           .stop = end,
                           .extent = row.begin,
                           .owner = extent.owner(),
                           .deferred = deferred});
}

void ReaderState::discover(Window& window, const ActiveSlab& active) {
  window.ended = window.generation < active.generation;
  const std::uint64_t claimed = claimed_bytes(*core, active, {window.generation, window.slab});
  const std::byte* const begin = core->slab_for_reading(window.slab);
  if (in_total_order()) {
    for (Place& place : window.places) {
      if (window.ended && begin + claimed < place.end) place.end = std::max(begin + claimed, place.at);
      place.stop = std::min(begin + claimed, place.end);
    }
    return;
  }
  const std::uint64_t known = claimed / core->geometry().granule_bytes;
  if (window.discovered < known) window.untraced.push_back({window.discovered, known});
  window.discovered = std::max(window.discovered, known);
  if (window.untraced.empty()) return;

  const std::size_t before = window.places.size();
  still_untraced.clear();
  try {
    // From the newest to the oldest: see the top of reader_state.hpp.
    for (auto run = window.untraced.rbegin(); run != window.untraced.rend(); ++run) trace(window, *run);
    window.untraced.assign(still_untraced.rbegin(), still_untraced.rend());
  } catch (...) {
    // Memory ran out: all of them count as untraced still, and the next look must not find their places a second time.
    window.places.erase(window.places.begin() + static_cast<std::ptrdiff_t>(before), window.places.end());
    throw;
  }
  // An older claim may leave its trace later than a newer one: keep the places in the order of the claims.
  if (window.places.size() != before) {
    std::sort(window.places.begin(), window.places.end(), [](const Place& a, const Place& b) { return a.end < b.end; });
  }
}

// A window that is held, or pinned, keeps a slab of its own. In an `overwrite` stream windows that were overwritten
// stay until the pins are verified; between two looks each slab can have been found once more.
void ReaderState::check_number_of_windows() const {
  const std::size_t slabs = core->geometry().slabs;
  if (windows.size() > (overwrites() ? 2 * slabs : slabs)) {
    core->throw_corrupt("there are more generations than slabs");
  }
}

void ReaderState::refresh() {
  if (!is_usable()) check_usable();
  if (!trailing) forget_deferred();
  if (is_up_to_date()) return;
  core->check_not_truncated();
  knows_all = false;  // until the end of this look: memory may run out in it
  last_cursor = cursor.load(relaxed);
  const ActiveSlab active = expect_active(*core);
  while (windows.back().generation < active.generation) {
    check_number_of_windows();
    const std::uint64_t next = windows.back().generation + 1;
    if (const auto slab = find_slab(*core, next)) {
      add_window({next, *slab});
      continue;
    }
    // A lossless reader holds it, so it must be there. In an `overwrite` stream it may be gone: what lies behind the
    // gap is entered when everything before it is finished.
    if (!overwrites()) core->throw_corrupt("a generation that this reader holds is gone");
    if (windows.size() > 1 || !windows.front().finished()) break;
    const auto place = find_oldest(*core, next);
    if (!place || place->generation > active.generation) break;
    add_window(*place);
    forget_finished();
  }
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) discover(*window, active);
  if (any_deferred) defer_open_only();
  knows_all = windows.back().generation == active.generation && !any_deferred &&
              std::all_of(windows.begin(), windows.end(), [](const Window& window) { return window.untraced.empty(); });
}

// Deferred is what its owner is filling, and nothing else: not what was closed meanwhile, and not what its owner has
// left without closing it (a closer had revoked it), for the owner's next extent must not come before it.
void ReaderState::defer_open_only() noexcept {
  std::bitset<layout::Extent::kMaxOwners> seen_later;
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) {
    for (auto place = window->places.rbegin(); place != window->places.rend(); ++place) {
      if (place->deferred) {
        const Extent extent{core->extent(window->slab, place->extent).load(std::memory_order_acquire)};
        place->deferred = extent.state() == ExtentState::open && !seen_later[place->owner];
      }
      seen_later.set(place->owner);
    }
  }
}

bool ReaderState::forget_finished() noexcept {
  bool released = false;
  for (Window& window : windows) {
    std::erase_if(window.places, [](const Place& place) { return place.at >= place.end; });
  }
  while (windows.size() > 1 && windows.front().finished()) {
    passed_before += windows.front().passed;
    expected = windows.front().generation + 1;
    windows.erase(windows.begin());
    released = true;
  }
  if (!released || overwrites()) return released;
  // hold-release: release, so that whoever reclaims the slab does it behind our last look at it.
  slot->hold.store(windows.front().generation, std::memory_order_release);
  notify(core->control().space);
  return true;
}

bool ReaderState::step_over_filler(Place& place) noexcept {
  const FrameHeader header{word_at(place.at).load(std::memory_order_acquire)};
  if (header.kind() != FrameKind::nop && header.kind() != FrameKind::extent) return false;
  if (header.span() > static_cast<std::uint64_t>(place.end - place.at)) {
    corrupt = true;
    return false;
  }
  place.at += header.span();
  return place.at < place.end;
}

bool ReaderState::has_message(Window& window) noexcept {
  for (Place& place : window.places) {
    if (place.deferred) continue;
    while (place.at < place.stop && step_over_filler(place)) {
    }
    if (place.at >= place.stop) continue;
    if (FrameHeader{word_at(place.at).load(std::memory_order_acquire)}.kind() == FrameKind::message) return true;
  }
  return false;
}

bool ReaderState::find_in_places() noexcept {
  for (Window& window : windows) {
    if (has_message(window)) return true;
    if (in_total_order() && !window.places.empty() && window.places.front().at < window.places.front().end) break;
  }
  return false;
}

// Whether there was anything.
bool ReaderState::forget_deferred() noexcept {
  if (!any_deferred) return false;
  any_deferred = false;
  for (Window& window : windows) {
    for (Place& place : window.places) place.deferred = false;
  }
  return true;
}

ReaderState::Finding ReaderState::find_message() {
  const bool found = find_in_places() || (forget_deferred() && find_in_places());
  const bool moved_on = !found && forget_finished();
  if (corrupt) core->throw_corrupt("a frame makes no sense");
  return found ? Finding::message : moved_on ? Finding::end_of_generation : Finding::nothing;
}

bool ReaderState::is_obstructed() noexcept {
  // Whoever was reclaiming this slab may have died before it decided; recovery settles that.
  const Window& first = windows.front();
  if (SlabLife{core->descriptor(first.slab).life.load(std::memory_order_acquire)}.state() == SlabState::reclaiming)
    return true;
  if (!in_total_order()) {
    return std::any_of(windows.begin(), windows.end(), [](const Window& window) { return !window.untraced.empty(); });
  }
  if (first.places.empty()) return false;
  const ActiveSlab active = load_active(*core);
  const std::uint64_t claimed = claimed_bytes(*core, active, {first.generation, first.slab});
  return first.places.front().at < core->slab_for_reading(first.slab) + claimed;
}

}  // namespace sapbuf::detail
