// Repair in per-writer order: the extent table, and what the dead have open in it. Under the stream's lock; what it is
// for is in repair.cpp.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Behind the grace period: closes what of the first `claimed` bytes no extent stands in, and the extents of the dead.
void repair_table(StreamCore& core, std::uint32_t dead, SlabGeneration where, std::uint64_t claimed,
                  RepairTally& tally);

// Settles the ledger of a dead writer by what its extent holds, and closes that.
void repair_extent(StreamCore& core, std::uint32_t dead, RepairTally& tally);

}  // namespace SAPBUF_DETAIL
