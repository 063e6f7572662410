// Reading: pin what is there, look at it in place, unpin.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include <sapbuf/buffer_reference.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/stream.hpp>

namespace sapbuf {

namespace detail {

struct ReaderState;

// What is attached at a place (layout/attached_buffers.hpp) to the message with that payload.
struct AttachedReference {
  BufferReference reference;
  std::uint32_t next_place;  // of the same message; 0: it was the last one
  bool is_there;             // false: the segment's words make no sense, which the reader's next call says
};
AttachedReference load_attached(ReaderState& reader, const std::byte* payload, std::uint32_t place) noexcept;

}  // namespace detail

// The buffers that are attached to a message, in the order in which they were. They are kept as long as the message is:
// whoever wants one longer, or wants to look at its bytes, adopts it meanwhile (PoolUser::adopt).
class Attachments {
 public:
  class Iterator {
   public:
    using value_type = BufferReference;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(detail::ReaderState* reader, const std::byte* payload, std::uint32_t place) noexcept
        : reader_(reader), payload_(payload) {
      come_to(place);
    }
    const BufferReference& operator*() const noexcept { return at_.reference; }
    const BufferReference* operator->() const noexcept { return &at_.reference; }
    Iterator& operator++() noexcept {
      come_to(at_.next_place);
      return *this;
    }
    void operator++(int) noexcept { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !at_.is_there; }

   private:
    void come_to(std::uint32_t place) noexcept {
      at_ = place == 0 ? detail::AttachedReference{} : detail::load_attached(*reader_, payload_, place);
    }

    detail::ReaderState* reader_ = nullptr;
    const std::byte* payload_ = nullptr;
    detail::AttachedReference at_{};
  };

  Attachments(detail::ReaderState* reader, const std::byte* payload, std::uint32_t first_place) noexcept
      : reader_(reader), payload_(payload), first_place_(first_place) {}

  bool empty() const noexcept { return first_place_ == 0; }
  Iterator begin() const noexcept { return {reader_, payload_, first_place_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  detail::ReaderState* reader_;
  const std::byte* payload_;
  std::uint32_t first_place_;
};

// One committed message, in place. Valid as long as the range it came from, or as ReaderOptions::keep says.
class Frame {
 public:
  Frame() = default;
  Frame(const std::byte* payload, layout::FrameHeader header, detail::ReaderState* reader) noexcept
      : payload_(payload),
        size_(header.payload_bytes()),
        reader_(reader),
        type_(header.type()),
        first_attached_(static_cast<std::uint16_t>(header.first_attached())) {}

  std::uint16_t type() const noexcept { return type_; }
  std::span<const std::byte> bytes() const noexcept { return {payload_, size_}; }  // aligned to 8 bytes
  Attachments attachments() const noexcept { return {reader_, payload_, first_attached_}; }

 private:
  const std::byte* payload_ = nullptr;
  std::size_t size_ = 0;
  detail::ReaderState* reader_ = nullptr;
  std::uint16_t type_ = 0;
  std::uint16_t first_attached_ = 0;
};

namespace detail {

// Where the walk through a range stands. It lives in the range itself, and what is not inlined takes and returns words:
// the address of a range that is a local variable never escapes, so a loop that reads keeps all of this in registers.
struct Walk {
  const std::byte* at = nullptr;   // the next header
  const std::byte* end = nullptr;  // behind the extent (per-writer order) or the slab (total order)
  std::uint64_t handed = 0;        // messages handed out, and not counted yet
  ReaderState* state = nullptr;    // null: nothing is pinned
};

struct Stretch {
  const std::byte* at;  // null: there is no more
  const std::byte* end;
};
// Where the walk goes on that has no message at `at`: behind filler, or in the next place that may have one.
Stretch next_stretch(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept;
void unpin(ReaderState& state, const std::byte* at, std::uint64_t handed) noexcept;

}  // namespace detail

// The frames that were there when the range was made, and some that came while it was walked through: in the order the
// stream promises. Move-only, as long as there is no iterator; a single pass. A frame counts as delivered once the
// iterator has stood on it; what a loop that breaks off did not reach comes again with the next range. The frames stay
// valid until the range goes (that unpins them); where the reader was made with Keep::frame, in a stream that
// overwrites, until the iterator goes on. Fastest as a local variable, or where it stands in a range-for.
//
// A range may outlive its Reader: one that is closed, moved or destroyed meanwhile takes nothing from it. It belongs to
// the thread that pinned it: while it lives, a Writer of the same thread that would have to wait for what it keeps
// returns Status::would_deadlock.
class [[nodiscard]] PinnedRange {
 public:
  class Iterator {
   public:
    using value_type = Frame;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    [[gnu::always_inline]] explicit Iterator(detail::Walk* walk) noexcept : walk_(walk) { advance(); }
    const Frame& operator*() const noexcept { return frame_; }
    const Frame* operator->() const noexcept { return &frame_; }
    [[gnu::always_inline]] Iterator& operator++() noexcept {
      advance();
      return *this;
    }
    [[gnu::always_inline]] void operator++(int) noexcept { advance(); }
    [[gnu::always_inline]] bool operator==(std::default_sentinel_t) const noexcept {
      return frame_.bytes().data() == nullptr;
    }

   private:
    [[gnu::always_inline]] void advance() noexcept {
      detail::Walk& w = *walk_;
      for (;;) {
        if (w.at < w.end) [[likely]] {
          // frame-publish: acquire, so that the payload is seen with the header. The word is read once and checked: a
          // peer may have written anything.
          const layout::FrameHeader header{layout::word_at(w.at).load(std::memory_order_acquire)};
          const std::uint64_t span = header.span();
          if (header.kind() == layout::FrameKind::message && span <= static_cast<std::uint64_t>(w.end - w.at))
              [[likely]] {
            frame_ = Frame{w.at + layout::kUnitBytes, header, w.state};
            w.at += span;
            ++w.handed;
            return;
          }
        }
        const detail::Stretch stretch = w.state == nullptr
                                            ? detail::Stretch{nullptr, nullptr}
                                            : detail::next_stretch(*w.state, w.at, std::exchange(w.handed, 0));
        w.at = stretch.at;
        w.end = stretch.end;
        if (w.at == nullptr) {
          frame_ = Frame{};
          return;
        }
      }
    }

    detail::Walk* walk_ = nullptr;
    Frame frame_;
  };

  [[gnu::always_inline]] explicit PinnedRange(const detail::Walk& walk) noexcept : walk_(walk) {}
  [[gnu::always_inline]] PinnedRange(PinnedRange&& other) noexcept : walk_(std::exchange(other.walk_, {})) {}
  PinnedRange& operator=(PinnedRange&&) = delete;
  [[gnu::always_inline]] ~PinnedRange() {
    if (walk_.state != nullptr) detail::unpin(*walk_.state, walk_.at, walk_.handed);
  }

  [[gnu::always_inline]] Iterator begin() const noexcept { return Iterator{&walk_}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  mutable detail::Walk walk_;  // walking is all that a range is for
};

// A reader handle: one participant of the stream. One thread at a time may use it. Move-only. Lossless unless the
// stream's policy is `overwrite`: while it is attached, no message behind its position goes away.
class Reader {
 public:
  // Of the segment's stream `main`, or of the stream. Throws Errc::registry_full, Errc::busy (a live process holds the
  // maintenance lock), Errc::forked, Errc::corrupt, Errc::not_found if there is no such stream (any more).
  explicit Reader(const Segment& segment, const ReaderOptions& options = {});
  explicit Reader(const Stream& stream, const ReaderOptions& options = {});
  Reader(Reader&& other) noexcept;
  Reader& operator=(Reader&& other) noexcept;
  ~Reader();

  // Waits until there is something to read: true; or until the time is over, or ReaderOptions::stop is set: false. Any
  // duration: one that is too long to be counted in nanoseconds is for ever. Spins briefly, then sleeps. A reader that
  // waits for something that a dead process began runs recovery itself. A signal handler that returns does not end the
  // wait, unless it sets the flag. Nor does it end when the segment is removed: see is_current(). Throws Errc::forked,
  // Errc::corrupt, and Errc::busy while a range is alive.
  bool wait_for(std::chrono::nanoseconds timeout);
  template <typename Rep, typename Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) {
    return wait_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }

  // What can be read now; empty if nothing. In a busy stream, the range behind a wait_for() leaves to the next one what
  // a writer has only begun: reading where it writes would slow both down. One range at a time. Throws Errc::forked,
  // Errc::corrupt, and Errc::busy if the previous range is still alive.
  [[gnu::always_inline]] PinnedRange pin() {
    const detail::Stretch first = begin_walk();
    return PinnedRange{{first.at, first.end, 0, first.at == nullptr ? nullptr : state_}};
  }

  // Leaves out all that can be read now but the newest message: the next range begins there. In per-writer order that
  // is the newest one of each writer, so that nobody's last word is left out. Returns how many were left out; they
  // count as `skipped`. For readers that show how things are, and need not know how they came to be so. Throws as
  // pin().
  std::uint64_t skip_to_newest();

  // Whether the segment still has its name: false once it was removed, also if there is a new one of that name by now.
  // Such a reader gets what the writers that stayed behind with it write, and nothing else. As Segment::is_current();
  // false if this reader was closed or moved from.
  bool is_current() const noexcept;

  // For every message that was committed since this reader attached: committed = delivered + lost + skipped + what it
  // has still to come to.
  std::uint64_t delivered() const noexcept;  // messages, of all ranges that were unpinned
  std::uint64_t lost() const noexcept;       // messages that were overwritten before this reader came to them: exact
  std::uint64_t skipped() const noexcept;    // messages that skip_to_newest() left out
  // Messages committed before this reader attached that it does not get: their slabs were needed again before it came,
  // or it began with the newest. Nothing if nobody counted them: in total order, unless the stream overwrites.
  std::optional<std::uint64_t> missed_before() const noexcept;
  std::uint32_t slot() const noexcept;  // index in the registry
  // Using the reader afterwards throws Errc::invalid_argument. Detaches now and lets go of everything; while a range is
  // alive, what the range keeps stays, and the reader detaches when the range goes.
  void close() noexcept;

 private:
  // Pins what is there; null if there is nothing.
  detail::Stretch begin_walk();

  detail::ReaderState* state_;
};

}  // namespace sapbuf
