// Reading: pin what is there, look at it in place, unpin.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <sapbuf/abi.hpp>
#include <sapbuf/buffer_reference.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/stream.hpp>

SAPBUF_BEGIN

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

// Where a message stands in its stream. No other message of that stream has, had or will have the same one: a position may be
// stored, and compared. Positions grow in the order of the stream; in per-writer order, of the messages of each writer.
struct FramePosition {
  std::uint64_t generation = 0;  // of the slab; 0: no message has this position
  std::uint64_t offset = 0;      // of the message's header in the slab, in bytes

  friend auto operator<=>(const FramePosition&, const FramePosition&) = default;
};

namespace detail {
template <typename Value>
concept TriviallyCopyable = std::is_trivially_copyable_v<Value>;

FramePosition position_of(ReaderState& reader, const std::byte* payload) noexcept;
}  // namespace detail

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
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(payload_), size_}; }
  // A copy of the value that Writer::write() made this message of; nothing if the message has another size.
  template <detail::TriviallyCopyable Value>
  std::optional<Value> as() const noexcept {
    if (size_ != sizeof(Value)) return std::nullopt;
    std::array<std::byte, sizeof(Value)> bytes;
    std::memcpy(bytes.data(), payload_, sizeof(Value));
    return std::bit_cast<Value>(bytes);
  }
  Attachments attachments() const noexcept { return {reader_, payload_, first_attached_}; }
  // As sapbuf::dump and `sapbuf dump` have it. Of a Frame{} that no range handed out: none.
  FramePosition position() const noexcept {
    return reader_ == nullptr ? FramePosition{} : detail::position_of(*reader_, payload_);
  }

 private:
  const std::byte* payload_ = nullptr;
  std::size_t size_ = 0;
  detail::ReaderState* reader_ = nullptr;
  std::uint16_t type_ = 0;
  std::uint16_t first_attached_ = 0;
};

namespace detail {

// Messages that were handed out, and not counted yet: how many in the upper half, and their payload's bytes in the lower
// one. None of what is counted together leaves a slab, so neither half runs over.
struct Handed {
  std::uint64_t word = 0;

  static constexpr std::uint64_t kOneMessage = std::uint64_t{1} << 32;

  constexpr std::uint64_t messages() const noexcept { return word >> 32; }
  constexpr std::uint64_t bytes() const noexcept { return word & 0xffff'ffffu; }
};
static_assert(layout::kMaxSlabBytes <= std::uint64_t{1} << 32);

// Where the walk through a range stands. It lives in the range itself, and what is not inlined takes and returns words:
// the address of a range that is a local variable never escapes, so a loop that reads keeps all of this in registers.
struct Walk {
  const std::byte* at = nullptr;   // the next header
  const std::byte* end = nullptr;  // behind the extent (per-writer order) or the slab (total order)
  std::uint64_t handed = 0;        // see Handed
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
            w.handed += detail::Handed::kOneMessage + header.payload_bytes();
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

  [[gnu::always_inline]] Iterator begin() const& noexcept { return Iterator{&walk_}; }
  Iterator begin() const&& = delete;  // the frames would go with the range, before anybody could look at them
  std::default_sentinel_t end() const noexcept { return {}; }

  // For the library's own parts. Null: there was nothing to read.
  detail::ReaderState* state() const noexcept { return walk_.state; }

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

  // Waits until there is something to read: true; or until the time is over, or a flag of ReaderOptions ends it: false. Any
  // duration: one that is too long to be counted in nanoseconds is for ever. Spins briefly, then sleeps. A reader that
  // waits for something that a dead process began runs recovery itself. A signal handler that returns does not end the
  // wait, unless it sets the flag. Nor does it end when the segment is removed: see is_current(). Throws Errc::forked,
  // Errc::corrupt, and Errc::busy while a range is alive.
  bool wait_for(std::chrono::nanoseconds timeout);
  template <typename Rep, typename Period>
  bool wait_for(std::chrono::duration<Rep, Period> timeout) {
    return wait_for(detail::saturated<std::chrono::nanoseconds>(timeout));
  }

  // A descriptor to wait on, for poll, epoll or an event loop: readable when there may be something to read, until a pin() or a
  // wait_for() finds nothing. The reader's own, as long as that lives: not to be read from or closed. The first call makes it,
  // with a thread that sleeps in the kernel; it costs writers nothing but a wake when somebody waits. With until_finished it is
  // readable at the end, too. A look that finds nothing may do recovery no more: the thread does. Throws as pin(), and
  // Errc::resource_exhausted.
  int event_fd();

  // What can be read now; empty if nothing. In a busy stream, the range behind a wait_for() leaves to the next one what
  // a writer has only begun: reading where it writes would slow both down. One range at a time. Throws Errc::forked,
  // Errc::corrupt, and Errc::busy if the previous range is still alive.
  [[gnu::always_inline]] PinnedRange pin() {
    const detail::Stretch first = begin_walk();
    return PinnedRange{{first.at, first.end, 0, first.at == nullptr ? nullptr : state_}};
  }

  // Leaves out all that can be read now but the newest message: the next range begins there. In per-writer order that
  // is the newest one of each writer, so that nobody's last word is left out; of writers that had the same slot one after
  // the other, the last one's. Returns how many were left out; they count as `skipped`. For readers that show how things
  // are, and need not know how they came to be so. Throws as pin().
  std::uint64_t skip_to_newest();

  // Whether all has been read, and no more comes: a writer said so (Writer::finish()), and none is attached any more. One that
  // died is recovered here, if nobody else did, some milliseconds later at the most. A writer that comes later, before it has
  // left too, makes it false again. Throws as pin().
  bool is_finished();

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
  // or it began with the newest. Of one that goes on in the place of a durable reader: those behind that place. Nothing if nobody counted them: in total order, unless the stream overwrites.
  std::optional<std::uint64_t> missed_before() const noexcept;
  // Whether there were some, also where nobody counted them; false after close().
  bool missed_any() const noexcept;
  std::uint32_t slot() const noexcept;  // index in the registry
  // Using the reader afterwards throws Errc::invalid_argument. Detaches now and lets go of everything; while a range is
  // alive, what the range keeps stays, and the reader detaches when the range goes.
  void close() noexcept;
  // As close(). But a durable reader leaves as if it was killed: what the range that is alive handed out counts as not
  // read, and comes again to the next one of its name. For a program that could not do what it reads the messages for.
  void abandon() noexcept;

 private:
  // Pins what is there; null if there is nothing.
  detail::Stretch begin_walk();

  detail::ReaderState* state_;
};

SAPBUF_END
