// A reader, inside the library: where it stands in each generation that it has not finished.
//
// A *window* is one such generation. In per-writer order it has a *place* for each extent: readers follow all open
// extents of all windows at once, so an idle writer's open extent in an old generation does not keep them from newer
// ones. In total order a window has one place, and the next window is entered when it is finished.
//
// The order of each writer holds because extents are discovered before they are drained: whoever sees a writer's later
// extent (acquire) also sees that the one before it is closed, and all its frames. So discovery goes from the newest
// claim to the oldest, and draining from the oldest to the newest.
#pragma once

#include <vector>

#include <sapbuf/reader.hpp>

#include "segment/registry.hpp"
#include "stream/own_ranges.hpp"
#include "stream/slabs.hpp"
#include "stream/stream_core.hpp"

namespace sapbuf::detail {

struct Place {
  const std::byte* at = nullptr;    // the next header
  const std::byte* end = nullptr;   // at or behind `at`; nothing more is to come at `at == end`
  const std::byte* stop = nullptr;  // as far as it is read now: `end`, or what was claimed (total order)
  std::uint64_t extent = 0;         // per-writer order: its first granule
  std::uint32_t owner = 0;          // and its owner's slot
  bool deferred = false;            // not in this range: see ReaderState::trailing
};

// Granules of a slab, from `begin` up to `end`.
struct Granules {
  std::uint64_t begin;
  std::uint64_t end;
};

struct Window {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t discovered = 0;    // granules (or, in total order, 1 once the place is there)
  bool ended = false;              // the cursor has left it: no more claims will come
  std::vector<Granules> untraced;  // claimed, and not opened yet when they were looked at
  std::vector<Place> places;       // oldest claim first
  std::uint64_t passed = 0;        // messages handed out, or left out on the way to the newest
  bool in_range = true;            // overwrite: the range that is alive goes through it

  bool finished() const noexcept { return ended && untraced.empty() && discovered != 0 && places.empty(); }
};

struct ReaderState final : ForkHook, RangeOwner {
  ReaderState(std::shared_ptr<StreamCore> stream, const ReaderOptions& options);
  ~ReaderState();

  void after_fork_in_child() noexcept override { forked = true; }
  bool keeps_by_range(const StreamCore& stream, std::uint64_t generation) const noexcept override;

  // Learns of new generations and extents. Throws Errc::corrupt.
  void refresh();
  // Nothing was claimed since a look that left nothing to be learned of. Relaxed: the same word says nothing new, and
  // for another one refresh() looks again, with acquire.
  bool is_up_to_date() const noexcept { return knows_all && cursor.load(std::memory_order_relaxed) == last_cursor; }
  // Whether a message stands at the beginning of some place; walks over filler on the way. At the end of a generation
  // the next one may have to be learned of first.
  enum class Finding { message, end_of_generation, nothing, unclear };
  Finding find_message();
  // The same for a lossless reader that knows all and has one place only, at next to no cost: for those who spin. In
  // other situations it is unclear.
  Finding glance() const noexcept;
  // In `overwrite` streams: pins the slabs of all windows, and counts what was overwritten before. Elsewhere true at
  // once. False: a slab is just being reclaimed, or the window was lost; nothing is pinned.
  bool pin_windows();
  // Behind it, in an `overwrite` stream: keeps the pins of those windows only that have something to read, or of the
  // first of them (Keep::frame). The others are left to the next range.
  void narrow_pins() noexcept;
  // hold-release: release, as for holds.
  void unpin_windows() noexcept { slot->pins.store(0, std::memory_order_release); }
  std::uint64_t window_mask() const noexcept;  // one bit for the slab of each window
  // Whether something is claimed that this reader cannot pass, so that it may be waiting for the dead.
  bool is_obstructed() noexcept;
  // For one that waits: throws Errc::corrupt if it stands before something that nobody is going to write any more.
  void check_for_gaps();

  // See Reader::skip_to_newest.
  std::uint64_t skip_to_newest();

  // The walk of one range, through all places of all windows. `handed` are messages that are not counted yet.
  Stretch begin_walk() noexcept;
  Stretch next_stretch(const std::byte* at, std::uint64_t handed) noexcept;
  void end_walk(const std::byte* at, std::uint64_t handed) noexcept;

  // Per-writer order: the last range had much in it, so writers are busy.
  bool writers_are_busy() const noexcept {
    return !in_total_order() && last_range_bytes >= core->geometry().extent_bytes / 2;
  }

  bool overwrites() const noexcept { return core->geometry().on_full == OnFull::overwrite; }
  bool in_total_order() const noexcept { return core->geometry().order == Order::total; }
  bool pins_one_slab() const noexcept { return keep == Keep::frame && overwrites(); }
  bool is_stopped() const noexcept { return stop != nullptr && stop->load(std::memory_order_relaxed); }
  bool is_usable() const noexcept { return !corrupt && !core->forked() && attachment.is_current(); }
  void check_usable() const;

  const std::shared_ptr<StreamCore> core;
  const layout::Word& cursor;
  const std::atomic<bool>* const stop;
  const Keep keep;
  Attachment attachment;  // the slot; given back when this goes
  std::uint32_t index = 0;
  layout::StreamSlot* slot = nullptr;
  std::vector<Window> windows;  // oldest first; never empty
  std::size_t walk_window = 0;  // where the range's walk is
  std::size_t walk_place = 0;
  std::uint64_t expected = 0;          // overwrite: the generation that follows the last finished one
  std::uint64_t passed_before = 0;     // overwrite: messages passed in generations before the first window
  std::uint64_t last_range_bytes = 0;  // that the walk of the last range went over
  std::uint64_t last_cursor = 0;       // at the last look that was not up to date
  bool knows_all = false;              // behind it: every generation, and the trace of every claim
  int pace = 0;                        // pauses before a look: see paced_look
  std::uint64_t recovery_tried_ns = 0;
  // Set by a wait while writers are busy, for the next range: extents that are opened only now are deferred to the one
  // after it. To read an extent that a busy writer is filling would take from it each line that it needs next.
  bool trailing = false;
  bool any_deferred = false;
  std::uint64_t skipped_at_attach = 0;
  bool closed = false;  // by its Reader, while a range is alive: goes with the range
  bool forked = false;
  bool corrupt = false;  // the walk found bytes that make no sense

 private:
  std::vector<Granules> still_untraced;  // of the window that is being looked at

  std::vector<SlabGeneration> choose_start(From from, layout::StreamSlot& fresh);
  void skip_what_is_there();
  void skip_committed(Window& window, Place& place) noexcept;
  struct PlaceContent;
  PlaceContent walk_to_end(const Place& place) noexcept;
  std::uint64_t skip_in_extents(bool keeps_newest) noexcept;
  std::uint64_t skip_in_chain(bool keeps_newest) noexcept;
  bool has_gap_in_extents() noexcept;
  bool has_gap_in_chain() noexcept;
  void add_window(SlabGeneration where);
  void check_number_of_windows() const;  // throws Errc::corrupt
  void discover(Window& window, const ActiveSlab& active);
  void trace(Window& window, Granules claimed);
  void distrust(Window& window, Granules rest);
  void add_place(Window& window, Granules row, layout::Extent extent);
  const Place* sole_place() const noexcept {  // null if there is another, or it is finished
    if (windows.size() != 1 || windows.front().places.size() != 1) return nullptr;
    const Place& place = windows.front().places.front();
    return place.at < place.end ? &place : nullptr;
  }
  bool forget_finished() noexcept;  // whether a generation was left
  bool step_over_filler(Place& place) noexcept;
  bool find_in_places() noexcept;
  void defer_open_only() noexcept;
  bool forget_deferred() noexcept;
  Stretch enter_place() noexcept;
  void leave_place(const std::byte* at, std::uint64_t handed) noexcept;
  bool has_message(Window& window) noexcept;
  bool move_pin_to(const Window& window) noexcept;
  bool verify_pins(bool& reclaiming);
  void account_for_gap();
};

// Detaches; while a range is alive, when that goes. Null: nothing to do.
void close_reader(ReaderState* state) noexcept;

}  // namespace sapbuf::detail
