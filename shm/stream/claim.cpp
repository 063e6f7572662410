#include "stream/claim.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/registry.hpp"
#include "stream/close.hpp"
#include "stream/extent_size.hpp"
#include "stream/reclaim.hpp"
#include "stream/space_wait.hpp"

namespace sapbuf::detail {
namespace {

using layout::Claim;
using layout::Cursor;
using layout::FrameHeader;
using layout::FrameKind;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::size_t kPrefetchBytes = 640;

// What a claim got: room for all of it, part of it at the slab's end, or nothing.
struct Taken {
  std::uint64_t generation = 0;
  std::uint32_t slab = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // up to the slab's end; 0: the slab was full
};

void announce(WriterState& writer) noexcept {
  // announce: release. The fetch_add that follows would release it for those who come by the cursor; repair and closers
  // look at this word alone, and take its change for a sign that the claim before has left its trace.
  writer.slot->claim.store(Claim::claiming(++writer.claim_sequence).word, std::memory_order_release);
}

void withdraw(WriterState& writer) noexcept { writer.slot->claim.store(0, std::memory_order_release); }

// False: the cursor points nowhere.
[[gnu::always_inline]] inline bool take(WriterState& writer, std::uint64_t bytes, Taken& taken) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  // claim: acquire, so that the new generation's descriptor is seen; release, so that the announcement is seen before
  // it.
  const Cursor cursor{writer.cursor.fetch_add(bytes / layout::kUnitBytes, std::memory_order_acq_rel)};
  SAPBUF_KILL_POINT(claim_taken);
  taken = {.slab = cursor.slab(), .offset = cursor.offset_bytes()};
  if (taken.offset >= slab_bytes) return true;
  if (taken.slab >= core.geometry().slabs) return false;
  taken.bytes = std::min(bytes, slab_bytes - taken.offset);
  // The slab cannot be given another generation while this claim has left no trace.
  taken.generation = layout::SlabLife{core.descriptor(taken.slab).life.load(std::memory_order_acquire)}.generation();
  return cursor.is_in(taken.generation);
}

// Half-way through a slab, those who write have left the one before; the extents that idle writers still have open
// there are closed, so that readers can finish it before it is needed.
void close_at_half(StreamCore& core, const Taken& taken) noexcept {
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
  core.wake_all();
}

// Total order: whether this claim came past one of the places, in the last quarter of a large slab, where the next one
// is cleaned a little further: so that a flip finds it clean, and nobody cleans much at once.
bool is_time_to_clean(StreamCore& core, const Taken& taken) noexcept {
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  if (slab_bytes <= 2 * kCleanAtOnce || taken.offset < slab_bytes / 4 * 3) return false;
  constexpr std::uint64_t kStep = kCleanAtOnce / 4;
  return taken.offset / kStep != (taken.offset + taken.bytes) / kStep;
}

void clean_ahead(StreamCore& core) noexcept {
  try {
    const MaintenanceLock lock{core};
    if (!lock) return;
    const ActiveSlab active = load_active(core);
    if (!active.valid()) return;
    mend_states(core, active);  // a slab that a dead cleaner had chosen is still the oldest
    bool cleaning = false;
    take_free_slab(core, active, cleaning);
  } catch (const std::exception&) {
    return;  // the flip will do it
  }
}

}  // namespace

Status claim_extent(WriterState& writer, std::uint64_t span) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t granule_bytes = core.geometry().granule_bytes;
  const std::uint64_t least = layout::round_up(kExtentOverhead + span, granule_bytes);
  Taken taken;
  for (;;) {
    std::uint64_t bytes = wanted_bytes(writer, span);
    const Status status = look_for_room(writer, least, bytes);
    if (status != Status::ok) return status;
    announce(writer);
    SAPBUF_KILL_POINT(claim_announced);
    if (!take(writer, bytes, taken)) {
      withdraw(writer);
      return Status::corrupt;
    }
    if (taken.bytes >= least) break;
    // Others were faster: what little there was at the slab's end is of no use.
    if (taken.bytes != 0) close_hole(core, {taken.slab, taken.offset / granule_bytes}, taken.bytes / granule_bytes);
    withdraw(writer);
  }
  writer.extent = {taken.slab, taken.offset / granule_bytes};
  std::byte* const first = open_extent(core, writer.extent, taken.bytes / granule_bytes, writer.index);
  SAPBUF_KILL_POINT(claim_opened);
  writer.next = first;
  writer.extent_end = first - layout::kExtentFrameBytes + taken.bytes;
  writer.end = writer.extent_end - layout::kExtentTailBytes;
  writer.generation = taken.generation;
  writer.slot->claim.store(Claim::located(taken.generation, taken.slab, taken.offset).word, std::memory_order_release);
  aim_higher_after_claim(writer);
  writer.core->beat(writer.index);
  close_at_half(core, taken);
  return Status::ok;
}

std::byte* claim_frame(WriterState& writer, std::uint64_t span, Status& status) noexcept {
  StreamCore& core = *writer.core;
  const std::uint64_t slab_bytes = core.geometry().slab_bytes;
  // The announcement replaces the place of the last message before the writer is busy, so that repair cannot take that
  // message for this one. Release keeps the two stores in this order.
  announce(writer);
  SAPBUF_KILL_POINT(claim_announced);
  writer.slot->progress.store(writer.slot->progress.load(relaxed) | layout::Progress::kBusy, std::memory_order_release);
  Taken taken;
  for (;;) {
    // The last claim was a look, too: a writer alone need not read the line that the next one is going to write. Who
    // went past the slab's end looks anew, so each participant does so once at the most.
    if (writer.seen_offset + span > slab_bytes) writer.seen_offset = Cursor{writer.cursor.load(relaxed)}.offset_bytes();
    if (writer.seen_offset + span > slab_bytes) [[unlikely]] {
      withdraw(writer);
      std::uint64_t bytes = span;
      status = look_for_room(writer, span, bytes);
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
  // gap: release, so that who takes it for the length of the claim before sees how that one ended.
  writer.slot->claimed_bytes.store(span, std::memory_order_release);
  SAPBUF_KILL_POINT(claim_busy);
  // announce: release, so that who sees the place sees the busy header, and how far it goes.
  writer.slot->claim.store(Claim::located(taken.generation, taken.slab, taken.offset).word, std::memory_order_release);
  if ((writer.claim_sequence & 0xff) == 0) core.beat(writer.index);
  if (is_time_to_clean(core, taken)) [[unlikely]]
    clean_ahead(core);
  return header;
}

}  // namespace sapbuf::detail
