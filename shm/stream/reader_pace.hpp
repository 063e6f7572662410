// How a reader keeps its distance. One that keeps up with a busy stream finds a message at each look, and each look
// takes lines that are being written from the writer's cache: both get slow. So it waits a little before it looks.
#pragma once

#include <algorithm>
#include <cstdint>

#include "platform/spin.hpp"
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
    for (int i = 0; i < pauses_; ++i) platform::spin_pause();
    const bool found = look();
    adapt(found, range_bytes);
    return found;
  }

 private:
  static constexpr int kLittlePerPause = 2;  // bytes: about 70 MB/s
  static constexpr int kPausesOfALook = 8;   // that a look takes as long as
  static constexpr int kClaimPauses = 200;   // about 6 microseconds

  // So long that a reader finds some lines full, if messages come fast enough for that. One that finds little gets
  // messages one by one, and looks at once, for the sake of latency.
  struct Limits {
    std::uint64_t short_range;  // bytes: shorter ranges slow it down
    std::uint64_t long_range;   // bytes: longer ones quicken it
    int slowest;                // pauses of some 27 nanoseconds
  };
  // In per-writer order it leads to a range that has much in it.
  static constexpr Limits kPerWriter{4096, 32768, 255};
  // In total order a reader is always where somebody writes, and a look costs both the more, the farther their cores
  // are apart. By bytes, not by time, so that it is the same small part of the work everywhere.
  static constexpr Limits kTotal{32768, 131072, 2047};

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

  void adapt(bool found, std::uint64_t range_bytes) noexcept {
    const Limits& limits = in_total_order_ ? kTotal : kPerWriter;
    const auto little = static_cast<std::uint64_t>(kLittlePerPause * (pauses_ + kPausesOfALook));
    if (!found || range_bytes < little || range_bytes > limits.long_range) {
      pauses_ /= 2;
    } else if (range_bytes < limits.short_range) {
      pauses_ = std::min(2 * pauses_ + 1, limits.slowest);
    }
  }

  ReaderWindows& windows_;
  const bool in_total_order_;
  const std::uint64_t half_extent_bytes_;
  int pauses_ = 0;  // before a look
};

}  // namespace SAPBUF_DETAIL
