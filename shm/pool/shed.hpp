// Shedding: what a pool does when nothing is free and the scan found nothing. Other facilities may keep its buffers
// only because nothing made them let go yet: a stream keeps what is attached to messages that everybody has read until
// their slab is needed, and without buffers there may never be a message that needs it.
#pragma once

#include <chrono>

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// Has the segment's facilities let go, one step at a time, until a scan finds something to free. Whether one did. Under
// no lock: a facility takes its own, which is never behind the pool's. Where the pool's is not to be had, nobody is asked.
bool free_by_shedding(PoolCore& core, std::chrono::milliseconds patience);

}  // namespace SAPBUF_DETAIL
