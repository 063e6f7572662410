#include "stream/reader_windows.hpp"

#include <algorithm>
#include <bitset>

#include "segment/event.hpp"
#include "stream/reader_progress.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::word_at;

}  // namespace

ReaderWindows::ReaderWindows(ReaderAttachment& attachment, ReaderLoss& loss, DurablePosition* durable,
                             std::span<const SlabGeneration> start)
    : attachment_(attachment),
      core_(attachment.core()),
      loss_(loss),
      durable_(durable),
      cursor_(core_.control().cursor) {
  for (const SlabGeneration where : start) add(where);
}

void ReaderWindows::add(SlabGeneration where) {
  Window window;
  window.generation = where.generation;
  window.slab = where.slab;
  if (durable_ != nullptr) durable_->enter(window);
  if (attachment_.in_total_order()) {
    const std::byte* const begin = core_.slab_for_reading(where.slab);
    window.places.push_back(placed(window, {.at = begin, .end = begin + core_.geometry().slab_bytes, .stop = begin}));
    window.discovered = 1;
  }
  windows_.push_back(std::move(window));
}

void ReaderWindows::refresh() {
  if (!attachment_.is_usable()) attachment_.check_usable();
  if (!trailing_) forget_deferred();
  if (is_up_to_date()) return;
  core_.check_not_truncated();
  knows_all_ = false;  // until the end of this look: memory may run out in it
  last_cursor_ = cursor_.load(std::memory_order_relaxed);
  const ActiveSlab active = expect_active(core_);
  cursor_generation_ = active.generation;
  while (windows_.back().generation < active.generation) {
    check_number();
    const std::uint64_t next = windows_.back().generation + 1;
    if (const auto slab = find_slab(core_, next)) {
      add({next, *slab});
      continue;
    }
    // A lossless reader holds it, so it must be there. In an `overwrite` stream it may be gone: what lies behind the
    // gap is entered when everything before it is finished.
    if (!attachment_.overwrites()) core_.throw_corrupt("a generation that this reader holds is gone");
    if (windows_.size() > 1 || !windows_.front().finished()) break;
    const auto place = find_oldest(core_, next);
    if (!place || place->generation > active.generation) break;
    add(*place);
    forget_finished();
  }
  discover(active);
  if (any_deferred_) defer_open_only();
  knows_all_ =
      windows_.back().generation == active.generation && !any_deferred_ &&
      std::all_of(windows_.begin(), windows_.end(), [](const Window& window) { return window.untraced.empty(); });
}

// A window that is held, or pinned, keeps a slab of its own. In an `overwrite` stream windows that were overwritten
// stay until the pins are verified; between two looks each slab can have been found once more.
void ReaderWindows::check_number() const {
  const std::size_t slabs = core_.geometry().slabs;
  if (windows_.size() > (attachment_.overwrites() ? 2 * slabs : slabs)) {
    core_.throw_corrupt("there are more generations than slabs");
  }
}

void ReaderWindows::discover(const ActiveSlab& active) {
  for (auto window = windows_.rbegin(); window != windows_.rend(); ++window) discover_in(*window, active);
}

void ReaderWindows::discover_in(Window& window, const ActiveSlab& active) {
  window.ended = window.generation < active.generation;
  const std::uint64_t claimed = claimed_bytes(core_, active, {window.generation, window.slab});
  const std::byte* const begin = core_.slab_for_reading(window.slab);
  if (attachment_.in_total_order()) {
    for (Place& place : window.places) {
      if (window.ended && begin + claimed < place.end) place.end = std::max(begin + claimed, place.at);
      place.stop = std::min(begin + claimed, place.end);
    }
    return;
  }
  const std::uint64_t known = claimed / core_.geometry().granule_bytes;
  if (window.discovered < known) window.untraced.push_back({window.discovered, known});
  window.discovered = std::max(window.discovered, known);
  if (window.untraced.empty()) return;

  const std::size_t before = window.places.size();
  still_untraced_.clear();
  try {
    // From the newest to the oldest: see the top of reader_windows.hpp.
    for (auto run = window.untraced.rbegin(); run != window.untraced.rend(); ++run) trace(window, *run);
    window.untraced.assign(still_untraced_.rbegin(), still_untraced_.rend());
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

// Looks for extents in granules that are claimed, and makes places of them. What has left no trace yet goes to
// `still_untraced_`, the newest first. As long as there is an extent at the beginning, forward: what is older has left
// its trace then. Behind the first gap, from the newest to the oldest.
void ReaderWindows::trace(Window& window, Granules claimed) {
  const auto word_of = [&](std::uint64_t granule) {
    // extent-open: acquire, so that the extent frame, and the end of the owner's extent before this one, are seen.
    return Extent{core_.extent(window.slab, granule).load(std::memory_order_acquire)};
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
    if (begin < free_end) still_untraced_.push_back({begin, free_end});
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
void ReaderWindows::distrust(Window& window, Granules rest) {
  if (!attachment_.overwrites()) {
    attachment_.set_corrupt(true);
    core_.throw_corrupt("the extent table of slab " + std::to_string(window.slab) + " contradicts itself");
  }
  still_untraced_.push_back(rest);
}

void ReaderWindows::add_place(Window& window, Granules row, Extent extent) {
  const std::uint64_t granule_bytes = core_.geometry().granule_bytes;
  const std::byte* const slab = core_.slab_for_reading(window.slab);
  const std::byte* const end = slab + row.end * granule_bytes;
  const bool deferred = trailing_ && extent.state() == ExtentState::open;
  any_deferred_ = any_deferred_ || deferred;
  window.places.push_back(placed(window, {.at = slab + row.begin * granule_bytes,
                                          .end = end,
                                          .stop = end,
                                          .extent = row.begin,
                                          .owner = extent.owner(),
                                          .deferred = deferred}));
}

Place ReaderWindows::placed(Window& window, Place place) noexcept {
  if (durable_ != nullptr && !durable_->resume(window, place)) attachment_.set_corrupt(true);
  return place;
}

// Deferred is what its owner is filling, and nothing else: not what was closed meanwhile, and not what its owner has
// left without closing it (a closer had revoked it), for the owner's next extent must not come before it.
void ReaderWindows::defer_open_only() noexcept {
  std::bitset<layout::Extent::kMaxOwners> seen_later;
  for (auto window = windows_.rbegin(); window != windows_.rend(); ++window) {
    for (auto place = window->places.rbegin(); place != window->places.rend(); ++place) {
      if (place->deferred) {
        const Extent extent{core_.extent(window->slab, place->extent).load(std::memory_order_acquire)};
        place->deferred = extent.state() == ExtentState::open && !seen_later[place->owner];
      }
      seen_later.set(place->owner);
    }
  }
}

Finding ReaderWindows::find_message() {
  const bool found = find_in_places() || (forget_deferred() && find_in_places());
  // A generation that was read to its end is left only for another one: behind a gap, that has not been learned of yet.
  const bool moved_on = !found && (forget_finished() || windows_.front().finished());
  attachment_.check_not_corrupt();
  return found ? Finding::message : moved_on ? Finding::end_of_generation : Finding::nothing;
}

bool ReaderWindows::find_in_places() noexcept {
  for (Window& window : windows_) {
    if (has_message(window)) return true;
    if (attachment_.in_total_order() && window.blocks_chain()) break;
  }
  return false;
}

bool ReaderWindows::has_message(Window& window) noexcept {
  for (Place& place : window.places) {
    if (place.deferred) continue;
    while (place.at < place.stop && step_over_filler(place)) {
    }
    if (place.at >= place.stop) continue;
    if (FrameHeader{word_at(place.at).load(std::memory_order_acquire)}.kind() == FrameKind::message) return true;
  }
  return false;
}

bool ReaderWindows::step_over_filler(Place& place) noexcept {
  const FrameHeader header{word_at(place.at).load(std::memory_order_acquire)};
  if (header.kind() != FrameKind::nop && header.kind() != FrameKind::extent) return false;
  if (header.span() > static_cast<std::uint64_t>(place.end - place.at)) {
    attachment_.set_corrupt(true);
    return false;
  }
  place.at += header.span();
  return !place.finished();
}

bool ReaderWindows::forget_finished() noexcept {
  bool released = false;
  for (Window& window : windows_) {
    std::erase_if(window.places, [](const Place& place) { return place.finished(); });
  }
  while (windows_.size() > 1 && windows_.front().finished()) {
    loss_.leave_finished(windows_.front());
    windows_.erase(windows_.begin());
    released = true;
  }
  if (released) tell_front();
  if (!released || attachment_.overwrites()) return released;
  // hold-release: release, so that whoever reclaims the slab does it behind our last look at it.
  attachment_.slot().hold.store(windows_.front().generation, std::memory_order_release);
  notify(core_.control().space);
  return true;
}

void ReaderWindows::lose_first() noexcept {
  loss_.leave_overwritten(windows_.front());
  windows_.erase(windows_.begin());
  tell_front();
}

void ReaderWindows::store_durable_position() noexcept {
  for (const Window& window : windows_) durable_->store(window);
  durable_->store_passed(loss_.messages_before(windows_));
}

void ReaderWindows::tell_front() noexcept {
  Passed passed;
  for (const Window& window : windows_) passed += window.passed;
  store_front(attachment_.slot(), windows_.front().generation, passed);
}

}  // namespace SAPBUF_DETAIL
