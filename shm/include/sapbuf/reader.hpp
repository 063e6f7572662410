// Reading: pin what is there, look at it in place, unpin.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

#include <sapbuf/layout/frame.hpp>
#include <sapbuf/segment.hpp>

namespace sapbuf {

// One committed message, in place. Valid as long as the range it came from.
class Frame {
 public:
  Frame() = default;
  Frame(const std::byte* payload, std::size_t size, std::uint16_t type) noexcept
      : payload_(payload), size_(size), type_(type) {}

  std::uint16_t type() const noexcept { return type_; }
  std::span<const std::byte> bytes() const noexcept { return {payload_, size_}; }  // aligned to 8 bytes

 private:
  const std::byte* payload_ = nullptr;
  std::size_t size_ = 0;
  std::uint16_t type_ = 0;
};

namespace detail {

// The part of a reader that the inlined path touches.
struct ReaderHot {
  const std::byte* at = nullptr;   // the next header
  const std::byte* end = nullptr;  // behind the extent (per-writer order) or the slab (total order)
  std::uint64_t handed = 0;        // messages handed out from the place that `at` walks through
};

// Leaves the place that has no message at `at`, and goes to the next one that may. False if the range is at its end.
bool next_place(ReaderHot& reader) noexcept;

}  // namespace detail

// The frames that were there when the range was made, and some that came while it was walked through: in the order the
// stream promises. Move-only; a single pass. A frame counts as delivered once the iterator has stood on it; what a loop
// that breaks off did not reach comes again with the next range. The frames stay valid until the range goes (that
// unpins them).
class [[nodiscard]] PinnedRange {
 public:
  class Iterator {
   public:
    using value_type = Frame;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(detail::ReaderHot* reader) noexcept : reader_(reader) { advance(); }
    const Frame& operator*() const noexcept { return frame_; }
    const Frame* operator->() const noexcept { return &frame_; }
    Iterator& operator++() noexcept {
      advance();
      return *this;
    }
    void operator++(int) noexcept { advance(); }
    bool operator==(std::default_sentinel_t) const noexcept { return reader_ == nullptr; }

   private:
    void advance() noexcept {
      while (reader_ != nullptr) {
        detail::ReaderHot& r = *reader_;
        if (r.at < r.end) {
          // frame-publish: acquire, so that the payload is seen with the header. The word is read once and checked: a
          // peer may have written anything.
          const layout::FrameHeader header{layout::word_at(r.at).load(std::memory_order_acquire)};
          const std::uint64_t span = header.span();
          if (header.kind() == layout::FrameKind::message && span <= static_cast<std::uint64_t>(r.end - r.at))
              [[likely]] {
            frame_ = Frame{r.at + layout::kUnitBytes, header.payload_bytes(), header.type()};
            r.at += span;
            ++r.handed;
            return;
          }
        }
        if (!detail::next_place(r)) reader_ = nullptr;
      }
    }

    detail::ReaderHot* reader_ = nullptr;
    Frame frame_;
  };

  explicit PinnedRange(detail::ReaderHot* reader) noexcept : reader_(reader) {}
  PinnedRange(PinnedRange&& other) noexcept : reader_(std::exchange(other.reader_, nullptr)) {}
  PinnedRange& operator=(PinnedRange&&) = delete;
  ~PinnedRange() {
    if (reader_ != nullptr) unpin();
  }

  Iterator begin() const noexcept { return Iterator{reader_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  void unpin() noexcept;

  detail::ReaderHot* reader_;
};

// A reader handle: one participant of the stream. One thread at a time may use it. Move-only. Lossless unless the
// stream's policy is `overwrite`: while it is attached, no message behind its position goes away.
class Reader {
 public:
  // Throws Errc::registry_full, Errc::busy (a live process holds the maintenance lock), Errc::forked, Errc::corrupt.
  explicit Reader(const Segment& segment, const ReaderOptions& options = {});
  Reader(Reader&& other) noexcept;
  Reader& operator=(Reader&& other) noexcept;
  ~Reader();

  // Waits until there is something to read: true; or until the time is over: false. Spins briefly, then sleeps. A
  // reader that waits for something that a dead process began runs recovery itself. A signal handler that returns does
  // not end the wait. Throws Errc::forked, Errc::corrupt, and Errc::busy while a range is alive.
  bool wait_for(std::chrono::nanoseconds timeout);

  // What can be read now; empty if nothing. One range at a time. Throws Errc::forked, Errc::corrupt, and Errc::busy if
  // the previous range is still alive.
  PinnedRange pin();

  std::uint64_t delivered() const noexcept;  // messages, of all ranges that were unpinned
  std::uint64_t lost() const noexcept;       // messages that were overwritten before this reader came to them: exact
  std::uint32_t slot() const noexcept;       // index in the registry
  // Detaches now and lets go of everything; using the reader afterwards throws Errc::invalid_argument.
  void close() noexcept;

 private:
  detail::ReaderHot* hot_;
};

}  // namespace sapbuf
