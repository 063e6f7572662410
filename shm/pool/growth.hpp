// Letting a pool grow: the region first, in steps that are short, and without the pool's lock; then `count`.
//
//   killed in between    room in the region: whoever needs a buffer next finds it, and counts it
#pragma once

#include "pool/pool_core.hpp"

namespace sapbuf::detail {

// By one step, towards `max_count`; whether there are more buffers now. Throws Error.
bool grow_by_one_step(PoolCore& core, std::chrono::milliseconds patience);

}  // namespace sapbuf::detail
