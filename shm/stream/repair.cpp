// Repair: ending what dead participants had begun in the stream. Under its lock; every step repeatable.
//
// What a dead writer can leave, and what is done about it:
//
//   it says           per-writer order                              total order
//   claim = claiming  space may be claimed without a trace, a hole: after the grace period, whatever is still zero below
//                     the cursor belongs to the dead                                                      -> NOP
//   claim = located   an open extent with committed frames,         a busy frame                          -> NOP
//                     and perhaps one that is not
//                     -> ledger, rest to NOP, closed
//   progress = busy   a reservation was open. Its message was committed if
//                     the extent has one frame more than counted    the claimed frame is a message
//                     -> committed, else abandoned
#include "stream/stream_core.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "segment/event.hpp"
#include "segment/liveness.hpp"
#include "segment/registry.hpp"
#include "stream/extents.hpp"
#include "stream/ledger.hpp"
#include "stream/reclaim.hpp"

namespace sapbuf::detail {
namespace {

using layout::Claim;
using layout::Extent;
using layout::ExtentState;
using layout::FrameHeader;
using layout::FrameKind;
using layout::Progress;
using layout::SlabLife;
using layout::SlabState;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

// The grace period ends by itself within nanoseconds, unless a claimer is stopped or swapped out: then it is tried
// again later.
constexpr std::uint64_t kGraceNs = 2'000'000;

bool is_in_order(StreamCore& core, Order order) noexcept { return core.geometry().order == order; }

layout::SlotRole role_of(StreamCore& core, std::uint32_t slot) noexcept { return core.registration_of(slot).role(); }

// The slab that a located claim points into, if its generation still lives there.
std::optional<SlabGeneration> slab_of(StreamCore& core, Claim claim) noexcept {
  if (!claim.is_located() || claim.slab() >= core.geometry().slabs) return std::nullopt;
  if (claim.offset_bytes() >= core.geometry().slab_bytes) return std::nullopt;
  const SlabLife life{core.descriptor(claim.slab()).life.load(std::memory_order_acquire)};
  if (!life.readable() || !claim.is_in(life.generation())) return std::nullopt;
  return SlabGeneration{life.generation(), claim.slab()};
}

// The extent that a dead writer has open, if any.
struct OpenExtent {
  SlabGeneration slab;
  ExtentLocation location;
  Extent extent;
};
std::optional<OpenExtent> open_extent_of(StreamCore& core, std::uint32_t slot) noexcept {
  const Claim claim{core.slot(slot).claim.load(std::memory_order_acquire)};
  const auto slab = slab_of(core, claim);
  if (!slab || !is_in_order(core, Order::per_writer)) return std::nullopt;
  const ExtentLocation location{claim.slab(), claim.offset_bytes() / core.geometry().granule_bytes};
  const Extent extent{core.extent(location.slab, location.index).load(std::memory_order_acquire)};
  if (extent.state() != ExtentState::open || extent.owner() != slot) return std::nullopt;
  return OpenExtent{*slab, location, extent};
}

// --- Holes ---------------------------------------------------------------------------------------------------------

// Grace: waits until every live writer that was between its announcement and its trace has been seen elsewhere.
//   announce: the cursor was read before this; a claim below that limit whose word still says `claiming` the same claim
//   is the only one that may yet leave its trace.
bool wait_for_claimers(StreamCore& core) noexcept {
  const std::uint64_t deadline = platform::monotonic_ns() + kGraceNs;
  const std::uint32_t high = core.high_slot();
  for (std::uint32_t index = 0; index < high; ++index) {
    const layout::StreamSlot& slot = core.slot(index);
    const Claim seen{slot.claim.load(std::memory_order_acquire)};
    while (core.registration_of(index).in_use() && seen.is_claiming() &&
           slot.claim.load(std::memory_order_acquire) == seen.word) {
      layout::SlotRegistration registration;
      if (needs_settling(core.segment(), index, registration)) break;
      if (platform::monotonic_ns() > deadline) return false;
    }
  }
  return true;
}

void repair_table(StreamCore& core, std::uint32_t dead, SlabGeneration where, std::uint64_t claimed,
                  RepairTally& tally) {
  std::uint64_t hole = 0;  // granules without an extent, up to where the walk is
  const auto count = [&](std::uint64_t granules) {
    ++tally.repairs;
    tally.bytes += granules * core.geometry().granule_bytes;
  };
  // Where one claim ends and the next begins cannot be told, and a reader may know of the first one only: a row over
  // both would contradict what was claimed then.
  const auto close = [&](std::uint64_t behind) {
    if (hole == 0) return;
    for (std::uint64_t index = behind - hole; index < behind; ++index) close_hole(core, {where.slab, index}, 1);
    count(hole);
    hole = 0;
  };
  for_each_extent(core, where, claimed, [&](std::uint64_t index, Extent extent, std::uint64_t) {
    if (extent.state() == ExtentState::free) {
      ++hole;
    } else if (extent.state() == ExtentState::last) {
      // The dead claimer of a row marked its last granule, and had not opened it yet: the row is a hole of its own.
      const std::uint64_t row = std::min(extent.granules(), hole);
      hole -= row;
      close(index - row);
      close_hole(core, {where.slab, index - row}, row + 1);
      count(row + 1);
    } else {
      close(index);
      if (extent.state() == ExtentState::open && extent.owner() == dead) {
        close_extent(core, {where.slab, index}, extent);
        ++tally.repairs;
      }
    }
  });
  close(claimed / core.geometry().granule_bytes);
}

void repair_frames(StreamCore& core, std::uint32_t dead, SlabGeneration where, std::uint64_t claimed,
                   RepairTally& tally) {
  std::byte* const slab = core.slab_for_writing(where.slab);
  for (std::uint64_t offset = 0; offset < claimed;) {
    layout::Word& word = word_at(slab + offset);
    const FrameHeader header{word.load(std::memory_order_acquire)};
    std::uint64_t span = header.span();
    if (header.kind() == FrameKind::none) {
      // The dead wrote nothing behind their claim, and slabs are clean: the hole ends at the next header.
      span = layout::kUnitBytes;
      while (offset + span < claimed && word_at(slab + offset + span).load(std::memory_order_acquire) == 0) {
        span += layout::kUnitBytes;
      }
    }
    const bool busy_of_dead = header.kind() == FrameKind::busy && header.owner() == dead;
    if (header.kind() == FrameKind::none || busy_of_dead) {
      span = std::min(span, core.geometry().slab_bytes - offset);
      // frame-publish: release; readers wait at this header.
      word.store(FrameHeader::nop(span).word, std::memory_order_release);
      SAPBUF_KILL_POINT(repair_hole);
      ++tally.repairs;
      tally.bytes += span;
    }
    offset += span;
  }
}

bool repair_holes(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  // The dead claimed before they died, so the cursor as it is now is a limit for their claims.
  const ActiveSlab active = expect_active(core);
  if (!wait_for_claimers(core)) return false;
  SAPBUF_KILL_POINT(repair_grace);
  for_each_readable(core, [&](SlabGeneration where) {
    const std::uint64_t claimed = claimed_bytes(core, active, where);
    if (is_in_order(core, Order::per_writer)) {
      repair_table(core, dead, where, claimed, tally);
    } else {
      repair_frames(core, dead, where, claimed, tally);
    }
  });
  return true;
}

// --- One writer ----------------------------------------------------------------------------------------------------

// Per-writer order. The ledger is settled before the extent is closed: afterwards nobody could tell a frame that was
// committed but not counted from one that was.
void repair_extent(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  layout::StreamSlot& slot = core.slot(dead);
  const bool busy = Progress{slot.progress.load(std::memory_order_acquire)}.busy();
  LedgerValues ledger = load_ledger(slot);
  const auto open = open_extent_of(core, dead);
  bool committed_uncounted = false;
  if (open) {
    const std::uint64_t size = open->extent.granules() * core.geometry().granule_bytes;
    const std::uint64_t rest = core.geometry().slab_bytes - open->location.index * core.geometry().granule_bytes;
    const std::byte* const begin =
        core.slab_for_writing(open->location.slab) + open->location.index * core.geometry().granule_bytes;
    const ExtentContent content = walk_extent(begin, std::min(size, rest), ledger.in_extent);
    if (busy && content.messages > ledger.in_extent) {
      committed_uncounted = true;
      ledger.committed += content.messages - ledger.in_extent;
      ledger.committed_bytes += content.bytes_after_skip;
      ledger.in_extent = content.messages;
    }
  }
  if (busy) {
    if (!committed_uncounted) ++ledger.abandoned;
    store_ledger(slot, ledger, false);
  }
  SAPBUF_KILL_POINT(repair_counted);
  if (open) {
    close_extent(core, open->location, open->extent);
    ++tally.repairs;
  }
}

// Total order. The busy frame becomes NOP before the ledger is settled: a NOP still says that nothing was committed.
void repair_busy_frame(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  layout::StreamSlot& slot = core.slot(dead);
  if (!Progress{slot.progress.load(std::memory_order_acquire)}.busy()) return;
  LedgerValues ledger = load_ledger(slot);
  const Claim claim{slot.claim.load(std::memory_order_acquire)};
  bool committed = false;
  if (const auto where = slab_of(core, claim)) {
    layout::Word& word = word_at(core.slab_for_writing(where->slab) + claim.offset_bytes());
    const FrameHeader header{word.load(std::memory_order_acquire)};
    committed = header.kind() == FrameKind::message;
    if (committed) {
      const std::uint64_t rest = core.geometry().slab_bytes - claim.offset_bytes();
      const ExtentContent content = walk_extent(core.slab_for_writing(where->slab) + claim.offset_bytes(),
                                                std::min(slot.claimed_bytes.load(relaxed), rest));
      ledger.committed += content.messages;
      ledger.committed_bytes += content.bytes;
    } else if (header.kind() == FrameKind::busy && header.owner() == dead) {
      const std::uint64_t span = std::min(header.span(), core.geometry().slab_bytes - claim.offset_bytes());
      word.store(FrameHeader::nop(span).word, std::memory_order_release);
      ++tally.repairs;
      tally.bytes += span;
    }
  }
  SAPBUF_KILL_POINT(repair_filled);
  if (!committed) ++ledger.abandoned;
  store_ledger(slot, ledger, false);
}

}  // namespace

bool StreamCore::repair(std::uint32_t index, RepairTally& tally) {
  StreamCore& core = *this;
  layout::StreamSlot& slot = core.slot(index);
  if (role_of(core, index) != layout::SlotRole::writer) return true;
  mend_states(core, load_active(core));
  if (Claim{slot.claim.load(std::memory_order_acquire)}.is_claiming() && !repair_holes(core, index, tally))
    return false;
  if (is_in_order(core, Order::per_writer)) {
    repair_extent(core, index, tally);
  } else {
    repair_busy_frame(core, index, tally);
  }
  SAPBUF_KILL_POINT(repair_done);
  slot.claim.store(0, std::memory_order_release);
  return true;
}

void StreamCore::check() { expect_active(*this); }

// --- What is held --------------------------------------------------------------------------------------------------

namespace {

// The generation that a writer has an extent or a frame open in.
std::optional<std::uint64_t> written_generation(StreamCore& core, std::uint32_t index) noexcept {
  const layout::StreamSlot& slot = core.slot(index);
  const auto where = slab_of(core, Claim{slot.claim.load(std::memory_order_acquire)});
  const bool busy = Progress{slot.progress.load(std::memory_order_acquire)}.busy();
  if (!where || !(is_in_order(core, Order::total) ? busy : open_extent_of(core, index).has_value()))
    return std::nullopt;
  return where->generation;
}

bool keeps(StreamCore& core, std::uint32_t index, SlabGeneration where) noexcept {
  const layout::StreamSlot& slot = core.slot(index);
  if (role_of(core, index) == layout::SlotRole::writer) return written_generation(core, index) == where.generation;
  return slot.hold.load(std::memory_order_acquire) <= where.generation ||
         (slot.pins.load(std::memory_order_acquire) >> where.slab & 1) != 0;
}

}  // namespace

void StreamCore::find_holdings(std::uint32_t index, std::vector<std::uint64_t>& generations) {
  StreamCore& core = *this;
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    const SlabLife life{core.descriptor(slab).life.load(std::memory_order_acquire)};
    if (life.readable() && keeps(core, index, {life.generation(), slab})) generations.push_back(life.generation());
  }
  std::sort(generations.begin(), generations.end());
}

namespace {

bool is_kept_by_others(StreamCore& core, SlabGeneration where, std::span<const std::uint32_t> gone) noexcept {
  return any_participant(core, [&](std::uint32_t slot, layout::SlotRegistration) {
    return std::find(gone.begin(), gone.end(), slot) == gone.end() && keeps(core, slot, where);
  });
}

// The newest generation that stands in a slab.
std::uint64_t newest_generation(StreamCore& core) noexcept {
  std::uint64_t newest = 0;
  for (std::uint32_t slab = 0; slab < core.geometry().slabs; ++slab) {
    const SlabLife life{core.descriptor(slab).life.load(std::memory_order_acquire)};
    if (life.readable()) newest = std::max(newest, life.generation());
  }
  return newest;
}

}  // namespace

std::uint32_t StreamCore::count_released(std::span<const std::uint64_t> generations,
                                         std::span<const std::uint32_t> gone) {
  std::uint32_t count = 0;
  for (const std::uint64_t generation : generations) {
    const auto slab = find_slab(*this, generation);
    if (!slab) continue;
    const SlabLife life{descriptor(*slab).life.load(std::memory_order_acquire)};
    if (life.state() == SlabState::sealed && !is_kept_by_others(*this, {generation, *slab}, gone)) ++count;
  }
  return count;
}

// It is in the middle of a step, or keeps an older generation.
bool StreamCore::is_in_the_way(std::uint32_t index, layout::SlotRegistration registration) {
  const layout::StreamSlot& own = slot(index);
  if (registration.role() == layout::SlotRole::reader && own.pins.load(relaxed) != 0) return true;
  if (registration.role() == layout::SlotRole::writer) {
    const Claim claim{own.claim.load(relaxed)};
    if (claim.is_claiming()) return true;
    // Without a claim it is waiting for room itself.
    if (claim.word != 0 && Progress{own.progress.load(relaxed)}.busy()) return true;
  }
  std::vector<std::uint64_t> held;
  find_holdings(index, held);
  const std::uint64_t newest = newest_generation(*this);
  return std::any_of(held.begin(), held.end(), [newest](std::uint64_t generation) { return generation < newest; });
}

void StreamCore::prepare(std::uint32_t index) noexcept {
  layout::StreamSlot& fresh = slot(index);
  fresh.progress.store(0, relaxed);
  fresh.claim.store(0, relaxed);
  fresh.hold.store(layout::kNoHold, relaxed);
  fresh.pins.store(0, relaxed);
  fresh.delivered.store(0, relaxed);
  fresh.lost.store(0, relaxed);
  fresh.skipped.store(0, relaxed);
  fresh.revoked.store(0, relaxed);
  fresh.base_messages.store(0, relaxed);
  for (layout::LedgerRecord& record : fresh.records) {
    for (layout::Word* word : {&record.committed, &record.committed_bytes, &record.aborted, &record.dropped,
                               &record.abandoned, &record.in_extent}) {
      word->store(0, relaxed);
    }
  }
}

void StreamCore::release(std::uint32_t index) noexcept {
  add_to_departed(*this, index);
  SAPBUF_KILL_POINT(recover_departed);
  slot(index).pins.store(0, relaxed);
  // hold-release: release, as by the reader itself.
  slot(index).hold.store(layout::kNoHold, std::memory_order_release);
}

void StreamCore::mark_settled(std::uint32_t index) noexcept {
  slot(index).revoked.store(layout::kSettledByOthers, relaxed);
}

void StreamCore::wake_all() noexcept {
  notify(control().space);
  notify(control().data);
}

}  // namespace sapbuf::detail
