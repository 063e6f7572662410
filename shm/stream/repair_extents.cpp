#include "stream/repair_extents.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>
#include "stream/extents.hpp"
#include "stream/ledger.hpp"

namespace SAPBUF_DETAIL {

using layout::Extent;
using layout::ExtentState;
using layout::Progress;

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

// The ledger is settled before the extent is closed: afterwards nobody could tell a frame that was committed but not
// counted from one that was.
void repair_extent(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  layout::StreamSlot& slot = core.slot(dead);
  const bool busy = Progress{slot.progress.load(std::memory_order_acquire)}.busy();
  const auto open = open_extent_of(core, dead);
  if (busy) {
    LedgerValues ledger = load_ledger(slot);
    const ExtentContent content =
        open ? walk_extent(core, open->location, open->extent, ledger.in_extent) : ExtentContent{};
    if (content.messages > ledger.in_extent) {
      ledger.committed += content.messages - ledger.in_extent;
      ledger.committed_bytes += content.bytes_after_skip;
      ledger.in_extent = content.messages;
    } else {
      ++ledger.abandoned;
    }
    store_ledger(slot, ledger, false);
  }
  SAPBUF_KILL_POINT(repair_counted);
  if (open) {
    close_extent(core, open->location, open->extent);
    ++tally.repairs;
  }
}

}  // namespace SAPBUF_DETAIL
