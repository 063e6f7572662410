#include "stream/claim.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "platform/spin.hpp"
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/flip.hpp"
#include "stream/reclaim.hpp"
#include "stream/seal.hpp"

namespace sapbuf::detail {
namespace {

using layout::Claim;
using layout::Cursor;
using layout::FrameHeader;
using layout::FrameKind;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

constexpr int kTries = 8;                                 // before a blocked writer sleeps
constexpr int kSpins = 200;                               // looks between two tries
constexpr std::uint64_t kShortestNapNs = 1'000'000;       // a sleep, until it looks again by itself; each is twice as
constexpr std::uint64_t kLongestNapNs = 16'000'000;       // long as the one before
constexpr std::uint64_t kPatienceNs = 2'000'000;          // then it looks for the dead
constexpr std::uint64_t kFlipperPatienceNs = 10'000'000;  // drop, overwrite: for a live holder of the maintenance lock

constexpr std::size_t kPrefetchBytes = 640;

// A wait for space: how long it has lasted, and what comes next.
class SpaceWait {
 public:
  SpaceWait(WriterState& writer, std::uint64_t generation, std::uint64_t deadline_ns) noexcept
      : writer_(writer), core_(*writer.core), generation_(generation), deadline_ns_(deadline_ns) {}

  // Until the stream has moved on from the generation: by our own flip or somebody else's.
  Status run() noexcept {
    for (int tries = 0;; ++tries) {
      const FlipResult result = flip(core_, generation_);
      if (result == FlipResult::done) return Status::ok;
      if (result == FlipResult::corrupt) return Status::corrupt;
      const std::uint64_t now = platform::monotonic_ns();
      if (started_ns_ == 0) started_ns_ = now;
      const bool blocks = core_.geometry().on_full == OnFull::block;
      if (!blocks && (result == FlipResult::full || now - started_ns_ > kFlipperPatienceNs)) {
        if (gave_the_dead_a_chance_) return Status::full;
        // Nobody else may ever come to take back what the dead hold.
        gave_the_dead_a_chance_ = true;
        recover_while_waiting(core_, writer_.recovery_tried_ns);
        continue;
      }
      if (blocks && now >= deadline_ns_) return Status::timeout;
      if (writer_.stop != nullptr && writer_.stop->load(relaxed)) return Status::stopped;
      if (tries < kTries) {
        spin_briefly();
      } else if (sleep(now)) {
        return Status::ok;
      }
    }
  }

 private:
  // Some microseconds; less if somebody else flips, or a slab comes free.
  void spin_briefly() const noexcept {
    for (int i = 0; i < kSpins; ++i) {
      platform::spin_pause();
      if (!Cursor{core_.control().cursor.load(relaxed)}.is_in(generation_) || may_have_free_slab(core_)) return;
    }
  }

  // Whether the look after the announcement found the way free.
  bool sleep(std::uint64_t now) noexcept {
    const SleepTicket ticket{core_.control().space, false, core_.full_fences()};
    if (flip(core_, generation_) == FlipResult::done) return true;
    beat(*writer_.slot);
    ticket.sleep_until(std::min(deadline_ns_, now + nap_ns_));
    nap_ns_ = std::min(2 * nap_ns_, kLongestNapNs);
    if (platform::monotonic_ns() - started_ns_ > kPatienceNs) {
      recover_while_waiting(core_, writer_.recovery_tried_ns);
    }
    return false;
  }

  WriterState& writer_;
  SegmentCore& core_;
  const std::uint64_t generation_;
  const std::uint64_t deadline_ns_;
  std::uint64_t started_ns_ = 0;
  std::uint64_t nap_ns_ = kShortestNapNs;
  bool gave_the_dead_a_chance_ = false;
};

// What a claim got: room for all of it, part of it at the slab's end, or nothing.
struct Taken {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // up to the slab's end; 0: the slab was full
};

void announce(WriterState& writer) noexcept {
  // announce: relaxed, because the fetch_add that follows releases it.
  writer.slot->claim.store(Claim::claiming(++writer.claim_sequence).word, relaxed);
}

void withdraw(WriterState& writer) noexcept { writer.slot->claim.store(0, std::memory_order_release); }

// False: the cursor points nowhere.
[[gnu::always_inline]] inline bool take(WriterState& writer, std::uint64_t bytes, Taken& taken) noexcept {
  SegmentCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  // claim: acquire, so that the new generation's descriptor is seen; release, so that the announcement is seen before
  // it.
  const Cursor cursor{writer.cursor.fetch_add(bytes / layout::kUnitBytes, std::memory_order_acq_rel)};
  SAPBUF_KILL_POINT("claim.taken");
  taken = {.slab = cursor.slab(), .offset = cursor.offset_bytes()};
  if (taken.offset >= slab_bytes) return true;
  if (taken.slab >= core.geometry().slabs) return false;
  taken.bytes = std::min(bytes, slab_bytes - taken.offset);
  // The slab cannot be given another generation while this claim has left no trace.
  taken.generation = layout::SlabLife{core.descriptor(taken.slab).life.load(std::memory_order_acquire)}.generation();
  return cursor.is_in(taken.generation);
}

// Makes sure that the cursor shows room for `bytes`: looks before it adds, and flips where there is none.
Status look_for_room(WriterState& writer, std::uint64_t bytes, std::uint64_t deadline_ns) noexcept {
  SegmentCore& core = *writer.core;
  for (;;) {
    const ActiveSlab active = load_active(core);
    if (!active.valid()) return Status::corrupt;
    if (active.offset_bytes + bytes <= core.geometry().slab_bytes) return Status::ok;
    const Status status = SpaceWait{writer, active.generation, deadline_ns}.run();
    if (status != Status::ok) return status;
  }
}

// Half-way through a slab, those who write have left the one before; the extents that idle writers still have open
// there are closed, so that readers can finish it before it is needed.
void seal_at_half(SegmentCore& core, const Taken& taken) noexcept {
  const std::uint64_t half = core.geometry().slab_bytes / 2;
  if (taken.offset >= half || taken.offset + taken.bytes < half) return;
  if (core.control().closed_through.load(relaxed) + 1 >= taken.generation) return;
  try {
    const MaintenanceLock lock{core};
    if (!lock) return;
    const ActiveSlab active = load_active(core);
    if (active.valid()) close_ended(core, active);
  } catch (const std::exception&) {
    return;  // the flip will do it
  }
  notify(core.control().data);
  notify(core.control().space);
}

}  // namespace

std::uint64_t deadline_of(const WriterState& writer) noexcept {
  if (writer.timeout == kForever) return ~std::uint64_t{0};
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, writer.timeout.count()));
  const std::uint64_t now = platform::monotonic_ns();
  return milliseconds > (~now) / 1'000'000u ? ~std::uint64_t{0} : now + milliseconds * 1'000'000u;
}

Status claim_extent(WriterState& writer, std::uint64_t span, std::uint64_t deadline_ns) noexcept {
  SegmentCore& core = *writer.core;
  const std::uint64_t extent_bytes = core.geometry().extent_bytes;
  const std::uint64_t bytes =
      layout::round_up(layout::kExtentFrameBytes + span + layout::kExtentTailBytes, extent_bytes);
  Taken taken;
  for (;;) {
    const Status status = look_for_room(writer, bytes, deadline_ns);
    if (status != Status::ok) return status;
    announce(writer);
    SAPBUF_KILL_POINT("claim.announced");
    if (!take(writer, bytes, taken)) {
      withdraw(writer);
      return Status::corrupt;
    }
    if (taken.bytes == bytes) break;
    // Others were faster: what little there was at the slab's end is of no use.
    if (taken.bytes != 0) close_hole(core, {taken.slab, taken.offset / extent_bytes}, taken.bytes / extent_bytes);
    withdraw(writer);
  }
  writer.extent = {taken.slab, taken.offset / extent_bytes};
  std::byte* const first = open_extent(core, writer.extent, bytes / extent_bytes, writer.index);
  SAPBUF_KILL_POINT("claim.opened");
  writer.next = first;
  writer.extent_end = first - layout::kExtentFrameBytes + bytes;
  writer.end = writer.extent_end - layout::kExtentTailBytes;
  writer.generation = taken.generation;
  writer.slot->claim.store(Claim::located(taken.generation, taken.slab, taken.offset).word, std::memory_order_release);
  beat(*writer.slot);
  seal_at_half(core, taken);
  return Status::ok;
}

std::byte* claim_frame(WriterState& writer, std::uint64_t span, Status& status) noexcept {
  SegmentCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  std::uint64_t deadline_ns = 0;  // known when it is needed: it takes a look at the clock
  // The announcement replaces the place of the last message before the writer is busy, so that repair cannot take that
  // message for this one. Release keeps the two stores in this order.
  announce(writer);
  SAPBUF_KILL_POINT("claim.announced");
  writer.slot->progress.store(writer.slot->progress.load(relaxed) | layout::Progress::kBusy, std::memory_order_release);
  Taken taken;
  for (;;) {
    // The last claim was a look, too: a writer alone need not read the line that the next one is going to write. Who
    // went past the slab's end looks anew, so each participant does so once at the most.
    if (writer.seen_offset + span > slab_bytes) writer.seen_offset = Cursor{writer.cursor.load(relaxed)}.offset_bytes();
    if (writer.seen_offset + span > slab_bytes) [[unlikely]] {
      withdraw(writer);
      if (deadline_ns == 0) deadline_ns = deadline_of(writer);
      status = look_for_room(writer, span, deadline_ns);
      if (status != Status::ok) return nullptr;
      announce(writer);
    }
    if (!take(writer, span, taken)) {
      withdraw(writer);
      status = Status::corrupt;
      return nullptr;
    }
    writer.seen_offset = taken.offset + span;
    if (taken.bytes == span) [[likely]]
      break;
    if (taken.bytes != 0) {
      word_at(writer.slabs + taken.slab * slab_bytes + taken.offset)
          .store(FrameHeader::nop(taken.bytes).word, std::memory_order_release);
    }
    announce(writer);
  }
  std::byte* const header = writer.slabs + taken.slab * slab_bytes + taken.offset;
  // The lines ahead were last written by whoever cleaned the slab, and the next fetch_add waits for every store before
  // it: ask for them now.
  __builtin_prefetch(header + kPrefetchBytes, 1);
  word_at(header).store(FrameHeader::make(FrameKind::busy, span - layout::kUnitBytes, 0, writer.index).word, relaxed);
  writer.slot->claimed_bytes.store(span, relaxed);
  SAPBUF_KILL_POINT("claim.busy");
  // announce: release, so that who sees the place sees the busy header, and how far it goes.
  writer.slot->claim.store(Claim::located(taken.generation, taken.slab, taken.offset).word, std::memory_order_release);
  if ((writer.claim_sequence & 0xff) == 0) beat(*writer.slot);
  return header;
}

}  // namespace sapbuf::detail
