// A reader's pins: bits of its slot that keep slabs from being reclaimed, in streams that overwrite. What a range does
// not read it does not pin. Elsewhere holds keep the slabs, and the pins only tell people that a range is open.
#pragma once

#include "stream/reader_attachment.hpp"
#include "stream/reader_loss.hpp"
#include "stream/reader_windows.hpp"

namespace SAPBUF_DETAIL {

constexpr std::uint64_t pin_of(std::uint32_t slab) noexcept { return std::uint64_t{1} << slab; }

class ReaderPins {
 public:
  ReaderPins(ReaderAttachment& attachment, ReaderWindows& windows, ReaderLoss& loss, Keep keep) noexcept
      : attachment_(attachment),
        windows_(windows),
        loss_(loss),
        one_slab_(keep == Keep::frame && attachment.overwrites()) {}

  // In `overwrite` streams: pins the slabs of all windows, and counts what was overwritten before. Elsewhere true at
  // once. False: a slab is just being reclaimed, or the window was lost; nothing is pinned.
  bool pin() { return !attachment_.overwrites() || pin_windows(); }
  void undo_pin() noexcept {
    if (attachment_.overwrites()) unpin();
  }
  // hold-release: release, as for holds.
  void unpin() noexcept { attachment_.slot().pins.store(0, std::memory_order_release); }
  // Behind pin(), for a range: in an `overwrite` stream keeps the pins of those windows only that have something to
  // read, or of the first of them (Keep::frame). The others are left to the next range.
  void keep_for_range() noexcept { attachment_.overwrites() ? narrow() : show(); }
  // The range comes to this window. False: it was overwritten meanwhile.
  bool come_to(const Window& window) noexcept { return !one_slab_ || move_to(window); }

 private:
  std::uint64_t of_all_windows() const noexcept;
  bool pin_windows();
  bool try_to_pin();
  // Gives slabs back to the readers, where somebody died while he was about to reclaim them: whether there may have been
  // any. No recovery of the stream may follow, for he may have been a pool's user (stream/shed.cpp). Whoever reclaims has
  // the lock, so to have that is proof enough.
  bool mend_reclaiming() noexcept;
  bool verify(bool& reclaiming);
  void lose_windows(std::size_t count);
  void narrow() noexcept;
  void show() noexcept;
  bool move_to(const Window& window) noexcept;

  ReaderAttachment& attachment_;
  ReaderWindows& windows_;
  ReaderLoss& loss_;
  const bool one_slab_;  // Keep::frame: of the frame that the walk is at
};

}  // namespace SAPBUF_DETAIL
