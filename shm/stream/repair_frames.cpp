#include "stream/repair_frames.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "stream/extents.hpp"
#include "stream/frames.hpp"
#include "stream/ledger.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;
using layout::FrameHeader;
using layout::FrameKind;
using layout::Progress;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

bool is_busy_of(FrameHeader header, std::uint32_t owner) noexcept {
  return header.kind() == FrameKind::busy && header.owner() == owner;
}

void fill(std::byte* header, std::uint64_t span, RepairTally& tally) noexcept {
  // frame-publish: release; readers wait at this header.
  word_at(header).store(FrameHeader::nop(span).word, std::memory_order_release);
  ++tally.repairs;
  tally.bytes += span;
}

}  // namespace

void repair_frames(StreamCore& core, std::uint32_t dead, SlabGeneration where, std::uint64_t claimed,
                   RepairTally& tally) {
  std::byte* const slab = core.slab_for_writing(where.slab);
  // The dead wrote nothing behind their claim: a hole ends at the next header.
  for_each_frame(slab, claimed, Unwritten::is_hole, [&](std::uint64_t offset, FrameHeader header, std::uint64_t span) {
    if (header.kind() == FrameKind::none || is_busy_of(header, dead)) {
      fill(slab + offset, span, tally);
      SAPBUF_KILL_POINT(repair_hole);
    }
    return true;
  });
}

// The busy frame becomes NOP before the ledger is settled: a NOP still says that nothing was committed.
void repair_busy_frame(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  layout::StreamSlot& slot = core.slot(dead);
  if (!Progress{slot.progress.load(std::memory_order_acquire)}.busy()) return;
  LedgerValues ledger = load_ledger(slot);
  const Claim claim{slot.claim.load(std::memory_order_acquire)};
  bool committed = false;
  if (const auto where = slab_of(core, claim)) {
    std::byte* const begin = core.slab_for_writing(where->slab) + claim.offset_bytes();
    const std::uint64_t rest = core.geometry().slab_bytes - claim.offset_bytes();
    const FrameHeader header{word_at(begin).load(std::memory_order_acquire)};
    committed = header.kind() == FrameKind::message;
    if (committed) {
      // One message, or those of a batch.
      const ExtentContent content = walk_extent(begin, std::min(slot.claimed_bytes.load(relaxed), rest));
      ledger.committed += content.messages;
      ledger.committed_bytes += content.bytes;
    } else if (is_busy_of(header, dead)) {
      fill(begin, std::min(header.span(), rest), tally);
    }
  }
  SAPBUF_KILL_POINT(repair_filled);
  if (!committed) ++ledger.abandoned;
  store_ledger(slot, ledger, false);
}

}  // namespace SAPBUF_DETAIL
