// All windows of a reader: how it learns of generations and extents, finds the messages in them, and lets go of what it
// has read.
//
// The order of each writer holds because extents are discovered before they are drained: whoever sees a writer's later
// extent (acquire) also sees that the one before it is closed, and all its frames. So discovery goes from the newest
// claim to the oldest, and draining from the oldest to the newest.
#pragma once

#include <span>
#include <vector>

#include "stream/durable_position.hpp"
#include "stream/reader_attachment.hpp"
#include "stream/reader_loss.hpp"
#include "stream/reader_window.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// What a look found.
enum class Finding {
  message,
  end_of_generation,  // the next one may have to be learned of first
  nothing,
  unclear,
};

class ReaderWindows {
 public:
  // `start` are the generations that the attachment holds, or has pinned: one at least, the oldest first.
  // `durable` may be null.
  ReaderWindows(ReaderAttachment& attachment, ReaderLoss& loss, DurablePosition* durable,
                std::span<const SlabGeneration> start);

  // Learns of new generations and extents. Throws Errc::corrupt.
  void refresh();
  // Learns of new extents in the windows that there are.
  void discover(const ActiveSlab& active);
  // Nothing was claimed since a look that left nothing to be learned of. Relaxed: the same word says nothing new, and
  // for another one refresh() looks again, with acquire.
  bool is_up_to_date() const noexcept { return knows_all_ && !cursor_has_moved(); }
  // Since the last look that was not up to date.
  bool cursor_has_moved() const noexcept { return cursor_.load(std::memory_order_relaxed) != last_cursor_; }
  // Whether that look came to the generation that the cursor was in: where not, there is a gap before it. What the cursor
  // has come to since is newer, and no gap.
  bool reach_cursor() const noexcept { return windows_.back().generation >= cursor_generation_; }
  // There is something to be learned of, although the cursor does not say so.
  void expect_news() noexcept { knows_all_ = false; }

  // Whether a message stands at the beginning of some place; walks over filler on the way.
  Finding find_message();
  bool has_message(Window& window) noexcept;
  // False: there is none, or nothing behind it.
  bool step_over_filler(Place& place) noexcept;
  // The one place that there is; null if there is another, or it is finished.
  const Place* sole_place() const noexcept {
    if (windows_.size() != 1 || windows_.front().places.size() != 1) return nullptr;
    const Place& place = windows_.front().places.front();
    return place.finished() ? nullptr : &place;
  }

  // A reader that trails busy writers: extents that are opened only now are deferred to the range behind the next. To
  // read an extent that a busy writer is filling would take from it each line that it needs next.
  void trail(bool trailing) noexcept { trailing_ = trailing; }
  bool forget_deferred() noexcept {  // whether there was anything
    if (!any_deferred_) return false;
    any_deferred_ = false;
    for (Window& window : windows_) {
      for (Place& place : window.places) place.deferred = false;
    }
    return true;
  }

  void add(SlabGeneration where);
  bool forget_finished() noexcept;  // whether a generation was left
  void lose_first() noexcept;       // of several: it was overwritten
  // Behind what changed a place: a durable reader that dies goes on from here.
  void store_position() noexcept {
    if (durable_ != nullptr) [[unlikely]]
      store_durable_position();
  }
  void store_durable_position() noexcept;  // of a durable reader
  // For onlookers: which window is the first one, and how much was gone over from there on.
  void tell_front() noexcept;

  // Oldest first; never empty.
  std::size_t size() const noexcept { return windows_.size(); }
  Window& operator[](std::size_t index) noexcept { return windows_[index]; }
  Window& front() noexcept { return windows_.front(); }
  const Window& front() const noexcept { return windows_.front(); }
  const Window& back() const noexcept { return windows_.back(); }
  std::span<const Window> all() const noexcept { return windows_; }
  auto begin() noexcept { return windows_.begin(); }
  auto end() noexcept { return windows_.end(); }
  auto begin() const noexcept { return windows_.begin(); }
  auto end() const noexcept { return windows_.end(); }
  auto rbegin() noexcept { return windows_.rbegin(); }
  auto rend() noexcept { return windows_.rend(); }

 private:
  void check_number() const;  // throws Errc::corrupt
  void discover_in(Window& window, const ActiveSlab& active);
  void trace(Window& window, Granules claimed);
  void distrust(Window& window, Granules rest);
  void add_place(Window& window, Granules row, layout::Extent extent);
  Place placed(Window& window, Place place) noexcept;  // where a durable reader goes on in it
  void defer_open_only() noexcept;
  bool find_in_places() noexcept;

  ReaderAttachment& attachment_;
  StreamCore& core_;
  ReaderLoss& loss_;
  DurablePosition* const durable_;  // null: the reader is none
  const layout::Word& cursor_;
  std::vector<Window> windows_;
  std::vector<Granules> still_untraced_;  // of the window that is being looked at
  std::uint64_t last_cursor_ = 0;         // at the last look that was not up to date
  std::uint64_t cursor_generation_ = 0;   // the same
  bool knows_all_ = false;                // behind it: every generation, and the trace of every claim
  bool trailing_ = false;
  bool any_deferred_ = false;
};

}  // namespace SAPBUF_DETAIL
