// Letting a pool grow: the region first, in steps that are short, and without the pool's lock; then `count`.
//
//   killed in between    room in the region: whoever needs a buffer next finds it, and counts it
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// By one step, towards `max_count`, unless somebody else does it meanwhile, or this process cannot address what there is;
// returns how many buffers were added here. Throws Error.
std::uint64_t grow_by_one_step(PoolCore& core, std::chrono::milliseconds patience);

}  // namespace SAPBUF_DETAIL
