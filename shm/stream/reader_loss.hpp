// How many messages a reader does not get: those before it attached; and, in `overwrite` streams, exactly those that
// were overwritten before it came to them.
#pragma once

#include <optional>
#include <span>

#include "stream/reader_attachment.hpp"
#include "stream/reader_window.hpp"

namespace SAPBUF_DETAIL {

class ReaderLoss {
 public:
  ReaderLoss(ReaderAttachment& attachment, std::uint64_t first_generation) noexcept
      : attachment_(attachment), first_(first_generation), expected_(first_generation) {}

  // The reader leaves a window, which it has read to its end; or whose rest was overwritten.
  void leave_finished(const Window& window) noexcept {
    leave_overwritten(window);
    expected_ = window.generation + 1;
  }
  void leave_overwritten(const Window& window) noexcept { passed_before_ += window.passed.messages; }

  // Messages that are there when it attaches, and that it leaves out.
  void leave_out_at_start(std::uint64_t messages) noexcept { left_out_at_start_ += messages; }
  // It goes on where another one left off, and of what stood between there and its first generation it gets nothing: so
  // many messages; some, if nobody counted them.
  void resume(std::optional<std::uint64_t> missed) noexcept {
    resumes_ = true;
    missed_ = missed;
  }
  // So many messages of the stream stand before the reader's position, if somebody counted them; for one that begins with
  // a generation of which that is not known, because one before it is not closed.
  void begin_behind(std::optional<std::uint64_t> messages, std::span<const Window> windows) noexcept;
  // Messages of the stream before the reader's position: what it got, and what it did not. Nothing if nobody counted them.
  std::optional<std::uint64_t> messages_before(std::span<const Window> windows) const noexcept;
  // See Reader.
  std::optional<std::uint64_t> missed_before() const noexcept;
  bool missed_any() const noexcept;

  // Counts what was lost if the reader's first window, which is pinned, is not the one behind the last finished one.
  void account_for_gap(const Window& first) noexcept;

 private:
  ReaderAttachment& attachment_;
  const std::uint64_t first_;        // generation that it began with
  std::uint64_t expected_;           // the generation that follows the last finished one
  std::uint64_t passed_before_ = 0;  // messages passed in generations before the first window
  std::uint64_t left_out_at_start_ = 0;
  bool resumes_ = false;
  std::optional<std::uint64_t> missed_;  // if it resumes
};

}  // namespace SAPBUF_DETAIL
