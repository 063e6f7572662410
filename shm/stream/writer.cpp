#include <sapbuf/writer.hpp>

#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/fence.hpp"
#include "segment/ledger.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/claim.hpp"
#include "stream/writer_state.hpp"

namespace sapbuf {
namespace detail {
namespace {

using layout::Claim;
using layout::Extent;
using layout::FrameHeader;
using layout::Progress;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

// Before they could run over, the counters of the progress word move into the record.
constexpr std::uint64_t kFoldAtFrames = std::uint64_t{1} << 29;
constexpr std::uint64_t kFoldAtBytes = std::uint64_t{1} << 31;

WriterState& state_of(WriterHot* hot) noexcept { return static_cast<WriterState&>(*hot); }

// For a call in the middle of which a signal handler forked, and which the child comes back to: whatever it got stands
// in memory that is the child's alone.
Reserved end_in_forked_child(WriterState& writer) noexcept {
  writer.drop_extent();
  return {nullptr, Status::forked};
}

// What a closed writer points to: no extent, so that every reserve() takes the slow path and finds out.
WriterHot* closed_writer() noexcept {
  static WriterHot closed;
  return &closed;
}

void set_busy(WriterState& writer) noexcept {
  writer.slot->progress.store(writer.slot->progress.load(relaxed) | Progress::kBusy, relaxed);
}

// Ends an attempt that led to nothing, and counts it.
void end_attempt(WriterState& writer, std::uint64_t LedgerValues::*counter) noexcept {
  LedgerValues ledger = load_ledger(*writer.slot);
  ++(ledger.*counter);
  store_ledger(*writer.slot, ledger, false);
}

// The same for an attempt that found no room. One that was stopped is no attempt: the caller may repeat it.
Reserved end_without_room(WriterState& writer, Status status) noexcept {
  if (status == Status::stopped) {
    store_ledger(*writer.slot, load_ledger(*writer.slot), false);
  } else {
    end_attempt(writer, &LedgerValues::dropped);
  }
  return {nullptr, status};
}

bool is_revoked(const WriterState& writer) noexcept {
  // seal: see Writer::reserve.
  light_fence(writer.full_fences);
  return writer.slot->revoked.load(relaxed) >= writer.generation;
}

// Whether the revocation is one that a sealer can have made: they revoke generations that the cursor has left. A writer
// that took any other for true would claim anew for ever.
//   revoked: acquire, so that a cursor at least as new as the sealer saw is seen here.
bool may_be_revoked(const WriterState& writer) noexcept {
  const std::uint64_t revoked = writer.slot->revoked.load(std::memory_order_acquire);
  const ActiveSlab active = load_active(*writer.core);
  return active.valid() && revoked < active.generation;
}

// Gives up the rest of the writer's extent. The writer is busy, and the extent was not revoked before it was.
void close_own_extent(WriterState& writer) noexcept {
  const std::uint64_t rest = static_cast<std::uint64_t>(writer.extent_end - writer.next);
  if (rest != 0) word_at(writer.next).store(FrameHeader::nop(rest).word, std::memory_order_release);
  SAPBUF_KILL_POINT("writer.filled");
  layout::Word& word = writer.core->extent(writer.extent.slab, writer.extent.index);
  const Extent open{word.load(relaxed)};
  // extent-close: release, as in close_extent.
  word.store(
      Extent::make(layout::ExtentState::closed, writer.index, open.extents(), load_ledger(*writer.slot).in_extent).word,
      std::memory_order_release);
  SAPBUF_KILL_POINT("writer.closed");
  writer.drop_extent();
}

Reserved reserve_in_extent(WriterState& writer, std::size_t size) noexcept {
  const std::uint64_t span = layout::frame_span(size);
  const std::uint64_t deadline = deadline_of(writer);
  set_busy(writer);
  for (;;) {
    if (writer.end != nullptr && is_revoked(writer)) {
      writer.drop_extent();
      if (!may_be_revoked(writer)) return end_without_room(writer, Status::corrupt);
    }
    if (writer.end != nullptr && static_cast<std::ptrdiff_t>(span) <= writer.end - writer.next) {
      return {writer.next + layout::kUnitBytes, Status::ok};
    }
    if (writer.end != nullptr) close_own_extent(writer);
    // From here on a sealer may close whatever extent this writer had: it must not wait for a writer that waits for
    // space.
    writer.slot->claim.store(0, std::memory_order_release);
    LedgerValues ledger = load_ledger(*writer.slot);
    ledger.in_extent = 0;
    store_ledger(*writer.slot, ledger, true);
    const Status status = claim_extent(writer, span, deadline);
    if (writer.forked) return end_in_forked_child(writer);
    if (status != Status::ok) return end_without_room(writer, status);
  }
}

Reserved reserve_in_total_order(WriterState& writer, std::size_t size) noexcept {
  const Progress progress{writer.slot->progress.load(relaxed)};
  if (progress.frames() >= kFoldAtFrames || progress.bytes() + size >= kFoldAtBytes) {
    store_ledger(*writer.slot, load_ledger(*writer.slot), false);
  }
  Status status = Status::ok;
  const std::uint64_t span = layout::frame_span(size);
  const std::uint64_t deadline = writer.timeout == kForever ? ~std::uint64_t{0} : deadline_of(writer);
  std::byte* const header = claim_frame(writer, span, deadline, status);
  if (writer.forked) return end_in_forked_child(writer);
  if (header == nullptr) return end_without_room(writer, status);
  writer.reserved_span = span;
  return {header + layout::kUnitBytes, Status::ok};
}

}  // namespace

Reserved reserve_slow(WriterHot& hot, std::size_t size) noexcept {
  if (&hot == closed_writer()) return {nullptr, Status::closed};
  WriterState& writer = state_of(&hot);
  if (writer.forked) return {nullptr, Status::forked};
  if (size > writer.core->geometry().max_payload_bytes()) return {nullptr, Status::too_large};
  if (Progress{writer.slot->progress.load(relaxed)}.busy()) return {nullptr, Status::reserved};
  return writer.total ? reserve_in_total_order(writer, size) : reserve_in_extent(writer, size);
}

void commit_claimed(WriterHot& hot, std::byte* payload, std::size_t size, std::uint16_t type,
                    std::uint64_t progress) noexcept {
  WriterState& writer = state_of(&hot);
  std::byte* const header = payload - layout::kUnitBytes;
  const std::uint64_t span = layout::frame_span(size);
  // The rest of the claim is filler before the message is released: a reader steps from one to the other.
  if (span < writer.reserved_span) {
    word_at(header + span).store(FrameHeader::nop(writer.reserved_span - span).word, relaxed);
  }
  SAPBUF_KILL_POINT("commit.filled");
  // frame-publish: release, so that who sees the header sees the payload.
  word_at(header).store(FrameHeader::message(size, type).word, std::memory_order_release);
  SAPBUF_KILL_POINT("commit.published");
  writer.slot->progress.store(progress + Progress::kOneFrame + size, std::memory_order_release);
  SAPBUF_KILL_POINT("commit.counted");
  announce_commit(writer);
}

void abort_reserved(WriterHot& hot, std::byte* payload) noexcept {
  WriterState& writer = state_of(&hot);
  if (writer.forked) return;
  if (writer.total) {
    word_at(payload - layout::kUnitBytes).store(FrameHeader::nop(writer.reserved_span).word, std::memory_order_release);
  }
  SAPBUF_KILL_POINT("abort.filled");
  end_attempt(writer, &LedgerValues::aborted);
  if (writer.total) announce_commit(writer);
}

WriterState::WriterState(std::shared_ptr<SegmentCore> segment, const WriterOptions& options)
    : core(std::move(segment)), timeout(options.timeout), stop(options.stop) {
  core->check_not_forked();
  full_fences = core->full_fences();
  total = core->geometry().order == Order::total;
  data = &core->control().data;
  if (!full_fences && !platform::register_for_heavy_fences()) {
    throw Error(
        Errc::unsupported,
        "membarrier(2) is not available here (old kernel, or a seccomp filter): make the segment with full fences "
        "(SegmentOptions{.fences = Fences::full})");
  }
  core->slab_for_writing(0);
  recover_core(*core);
  index = attach(*core, layout::SlotRole::writer, options.name);
  slot = &core->slot(index);
  core->add(*this);
}

WriterState::~WriterState() {
  core->remove(*this);
  if (!forked) detach(*core, index);
}

void WriterState::after_fork_in_child() noexcept {
  forked = true;
  drop_extent();
}

}  // namespace detail

Writer::Writer(const Segment& segment, const WriterOptions& options)
    : hot_(new detail::WriterState{segment.core(), options}) {}

Writer::Writer(Writer&& other) noexcept : hot_(std::exchange(other.hot_, detail::closed_writer())) {}

Writer& Writer::operator=(Writer&& other) noexcept {
  if (this != &other) {
    close();
    hot_ = std::exchange(other.hot_, detail::closed_writer());
  }
  return *this;
}

Writer::~Writer() { close(); }

void Writer::close() noexcept {
  if (hot_ != detail::closed_writer()) delete &detail::state_of(std::exchange(hot_, detail::closed_writer()));
}

std::uint32_t Writer::slot() const noexcept {
  return hot_ == detail::closed_writer() ? ~std::uint32_t{0} : detail::state_of(hot_).index;
}

Status Writer::write(std::span<const std::byte> message, std::uint16_t type) noexcept {
  Reservation reservation = reserve(message.size(), type);
  if (!reservation) return reservation.status();
  if (!message.empty()) std::memcpy(reservation.bytes().data(), message.data(), message.size());
  reservation.commit();
  return Status::ok;
}

}  // namespace sapbuf
