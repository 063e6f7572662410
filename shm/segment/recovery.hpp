// Recovery inside the library: see <sapbuf/recovery.hpp> for the promise.
//
// One participant is settled at a time, under the maintenance lock:
//
//   1. open its journal entry              killed after: the next recoverer finds it and goes on in it
//   2. each facility repairs what it held  repeatable: see stream/repair.cpp
//   3. add its ledger to the departed      done once: the record names whom it added last
//   4. finish the entry
//   5. mark it in `revoked`; free the slot  from here on its holds and pins do not count, and somebody else may attach
#pragma once

#include <chrono>

#include <sapbuf/recovery.hpp>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

RecoveryReport recover_core(SegmentCore& core);
RecoveryReport find_dead_core(SegmentCore& core);

// Of those who wait at the same time.
enum class Sweepers {
  one,  // leave it to another who is at it
  any,  // do not wait for his result
};

// For writers and readers that wait: as recover_core, but never throws, and looks again only after a few milliseconds;
// nor if somebody else has just looked.
void recover_while_waiting(SegmentCore& core, std::uint64_t& last_try_ns, Sweepers sweepers) noexcept;

// Settles the caller's own slot when it detaches, unless somebody did already. If the lock cannot be had in time,
// recovery will do it. `leaving` is what the caller made of the tenure.
void settle_own(SegmentCore& core, std::uint32_t slot, layout::SlotTenure leaving,
                std::chrono::milliseconds patience) noexcept;

}  // namespace sapbuf::detail
