// Repair in total order: the chain of frames, and what the dead have open in it. Under the stream's lock; what it is
// for is in repair.cpp.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Behind the grace period: turns holes in the first `claimed` bytes, and busy frames of the dead, to NOP.
void repair_frames(StreamCore& core, std::uint32_t dead, SlabGeneration where, std::uint64_t claimed,
                   RepairTally& tally);

// Turns the frame that a dead writer has open to NOP, and settles its ledger.
void repair_busy_frame(StreamCore& core, std::uint32_t dead, RepairTally& tally);

}  // namespace SAPBUF_DETAIL
