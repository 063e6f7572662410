// How a reader keeps its distance. One that keeps up with a busy stream finds a message at each look, and each look
// takes lines that are being written from the writer's cache: both get slow. So it waits a little before it looks.
#pragma once

#include <cstdint>

#include "platform/spin.hpp"
#include "segment/pauses.hpp"
#include "stream/reader_attachment.hpp"
#include "stream/reader_windows.hpp"

namespace SAPBUF_DETAIL {

class ReaderPace {
 public:
  ReaderPace(ReaderAttachment& attachment, ReaderWindows& windows) noexcept
      : windows_(windows),
        in_total_order_(attachment.in_total_order()),
        half_extent_bytes_(attachment.core().geometry().extent_bytes / 2) {}

  // The first look of a wait, behind a pause perhaps. `range_bytes`: that the walk of the last range went over.
  template <typename Look>
  bool look(std::uint64_t range_bytes, Look look) {
    const bool trailing = writers_are_busy(range_bytes);
    windows_.trail(trailing);
    if (trailing) {
      wait_for_claim();
      return look();
    }
    pauses_.wait();
    const bool found = look();
    pauses_.adapt(found, range_bytes / kBytesPerPause, in_total_order_ ? kTotal : kPerWriter);
    return found;
  }

 private:
  static constexpr int kBytesPerPause = 2;  // about 70 MB/s
  static constexpr int kClaimPauses = 200;  // about 6 microseconds

  // In per-writer order it leads to a range that has much in it.
  static constexpr Pauses::Limits kPerWriter{4096 / kBytesPerPause, 32768 / kBytesPerPause, 255};
  // In total order a reader is always where somebody writes, and a look costs both the more, the farther their cores
  // are apart. By bytes, not by time, so that it is the same small part of the work everywhere.
  static constexpr Pauses::Limits kTotal{32768 / kBytesPerPause, 131072 / kBytesPerPause, 2047};

  // Per-writer order: the last range had much in it.
  bool writers_are_busy(std::uint64_t range_bytes) const noexcept {
    return !in_total_order_ && range_bytes >= half_extent_bytes_;
  }

  // Per-writer order: until a writer goes on to its next extent, or for so long that one would have filled it.
  void wait_for_claim() const noexcept {
    for (int i = 0; i < kClaimPauses; ++i) {
      if (windows_.cursor_has_moved()) return;
      platform::spin_pause();
    }
  }

  ReaderWindows& windows_;
  const bool in_total_order_;
  const std::uint64_t half_extent_bytes_;
  Pauses pauses_;
};

}  // namespace SAPBUF_DETAIL
