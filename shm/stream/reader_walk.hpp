// The walk of one range, through all places of all windows: where it is, and how far it has come.
#pragma once

#include <sapbuf/reader.hpp>

#include "stream/own_ranges.hpp"
#include "stream/reader_attachment.hpp"
#include "stream/reader_pins.hpp"
#include "stream/reader_windows.hpp"

namespace SAPBUF_DETAIL {

class ReaderWalk final : public RangeOwner {
 public:
  ReaderWalk(ReaderAttachment& attachment, ReaderWindows& windows, ReaderPins& pins) noexcept
      : attachment_(attachment), windows_(windows), pins_(pins) {}

  Stretch begin() noexcept {
    begin_range();
    bytes_ = 0;
    window_ = 0;
    place_ = 0;
    if (const Place* const place = windows_.sole_place()) return {place->at, place->stop};
    return enter_place();
  }
  // `at` is how far it came.
  Stretch next(const std::byte* at, Handed handed) noexcept;
  void end(const std::byte* at, Handed handed) noexcept;
  // The range that is alive was not read, as if its reader was killed. The reader leaves with it.
  void abandon() noexcept { is_abandoned_ = true; }

  // That the walk of the last range went over.
  std::uint64_t bytes() const noexcept { return bytes_; }

  bool keeps_by_range(const StreamCore& stream, std::uint64_t generation) const noexcept override;

 private:
  Stretch enter_place() noexcept;
  void leave_place(const std::byte* at, Handed handed) noexcept;
  bool is_at_end() const noexcept { return window_ >= windows_.size(); }
  Stretch stop_here() noexcept {
    window_ = windows_.size();
    return {nullptr, nullptr};
  }

  ReaderAttachment& attachment_;
  ReaderWindows& windows_;
  ReaderPins& pins_;
  std::size_t window_ = 0;
  std::size_t place_ = 0;  // in the window
  std::uint64_t bytes_ = 0;
  bool is_abandoned_ = false;
};

}  // namespace SAPBUF_DETAIL
