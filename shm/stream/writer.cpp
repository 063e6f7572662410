#include <sapbuf/writer.hpp>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "platform/zero.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/claim.hpp"
#include "stream/extent_size.hpp"
#include "stream/ledger.hpp"
#include "stream/space_wait.hpp"
#include "stream/writer_state.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::Extent;
using layout::FrameHeader;
using layout::Progress;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

// Before they could run over, the counters of the progress word move into the record.
constexpr std::uint64_t kFoldAtMessages = std::uint64_t{1} << 29;
constexpr std::uint64_t kFoldAtBytes = std::uint64_t{1} << 31;

// For a call in the middle of which a signal handler forked, and which the child comes back to: whatever it got stands
// in memory that is the child's alone.
Status end_in_forked_child(WriterState& writer) noexcept {
  writer.drop_extent();
  return Status::forked;
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

// The same for an attempt that found no room. One that was stopped, or that would have waited for the caller itself, is
// no attempt: the caller may repeat it.
[[gnu::cold]] Status end_without_room(WriterState& writer, Status status) noexcept {
  if (status == Status::stopped || status == Status::would_deadlock) {
    store_ledger(*writer.slot, load_ledger(*writer.slot), false);
  } else {
    end_attempt(writer, &LedgerValues::dropped);
  }
  return status;
}

// Orders the stores before it against the loads behind it, together with a heavy fence on the other side.
void light_fence(const WriterState& writer) noexcept {
  if (writer.full_fences) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

bool is_revoked(const WriterState& writer) noexcept {
  // close: see Writer::reserve.
  light_fence(writer);
  return writer.slot->revoked.load(relaxed) >= writer.generation;
}

// Whether the revocation is one that a closer can have made: they revoke generations that the cursor has left. A writer
// that took any other for true would claim anew for ever.
//   revoked: acquire, so that a cursor at least as new as the closer saw is seen here.
bool may_be_revoked(const WriterState& writer) noexcept {
  const std::uint64_t revoked = writer.slot->revoked.load(std::memory_order_acquire);
  const ActiveSlab active = load_active(*writer.core);
  return active.valid() && revoked < active.generation;
}

// Gives up the rest of the writer's extent. The writer is busy, and the extent was not revoked before it was.
void close_own_extent(WriterState& writer) noexcept {
  const auto rest = static_cast<std::uint64_t>(writer.extent_end - writer.next);
  if (rest != 0) word_at(writer.next).store(FrameHeader::nop(rest).word, std::memory_order_release);
  SAPBUF_KILL_POINT(writer_filled);
  layout::Word& word = writer.core->extent(writer.extent.slab, writer.extent.index);
  const Extent open{word.load(relaxed)};
  // extent-close: release, as in close_extent.
  word.store(
      Extent::make(layout::ExtentState::closed, writer.index, open.granules(), load_ledger(*writer.slot).in_extent)
          .word,
      std::memory_order_release);
  SAPBUF_KILL_POINT(writer_closed);
  const std::uint64_t bytes = open.granules() * writer.core->geometry().granule_bytes;
  writer.clearing.end(bytes, platform::ticks());
  aim_higher_after_waste(writer, bytes, rest);
  writer.drop_extent();
}

// For an extent that was just claimed, and behind the look that found it not revoked: one that is revoked before it is
// located may be closed at once, and its slab be another generation's by now.
void clear_extent(WriterState& writer) noexcept {
  const std::uint64_t in_front = writer.core->geometry().first_header_at();
  const auto bytes = in_front + static_cast<std::uint64_t>(writer.extent_end - writer.next);
  if (!writer.clearing.begin(bytes, platform::ticks())) return;
  // The word at `next` is zero by now, and a reader may be looking at it.
  platform::zero(writer.next + layout::kUnitBytes, static_cast<std::size_t>(writer.end - writer.next));
}

[[gnu::noinline]] Status reserve_in_extent(WriterState& writer, std::size_t size) noexcept {
  const std::uint64_t span = layout::padded_span(size, writer.alignment);
  set_busy(writer);
  bool fresh = false;
  for (;;) {
    if (writer.has_extent() && is_revoked(writer)) {
      writer.drop_extent();
      if (writer.forked) return end_in_forked_child(writer);
      if (!may_be_revoked(writer)) return end_without_room(writer, Status::corrupt);
    }
    if (writer.has_extent() && static_cast<std::ptrdiff_t>(span) <= writer.end - writer.next && !writer.leaves_slab) {
      if (fresh) clear_extent(writer);
      return Status::ok;
    }
    if (writer.has_extent()) close_own_extent(writer);
    // From here on a closer may close whatever extent this writer had: it must not wait for a writer that waits for
    // space.
    writer.slot->claim.store(0, std::memory_order_release);
    LedgerValues ledger = load_ledger(*writer.slot);
    ledger.in_extent = 0;
    store_ledger(*writer.slot, ledger, true);
    const Status status = claim_extent(writer, span);
    if (writer.forked) return end_in_forked_child(writer);
    if (status != Status::ok) return end_without_room(writer, status);
    fresh = true;
  }
}

Status reserve_in_total_order(WriterState& writer, std::size_t size) noexcept {
  const Progress progress{writer.slot->progress.load(relaxed)};
  if (progress.messages() >= kFoldAtMessages || progress.bytes() + size >= kFoldAtBytes) [[unlikely]] {
    store_ledger(*writer.slot, load_ledger(*writer.slot), false);
  }
  Status status = Status::ok;
  const std::uint64_t span = layout::padded_span(size, writer.alignment);
  std::byte* const header = claim_frame(writer, span, status);
  if (writer.forked) return end_in_forked_child(writer);
  if (header == nullptr) return end_without_room(writer, status);
  writer.next = header;
  writer.reserved_span = span;
  return Status::ok;
}

// On success the message's header goes to `writer.next`.
Status reserve(WriterState& writer, std::size_t size) noexcept {
  if (writer.forked) return Status::forked;
  if (!writer.attachment.is_current()) return Status::declared_dead;
  if (size > writer.max_payload_bytes) return Status::too_large;
  if (Progress{writer.slot->progress.load(relaxed)}.busy()) return Status::already_reserved;
  writer.deadline_ns = 0;
  const Status status = writer.total ? reserve_in_total_order(writer, size) : reserve_in_extent(writer, size);
  if (writer.event_fd != nullptr && (status == Status::timeout || status == Status::full)) [[unlikely]]
    arm_event_fd(writer, layout::padded_span(size, writer.alignment));
  return status;
}

// Total order: the rest of the claim is filler before the messages are released: a reader steps from one to the other.
void fill_rest_of_claim(const WriterState& writer, std::byte* header, std::byte* next) noexcept {
  std::byte* const end = header + writer.reserved_span;
  if (next < end) word_at(next).store(FrameHeader::nop(static_cast<std::uint64_t>(end - next)).word, relaxed);
}

// Per-writer order: the header behind the frames from `header` to `next` is zero before they are released, and where the
// next payload is aligned. Returns its place.
std::byte* end_frames(const WriterState& writer, std::byte* header, std::byte* next) noexcept {
  const auto written = static_cast<std::uint64_t>(next - header);
  const std::uint64_t filler = layout::round_up(written, writer.alignment) - written;
  // frame-publish: see publish().
  word_at(next + filler).store(0, relaxed);
  if (filler != 0) word_at(next).store(FrameHeader::nop(filler).word, relaxed);
  return next + filler;
}

// sleep: see publish().
void announce_commit(WriterState& writer) noexcept {
  light_fence(writer);
  if (writer.data->is_awaited()) wake_sleepers(*writer.data);
}

}  // namespace

ReserveResult reserve_slow(WriterState* state, std::byte* next, std::size_t size) noexcept {
  if (state == nullptr) return {nullptr, Status::closed, nullptr, nullptr, 0, 0};
  WriterState& writer = *state;
  if (writer.closed) return {nullptr, Status::closed, next, nullptr, 0, writer.progress_without_busy()};
  const bool inlined = writer.is_inlined();
  if (inlined && writer.has_extent()) writer.next = next;
  const Status status = reserve(writer, size);
  return {.payload = status == Status::ok ? writer.next + layout::kUnitBytes : nullptr,
          .status = status,
          .next = writer.next,
          .end = inlined && status != Status::already_reserved ? writer.end : nullptr,
          .generation = writer.generation,
          .progress = writer.progress_without_busy()};
}

void publish_slow(WriterState& writer, std::byte* header, std::uint64_t word, std::byte* next,
                  std::uint64_t progress) noexcept {
  if (writer.total) {
    fill_rest_of_claim(writer, header, next);
  } else {
    writer.next = end_frames(writer, header, next);
  }
  SAPBUF_KILL_POINT(commit_filled);
  // frame-publish: release, so that who sees the header sees the payload, and all frames of a batch.
  word_at(header).store(word, std::memory_order_release);
  SAPBUF_KILL_POINT(commit_published);
  // close: release, as in publish().
  writer.slot->progress.store(progress, std::memory_order_release);
  SAPBUF_KILL_POINT(commit_counted);
  announce_commit(writer);
}

int event_fd_of(WriterState* writer) {
  if (writer == nullptr || writer->closed) throw Error(Errc::invalid_argument, "this writer was closed or moved from");
  writer->core->check_not_forked();
  return event_fd(*writer);
}

Status finish_writer(WriterState& writer) noexcept {
  if (writer.forked) return Status::forked;
  if (writer.closed) return Status::closed;
  if (!writer.attachment.is_current()) return Status::declared_dead;
  if (Progress{writer.slot->progress.load(relaxed)}.busy()) return Status::already_reserved;
  // finish: release, behind all that this writer committed; it detaches behind it.
  writer.core->control().finished_writers.fetch_add(1, std::memory_order_release);
  return Status::ok;
}

std::uint64_t abort_reserved(WriterState& writer, std::byte* payload, std::uint32_t first_attached) noexcept {
  if (writer.forked) return 0;
  // Recovery has closed the frame; its slab, and the slot, may be others' by now.
  if (!writer.attachment.is_current()) return writer.progress_without_busy();
  let_go_of_attached(*writer.core, writer.slab_of(payload - layout::kUnitBytes), first_attached);
  if (writer.total) {
    word_at(payload - layout::kUnitBytes).store(FrameHeader::nop(writer.reserved_span).word, std::memory_order_release);
  }
  SAPBUF_KILL_POINT(abort_filled);
  end_attempt(writer, &LedgerValues::aborted);
  if (writer.total) announce_commit(writer);
  return writer.progress_without_busy();
}

}  // namespace SAPBUF_DETAIL
