// Writing: reserve -> fill in place -> commit | abort, one message or a batch of them.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <sapbuf/abi.hpp>
#include <sapbuf/attached.hpp>
#include <sapbuf/detail/checks.hpp>
#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/layout/stream_slot.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>
#include <sapbuf/stream.hpp>

SAPBUF_BEGIN

namespace detail {

struct WriterState;

template <typename Message>
concept TextOrBytes = std::convertible_to<const Message&, std::string_view> ||
    std::convertible_to<const Message&, std::span<const std::byte>>;
template <typename Message>
concept InOnePiece = requires(const Message& message) {
  std::span{message};
};
template <typename Message>
using ElementOf = typename decltype(std::span{std::declval<const Message&>()})::element_type;

// What stands in one piece, and is no text and no bytes already: its elements are copied.
template <typename Range>
concept WritableRange = !TextOrBytes<Range> && InOnePiece<Range> && std::is_trivially_copyable_v<ElementOf<Range>>;
// What can be copied byte by byte, and means the same in another process as far as a type can tell.
template <typename Value>
concept WritableValue = !TextOrBytes<Value> && !InOnePiece<Value> && std::is_trivially_copyable_v<Value> &&
                        !std::is_pointer_v<Value> && !std::is_member_pointer_v<Value>;

// The part of a writer that the inlined path touches. It lives in the Writer itself, and what is not inlined takes and
// returns words: the address of a Writer that is a local variable never escapes, so a loop that writes keeps all of
// this in registers. In memory, each message would wait for the stores of the one before.
//
// Inlined are reservations inside an extent, in streams without full fences and aligned payloads. In all other cases `end` is null, so that
// the look for room finds none, and no flag costs every message a look of its own. The slow path finds out why, in this
// order:
//
//   `end` is null because       set so by                                    the slow path tells it by
//   closed, or moved from       Writer::close(), Writer::release()           state == nullptr
//   closed amid a reservation   reserve_slow()                               WriterState::closed
//   forked: this is the child   reserve_slow()                               WriterState::forked
//   a reservation is open       Writer::open(), until commit or abort        `busy` in the slot's progress word
//   total order, full fences,   reserve_slow(), which never gives one        WriterState::is_inlined()
//   aligned payloads
//   no extent                   a new Writer; reserve_slow(), without room   WriterState::has_extent()
//
// Who was closed amid a reservation, forked, or taken for dead has an `end` still, and comes to the slow path because
// the slot says `revoked`. Who is to go on to another slab has one that lies before `next` (WriterState::leaves_slab).
struct WriterHot {
  std::byte* next = nullptr;     // where the next frame's header goes, in the writer's own extent
  std::byte* end = nullptr;      // behind the last byte that a frame may take, or null: see above
  std::uint64_t generation = 0;  // of the extent
  std::uint64_t progress = 0;    // what the slot's progress word says, without the busy flag
  layout::StreamSlot* slot = nullptr;
  layout::Event* data = nullptr;
  WriterState* state = nullptr;                  // null: closed, or moved from
  std::uint64_t alignment = layout::kUnitBytes;  // of payloads
#ifdef SAPBUF_CHECKS
  Usage usage;
#endif
};

// What a writer begins with.
struct WriterStart {
  WriterState* state;
  layout::StreamSlot* slot;
  layout::Event* data;
  std::uint64_t progress;
  std::uint64_t alignment;
};
WriterStart open_writer(const Stream& stream, const WriterOptions& options);
// Detaches: true. While a reservation is open, or may be (of a writer that was taken for dead), ends the right to make
// another one, and does nothing else: false.
bool close_writer(WriterState& state) noexcept;
void end_writer(WriterState* state) noexcept;  // detaches in any case
int event_fd_of(WriterState* state);
Status finish_writer(WriterState& state) noexcept;  // `ok`: it has said so, and is to be ended
std::uint32_t slot_of(const WriterState& state) noexcept;

// What an attempt to reserve led to, and what the writer goes on with.
struct ReserveResult {
  std::byte* payload;  // null: see status
  Status status;
  std::byte* next;
  std::byte* end;
  std::uint64_t generation;
  std::uint64_t progress;
};
ReserveResult reserve_slow(WriterState* state, std::byte* next, std::size_t size) noexcept;
// As publish() does it.
void publish_slow(WriterState& state, std::byte* header, std::uint64_t word, std::byte* next,
                  std::uint64_t progress) noexcept;
// Returns the writer's progress. `first_attached`: of the reservation; 0 if nothing was attached.
std::uint64_t abort_reserved(WriterState& state, std::byte* payload, std::uint32_t first_attached) noexcept;

// Places (layout/attached_buffers.hpp) of what is attached so far; 0: nothing.
struct AttachedSoFar {
  std::uint32_t first_of_reservation;
  std::uint32_t first_of_message;
};
struct AttachResult {
  Status status;
  std::uint32_t place = 0;   // of the buffer
  bool leaves_slab = false;  // the next reservation is made in another slab
};
// Attaches the buffer to a message that the writer has reserved at `header`.
AttachResult attach(WriterState& state, Buffer& buffer, const std::byte* header, AttachedSoFar so_far) noexcept;

void wake_sleepers(layout::Event& event) noexcept;

// No slab has room for more, whatever their sizes; and these times the span of the largest one is a 64-bit number.
inline constexpr std::size_t kMostMessages = layout::kPayloadCeiling / layout::kUnitBytes;

// Publishes the frames from `header` to `next`. `word` is the first one's header: it is written last, so whoever sees
// it sees them all. Then they are counted, `progress` being what the slot is to say; and `end` is the writer's again
// (null: not inlined, in total order, with full fences or aligned payloads).
[[gnu::always_inline]] inline void publish(WriterHot& writer, std::byte* header, std::uint64_t word, std::byte* next,
                                           std::byte* end, std::uint64_t progress) noexcept {
  if (end == nullptr) [[unlikely]]
    return publish_slow(*writer.state, header, word, next, progress);
  // frame-publish: the next header is zero before this one is released, and release puts the payload before the header;
  // a reader that acquires the header sees both.
  layout::word_at(next).store(0, std::memory_order_relaxed);
  layout::word_at(header).store(word, std::memory_order_release);
  SAPBUF_KILL_POINT(commit_published);
  writer.next = next;
  writer.end = end;
  writer.progress = progress;
  // close: release, so that a closer that finds the writer idle also sees its frames. The same store counts them.
  writer.slot->progress.store(progress, std::memory_order_release);
  // sleep: the light fence keeps the look at the event behind the header's store; the sleeper's heavy fence stands
  // between its announcement and its last look at the stream. One of the two sees the other.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (writer.data->is_awaited()) [[unlikely]]
    wake_sleepers(*writer.data);
}

}  // namespace detail

// A reserved frame: room for one message, or the reason why there is none. Move-only; its destructor aborts what was
// not committed. Belongs to its Writer's thread. While it is open, its Writer must stay where it is, neither moved nor
// destroyed: what happens otherwise is undefined, and a checking build (detail/checks.hpp) ends the process. A Writer
// that is closed meanwhile does it no harm.
class [[nodiscard]] Reservation {
 public:
  Reservation(Reservation&& other) noexcept
      : writer_(other.writer_),
        payload_(std::exchange(other.payload_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        end_(other.end_),
        progress_(other.progress_),
        head_(other.head_),
        status_(other.status_) {}
  Reservation& operator=(Reservation&& other) noexcept {
    if (this != &other) {
      abort();
      writer_ = other.writer_;
      payload_ = std::exchange(other.payload_, nullptr);
      size_ = std::exchange(other.size_, 0);
      end_ = other.end_;
      progress_ = other.progress_;
      head_ = other.head_;
      status_ = other.status_;
    }
    return *this;
  }
  [[gnu::always_inline]] ~Reservation() { abort(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }

  // The payload, in place, aligned as StreamOptions::payload_alignment says; its content is undefined until it is written. Empty after commit or
  // abort.
  std::span<std::byte> bytes() const noexcept { return {payload_, size_}; }
  // The same for snprintf() and its like. Compilers do not see that it is null where nothing was reserved, for they would warn
  // of that.
  std::span<char> chars() const noexcept {
    auto* begin = reinterpret_cast<char*>(payload_);
    asm("" : "+r"(begin));
    return {begin, size_};
  }

  // Attaches a buffer of a pool in the same segment: it lives at least as long as its message can be read. Readers find
  // it by Frame::attachments(), and adopt it if they want it longer. The user that had it has it no more. Several may be
  // attached to a message; there is always room for the first one of a reservation, and for more of them as long as the
  // slab has less than StreamOptions::attachments: attachments_full, then abort and reserve anew. Other failures:
  // other_segment; the buffer's status, if it is none; the reservation's, or closed, if nothing is reserved (any more);
  // forked, declared_dead. Where it failed, the caller has the buffer still, and the message is as it was. What is aborted,
  // or not committed when its writer dies, lets go of its buffers: at once, or when the slab is reclaimed.
  Attached attach(Buffer&& buffer) noexcept;

  // Publishes the message. Nothing happens if it was committed or aborted before, or if there is no reservation.
  [[gnu::always_inline]] void commit() noexcept { commit(size_); }
  // Publishes the first `size` bytes only (no more than were reserved).
  void commit(std::size_t size) noexcept;
  // Gives the space back. Counted in the ledger as aborted.
  [[gnu::always_inline]] void abort() noexcept {
    if (payload_ == nullptr) return;
    SAPBUF_CHECK_CALL(writer_->usage);
    SAPBUF_CHECK(ended);
    size_ = 0;
    writer_->progress =
        detail::abort_reserved(*writer_->state, std::exchange(payload_, nullptr), head_.first_attached());
    writer_->end = end_;
  }

 private:
  friend class Writer;

  [[gnu::always_inline]] Reservation(detail::WriterHot* writer, Status status) noexcept
      : writer_(writer), status_(status) {}
  [[gnu::always_inline]] Reservation(detail::WriterHot* writer, std::byte* payload, std::size_t size, std::byte* end,
                                     std::uint64_t progress, std::uint16_t type) noexcept
      : writer_(writer),
        payload_(payload),
        size_(size),
        end_(end),
        progress_(progress),
        head_(layout::MessageHead::of(type)),
        status_(Status::ok) {}

  // Never null: were it null where there is no reservation, compilers would keep the Writer in memory.
  detail::WriterHot* writer_;
  std::byte* payload_ = nullptr;  // null: nothing is open
  std::size_t size_ = 0;
  // The writer's, carried along: a store into the payload may change the Writer for all that a compiler knows.
  std::byte* end_ = nullptr;  // null: commit is not inlined
  std::uint64_t progress_ = 0;
  layout::MessageHead head_;
  Status status_;
};

// Room for several messages that are published together, at the price of one: readers see all of them or none, and so
// does whoever comes after the writer's death. Move-only; its destructor aborts what was not committed. Belongs to its
// Writer's thread, and while it is open, its Writer must stay where it is.
class [[nodiscard]] Batch {
 public:
  Batch(Batch&& other) noexcept
      : writer_(other.writer_),
        first_(std::exchange(other.first_, nullptr)),
        next_(std::exchange(other.next_, nullptr)),
        limit_(std::exchange(other.limit_, nullptr)),
        padded_limit_(std::exchange(other.padded_limit_, nullptr)),
        end_(other.end_),
        progress_(other.progress_),
        word_(other.word_),
        last_(other.last_),
        first_attached_(other.first_attached_),
        messages_(std::exchange(other.messages_, 0)),
        status_(other.status_) {}
  Batch& operator=(Batch&&) = delete;
  [[gnu::always_inline]] ~Batch() { abort(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }

  // Room for the next message: its payload, aligned as Reservation::bytes(), to be written before commit. A span whose data() is
  // null if it does not fit any more; then commit, and reserve another batch.
  std::span<std::byte> append(std::size_t size, std::uint16_t type = 0) noexcept;
  std::size_t messages() const noexcept { return messages_; }  // that were appended, and not committed yet

  // Attaches a buffer to the message that was appended last: see Reservation::attach(). A batch is one reservation.
  Attached attach(Buffer&& buffer) noexcept;

  // Publishes all that was appended. A batch without messages is aborted. Nothing happens if it was committed or
  // aborted before, or if there is no reservation.
  void commit() noexcept;
  // Gives the space back. Counted in the ledger as one reservation that was aborted.
  [[gnu::always_inline]] void abort() noexcept {
    if (first_ == nullptr) return;
    SAPBUF_CHECK_CALL(writer_->usage);
    SAPBUF_CHECK(ended);
    messages_ = 0;
    next_ = limit_ = padded_limit_ = nullptr;
    writer_->progress = detail::abort_reserved(*writer_->state, std::exchange(first_, nullptr) + layout::kUnitBytes,
                                               std::exchange(first_attached_, 0));
    writer_->end = end_;
  }

 private:
  friend class Writer;

  bool pad(std::size_t size, std::uint64_t& span) noexcept;

  [[gnu::always_inline]] Batch(detail::WriterHot* writer, Status status) noexcept : writer_(writer), status_(status) {}
  [[gnu::always_inline]] Batch(detail::WriterHot* writer, std::byte* payload, std::size_t size, std::byte* end,
                               std::uint64_t progress, std::uint16_t) noexcept
      : writer_(writer),
        first_(payload - layout::kUnitBytes),
        next_(first_),
        limit_(writer->alignment == layout::kUnitBytes ? first_ + layout::frame_span(size) : first_),
        padded_limit_(limit_ == first_ ? first_ + layout::padded_span(size, writer->alignment) : nullptr),
        end_(end),
        progress_(progress),
        status_(Status::ok) {}

  detail::WriterHot* writer_;   // never null, as in Reservation
  std::byte* first_ = nullptr;  // header of the first message; null: nothing is open
  std::byte* next_ = nullptr;   // header of the next one
  std::byte* limit_ = nullptr;
  // Where payloads are aligned, what `limit_` is elsewhere; there, `limit_` is where `next_` is. Else null.
  std::byte* padded_limit_ = nullptr;
  std::byte* end_ = nullptr;    // as in Reservation
  std::uint64_t progress_ = 0;  // with what was appended
  std::uint64_t word_ = 0;      // of the first header
  std::byte* last_ = nullptr;   // header of the message that was appended last
  std::uint32_t first_attached_ = 0;
  std::size_t messages_ = 0;
  Status status_;
};

// A writer handle: one participant of the stream. One thread at a time may use it; several threads of a process, and
// signal handlers, use a handle each. Move-only. Destroying it detaches: what was committed stays. Fastest as a local
// variable of the function that writes.
class Writer {
 public:
  // Of the segment's stream `main`, or of the stream. Throws Errc::registry_full, Errc::unsupported (no membarrier),
  // Errc::forked, Errc::corrupt, Errc::not_found if there is no such stream (any more).
  [[gnu::always_inline]] explicit Writer(const Segment& segment, const WriterOptions& options = {})
      : Writer(Stream::open(segment), options) {}
  [[gnu::always_inline]] explicit Writer(const Stream& stream, const WriterOptions& options = {}) {
    const detail::WriterStart start = detail::open_writer(stream, options);
    hot_.state = start.state;
    hot_.slot = start.slot;
    hot_.data = start.data;
    hot_.progress = start.progress;
    hot_.alignment = start.alignment;
  }
  [[gnu::always_inline]] Writer(Writer&& other) noexcept : hot_(other.release()) {}
  [[gnu::always_inline]] Writer& operator=(Writer&& other) noexcept {
    if (this != &other) {
      end();
      hot_ = other.release();
    }
    return *this;
  }
  [[gnu::always_inline]] ~Writer() { end(); }

  // Room for a message of `size` bytes. `type` is the user's own. One reservation at a time. Usually a local bump
  // without a system call; at a full slab it flips, and where no slab is free it does what the stream's OnFull policy
  // says.
  Reservation reserve(std::size_t size, std::uint16_t type = 0) noexcept;

  // Room for `messages` messages of `payload_bytes` in all, that are published together; a batch counts as one
  // reservation. As reserve() otherwise: what a batch takes must fit a slab. Each payload is aligned, and how that divides
  // the room is not known beforehand: up to 7 bytes a message are taken for it, or 63 with a payload_alignment of 64.
  Batch reserve_batch(std::size_t messages, std::size_t payload_bytes) noexcept;
  // The same where the sizes are known: takes exactly what messages of these payload sizes need, appended in any order;
  // or `messages` messages of `bytes_each` at most.
  Batch reserve_batch(std::span<const std::size_t> payload_bytes) noexcept;
  Batch reserve_batch_of(std::size_t messages, std::size_t bytes_each) noexcept;

  // reserve, copy and commit in one.
  Status write(std::span<const std::byte> message, std::uint16_t type = 0) noexcept;
  [[gnu::always_inline]] Status write(std::string_view message, std::uint16_t type = 0) noexcept {
    return write(std::as_bytes(std::span{message.data(), message.size()}), type);
  }
  // The elements of a vector, an array, or another range that stands in one piece.
  template <detail::WritableRange Range>
  [[gnu::always_inline]] Status write(const Range& elements, std::uint16_t type = 0) noexcept {
    return write(std::as_bytes(std::span{elements}), type);
  }
  // A value as it stands in memory, with what lies between its members; Frame::as() has it back.
  template <detail::WritableValue Value>
  [[gnu::always_inline]] Status write(const Value& value, std::uint16_t type = 0) noexcept {
    return write(std::as_bytes(std::span{&value, 1}), type);
  }

  // Says that no more comes, and detaches: once all writers have left, and readers have read all, Reader::is_finished() is
  // true. `already_reserved`: commit or abort first; otherwise as reserve(), and then nothing was said.
  Status finish() noexcept;

  // A descriptor to wait on, as Reader::event_fd(): readable when there may be room, until a reservation finds none
  // (Status::full, or Status::timeout with a timeout of 0). Throws Errc::forked, Errc::resource_exhausted,
  // Errc::invalid_argument once closed.
  int event_fd() const { return detail::event_fd_of(hot_.state); }

  // Index in the registry; all ones once closed.
  [[gnu::always_inline]] std::uint32_t slot() const noexcept {
    return hot_.state == nullptr ? ~std::uint32_t{0} : detail::slot_of(*hot_.state);
  }
  // Detaches now; every later reserve() returns Status::closed. While a reservation is open, it may still be committed
  // or aborted, and the writer detaches when it is closed once more, or destroyed.
  [[gnu::always_inline]] void close() noexcept {
    if (hot_.state == nullptr) return;
    if (detail::close_writer(*hot_.state)) {
      hot_ = {};
    } else {
      hot_.end = nullptr;
    }
  }

  // For the library's own parts.
  detail::WriterHot& hot() noexcept { return hot_; }
  const detail::WriterHot& hot() const noexcept { return hot_; }

 private:
  [[gnu::always_inline]] detail::WriterHot release() noexcept {
    SAPBUF_CHECK_MAY_GO(hot_.usage);
    return std::exchange(hot_, {});
  }
  [[gnu::always_inline]] void end() noexcept {
    if (detail::WriterState* const state = release().state) detail::end_writer(state);
  }

  // A Reservation or a Batch for a payload of `size` bytes.
  template <typename Handle>
  Handle open(std::size_t size, std::uint16_t type) noexcept;

  detail::WriterHot hot_;
};

inline Status Writer::finish() noexcept {
  if (hot_.state == nullptr) return Status::closed;
  const Status status = detail::finish_writer(*hot_.state);
  if (status == Status::ok) end();
  return status;
}

template <typename Handle>
[[gnu::always_inline]] inline Handle Writer::open(std::size_t size, std::uint16_t type) noexcept {
  SAPBUF_CHECK_CALL(hot_.usage);
  SAPBUF_CHECK(check_reserving);
  const auto room = hot_.end - hot_.next;
  if (size <= layout::kPayloadCeiling && static_cast<std::ptrdiff_t>(layout::frame_span(size)) <= room) [[likely]] {
    // close: the store below, the light fence (a compiler fence, here), then the look at `revoked`; a closer stores
    // `revoked`, makes a heavy fence, and then looks at `progress`. Relaxed is enough for both: the fences order them.
    hot_.slot->progress.store(hot_.progress | layout::Progress::kBusy, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (hot_.slot->revoked.load(std::memory_order_relaxed) < hot_.generation) [[likely]] {
      SAPBUF_CHECK(reserved);
      return {&hot_, hot_.next + layout::kUnitBytes, size, std::exchange(hot_.end, nullptr), hot_.progress, type};
    }
    // close: release, as in publish(): a closer that finds this idle word sees the frames that it counts.
    hot_.slot->progress.store(hot_.progress, std::memory_order_release);
  }
  const detail::ReserveResult result = detail::reserve_slow(hot_.state, hot_.next, size);
  hot_.next = result.next;
  hot_.generation = result.generation;
  hot_.progress = result.progress;
  if (result.payload == nullptr) {
    hot_.end = result.end;
    return {&hot_, result.status};
  }
  hot_.end = nullptr;
  SAPBUF_CHECK(reserved);
  return {&hot_, result.payload, size, result.end, result.progress, type};
}

[[gnu::always_inline]] inline Reservation Writer::reserve(std::size_t size, std::uint16_t type) noexcept {
  return open<Reservation>(size, type);
}

[[gnu::always_inline]] inline Batch Writer::reserve_batch(std::size_t messages, std::size_t payload_bytes) noexcept {
  // Each message takes a header and padding; the first header is the reservation's own.
  const std::size_t overhead = layout::kUnitBytes + hot_.alignment - 1;
  const bool fits = messages <= detail::kMostMessages && payload_bytes <= layout::kPayloadCeiling;
  return open<Batch>(
      fits ? payload_bytes + std::max<std::size_t>(messages, 1) * overhead - layout::kUnitBytes : ~std::size_t{0}, 0);
}

[[gnu::always_inline]] inline Batch Writer::reserve_batch(std::span<const std::size_t> payload_bytes) noexcept {
  std::size_t span = 0;
  for (const std::size_t bytes : payload_bytes) {
    if (bytes > layout::kPayloadCeiling || span > layout::kPayloadCeiling) return open<Batch>(~std::size_t{0}, 0);
    span += layout::padded_span(bytes, hot_.alignment);
  }
  // The first header is the reservation's own. Without messages there is nothing but that.
  return open<Batch>(std::max<std::size_t>(span, layout::kUnitBytes) - layout::kUnitBytes, 0);
}

[[gnu::always_inline]] inline Batch Writer::reserve_batch_of(std::size_t messages, std::size_t bytes_each) noexcept {
  const std::size_t span = layout::padded_span(bytes_each, hot_.alignment);
  const bool fits = messages <= detail::kMostMessages && bytes_each <= layout::kPayloadCeiling;
  return open<Batch>(fits ? std::max<std::size_t>(messages, 1) * span - layout::kUnitBytes : ~std::size_t{0}, 0);
}

[[gnu::always_inline]] inline Status Writer::write(std::span<const std::byte> message, std::uint16_t type) noexcept {
  Reservation reservation = reserve(message.size(), type);
  if (!reservation) return reservation.status();
  if (!message.empty()) std::memcpy(reservation.bytes().data(), message.data(), message.size());
  reservation.commit();
  return Status::ok;
}

[[gnu::always_inline]] inline void Reservation::commit(std::size_t size) noexcept {
  if (payload_ == nullptr) return;
  SAPBUF_CHECK_CALL(writer_->usage);
  SAPBUF_CHECK(ended);
  if (size > size_) size = size_;
  size_ = 0;
  std::byte* const header = std::exchange(payload_, nullptr) - layout::kUnitBytes;
  detail::publish(*writer_, header, layout::FrameHeader::message(size, head_).word, header + layout::frame_span(size),
                  end_, progress_ + layout::Progress::kOneMessage + size);
}

inline Attached Reservation::attach(Buffer&& buffer) noexcept {
  if (payload_ == nullptr) return status_ == Status::ok ? Status::closed : status_;
  SAPBUF_CHECK_CALL(writer_->usage);
  const std::byte* const header = payload_ - layout::kUnitBytes;
  const std::uint32_t first = head_.first_attached();
  const detail::AttachResult result = detail::attach(*writer_->state, buffer, header, {first, first});
  // With an end that leaves no room, the next reservation takes the slow path, which goes on to another slab.
  if (result.leaves_slab && end_ != nullptr) end_ = payload_ - layout::kUnitBytes;
  if (result.status == Status::ok && first == 0) head_.set_first_attached(result.place);
  return result.status;
}

// Where payloads are aligned, makes `limit_` and the next frame's `span` what the frame takes with its filler, which it
// writes. False: there is no room.
[[gnu::always_inline]] inline bool Batch::pad(std::size_t size, std::uint64_t& span) noexcept {
  if (padded_limit_ == nullptr || size > layout::kPayloadCeiling) return false;
  const std::uint64_t padded = layout::padded_span(size, writer_->alignment);
  if (padded > static_cast<std::size_t>(padded_limit_ - next_)) return false;
  if (padded != span)
    layout::word_at(next_ + span).store(layout::FrameHeader::nop(padded - span).word, std::memory_order_relaxed);
  span = padded;
  limit_ = next_ + padded;
  return true;
}

[[gnu::always_inline]] inline std::span<std::byte> Batch::append(std::size_t size, std::uint16_t type) noexcept {
  std::uint64_t span = layout::frame_span(size);
  if (size > layout::kPayloadCeiling || span > static_cast<std::size_t>(limit_ - next_)) [[unlikely]] {
    if (!pad(size, span)) return {};
  }
  const std::uint64_t word = layout::FrameHeader::message(size, type).word;
  if (next_ == first_) {
    word_ = word;
  } else {
    layout::word_at(next_).store(word, std::memory_order_relaxed);
  }
  std::byte* const payload = next_ + layout::kUnitBytes;
  last_ = next_;
  next_ += span;
  progress_ += layout::Progress::kOneMessage + size;
  ++messages_;
  return {payload, size};
}

[[gnu::always_inline]] inline void Batch::commit() noexcept {
  if (messages_ == 0) return abort();
  SAPBUF_CHECK_CALL(writer_->usage);
  SAPBUF_CHECK(ended);
  messages_ = 0;
  std::byte* const first = std::exchange(first_, nullptr);
  detail::publish(*writer_, first, word_, std::exchange(next_, nullptr), end_, progress_);
  limit_ = padded_limit_ = nullptr;
  first_attached_ = 0;
}

inline Attached Batch::attach(Buffer&& buffer) noexcept {
  if (messages_ == 0) return status_ == Status::ok ? Status::closed : status_;
  SAPBUF_CHECK_CALL(writer_->usage);
  // The first header is written at commit.
  const bool is_first = last_ == first_;
  const layout::FrameHeader header{is_first ? word_ : layout::word_at(last_).load(std::memory_order_relaxed)};
  const detail::AttachResult result =
      detail::attach(*writer_->state, buffer, last_, {first_attached_, header.first_attached()});
  if (result.leaves_slab && end_ != nullptr) end_ = first_;
  if (result.status != Status::ok) return result.status;
  if (first_attached_ == 0) first_attached_ = result.place;
  if (header.first_attached() != 0) return Status::ok;
  const std::uint64_t word = header.with_first_attached(result.place).word;
  if (is_first) {
    word_ = word;
  } else {
    layout::word_at(last_).store(word, std::memory_order_relaxed);
  }
  return Status::ok;
}

SAPBUF_END
