// Writing: reserve -> fill in place -> commit | abort.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/control.hpp>
#include <sapbuf/layout/frame.hpp>
#include <sapbuf/layout/participant.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>

namespace sapbuf {

namespace detail {

// The part of a writer that the inlined path touches. Private to this process, but for what the pointers lead to.
struct WriterHot {
  std::byte* next = nullptr;  // per-writer order: where the next frame's header goes, in the writer's own extent
  std::byte* end = nullptr;   // behind the last byte that a frame may take; `next == end == nullptr` without an extent
  layout::ParticipantSlot* slot = nullptr;
  layout::Event* data = nullptr;
  std::uint64_t generation = 0;  // of the extent
  bool full_fences = false;
  bool total = false;
};

// Orders the stores before it against the loads behind it, together with a heavy fence on the other side.
inline void light_fence(bool full) noexcept {
  if (full) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

void wake_sleepers(layout::Event& event) noexcept;

// The parts that are not inlined take and return values only: a Reservation whose address never escapes stays in
// registers, and that is most of the speed of the inlined path.
struct Reserved {
  std::byte* payload;  // null: see status
  Status status;
};
Reserved reserve_slow(WriterHot& writer, std::size_t size) noexcept;
void commit_claimed(WriterHot& writer, std::byte* payload, std::size_t size, std::uint16_t type,
                    std::uint64_t progress) noexcept;
void abort_reserved(WriterHot& writer, std::byte* payload) noexcept;

// sleep: the fence keeps the look at `sleepers` behind the commit's store; the sleeper's heavy fence stands between its
// announcement and its last look at the stream. One of the two sees the other.
inline void announce_commit(const WriterHot& writer) noexcept {
  light_fence(writer.full_fences);
  if (writer.data->sleepers.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    wake_sleepers(*writer.data);
  }
}

}  // namespace detail

// A reserved frame: room for one message, or the reason why there is none. Move-only; its destructor aborts what was
// not committed. Must not outlive its Writer, and belongs to the same thread.
class [[nodiscard]] Reservation {
 public:
  explicit Reservation(Status status) noexcept : status_(status) {}
  // `progress` is the writer's progress word without the busy flag: carried along, so that commit need not load it
  // again.
  Reservation(detail::WriterHot* writer, std::byte* payload, std::size_t size, std::uint16_t type,
              std::uint64_t progress) noexcept
      : writer_(writer), payload_(payload), size_(size), progress_(progress), type_(type), status_(Status::ok) {}
  Reservation(Reservation&& other) noexcept
      : writer_(std::exchange(other.writer_, nullptr)),
        payload_(other.payload_),
        size_(other.size_),
        progress_(other.progress_),
        type_(other.type_),
        status_(other.status_) {}
  Reservation& operator=(Reservation&& other) noexcept {
    if (this != &other) {
      abort();
      writer_ = std::exchange(other.writer_, nullptr);
      payload_ = other.payload_;
      size_ = other.size_;
      progress_ = other.progress_;
      type_ = other.type_;
      status_ = other.status_;
    }
    return *this;
  }
  ~Reservation() { abort(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }

  // The payload, in place, aligned to 8 bytes; its content is undefined until it is written. Valid until commit or
  // abort.
  std::span<std::byte> bytes() const noexcept { return {payload_, size_}; }

  // Publishes the message. Nothing happens if it was committed or aborted before, or if there is no reservation.
  void commit() noexcept { commit(size_); }
  // Publishes the first `size` bytes only (no more than were reserved).
  void commit(std::size_t size) noexcept;
  // Gives the space back. Counted in the ledger as aborted.
  void abort() noexcept {
    if (writer_ != nullptr) detail::abort_reserved(*std::exchange(writer_, nullptr), payload_);
  }

 private:
  detail::WriterHot* writer_ = nullptr;
  std::byte* payload_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t progress_ = 0;
  std::uint16_t type_ = 0;
  Status status_;
};

// A writer handle: one participant of the stream. One thread at a time may use it; several threads of a process use a
// handle each. Move-only. Destroying it detaches: what was committed stays.
class Writer {
 public:
  // Throws Errc::registry_full, Errc::unsupported (no membarrier), Errc::forked, Errc::corrupt.
  explicit Writer(const Segment& segment, const WriterOptions& options = {});
  Writer(Writer&& other) noexcept;
  Writer& operator=(Writer&& other) noexcept;
  ~Writer();

  // Room for a message of `size` bytes. `type` is the user's own. One reservation at a time. Usually a local bump
  // without a system call; at a full slab it flips, and where no slab is free it does what the stream's OnFull policy
  // says.
  Reservation reserve(std::size_t size, std::uint16_t type = 0) noexcept;

  // reserve, copy and commit in one.
  Status write(std::span<const std::byte> message, std::uint16_t type = 0) noexcept;
  Status write(std::string_view message, std::uint16_t type = 0) noexcept {
    return write(std::as_bytes(std::span{message.data(), message.size()}), type);
  }

  std::uint32_t slot() const noexcept;  // index in the registry; all ones once closed
  // Detaches now; every later reserve() returns Status::closed.
  void close() noexcept;

 private:
  detail::WriterHot* hot_;
};

inline Reservation Writer::reserve(std::size_t size, std::uint16_t type) noexcept {
  detail::WriterHot& w = *hot_;
  const auto room = w.end - w.next;  // 0 without an extent, and always in total order
  if (size <= layout::kPayloadCeiling && static_cast<std::ptrdiff_t>(layout::frame_span(size)) <= room) [[likely]] {
    const std::uint64_t progress = w.slot->progress.load(std::memory_order_relaxed);
    // seal: the store below, the light fence, then the look at `revoked`; a sealer stores `revoked`, makes a heavy
    // fence, and then looks at `progress`. Relaxed is enough for both: the fences order them.
    w.slot->progress.store(progress | layout::Progress::kBusy, std::memory_order_relaxed);
    detail::light_fence(w.full_fences);
    if ((progress & layout::Progress::kBusy) == 0 && w.slot->revoked.load(std::memory_order_relaxed) < w.generation)
        [[likely]] {
      return {&w, w.next + layout::kUnitBytes, size, type, progress};
    }
    w.slot->progress.store(progress, std::memory_order_relaxed);
  }
  const detail::Reserved reserved = detail::reserve_slow(w, size);
  if (reserved.payload == nullptr) return Reservation{reserved.status};
  const std::uint64_t progress = w.slot->progress.load(std::memory_order_relaxed);
  return {&w, reserved.payload, size, type, progress & ~layout::Progress::kBusy};
}

inline void Reservation::commit(std::size_t size) noexcept {
  if (writer_ == nullptr) return;
  if (size > size_) size = size_;
  detail::WriterHot& w = *std::exchange(writer_, nullptr);
  if (w.total) return detail::commit_claimed(w, payload_, size, type_, progress_);
  std::byte* const header = payload_ - layout::kUnitBytes;
  const std::uint64_t span = layout::frame_span(size);
  // frame-publish: the next header is zero before this one is released, and release puts the payload before the header;
  // a reader that acquires the header sees both.
  layout::word_at(header + span).store(0, std::memory_order_relaxed);
  layout::word_at(header).store(layout::FrameHeader::message(size, type_).word, std::memory_order_release);
  SAPBUF_KILL_POINT("commit.published");
  w.next += span;
  // seal: release, so that a sealer that finds the writer idle also sees its frame. The same store counts the frame.
  w.slot->progress.store(progress_ + layout::Progress::kOneFrame + size, std::memory_order_release);
  detail::announce_commit(w);
}

}  // namespace sapbuf
