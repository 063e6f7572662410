// Recovery inside the library: see <sapbuf/recovery.hpp> for the promise.
//
// One participant is settled at a time, under the maintenance lock of its facility:
//
//   1. open its journal entry                 killed after: the next recoverer finds it and goes on in it
//   2. the facility repairs what it began     repeatable: see stream/repair.cpp
//   3. it adds up what it did, and lets go    once: the record names whom it added last
//      of what it kept
//   4. finish the entry
//   5. mark the slot
//   6. wake who waits; free the slots of all  from here on somebody else may attach
//      that were settled; wake once more
#pragma once

#include <chrono>

#include <sapbuf/recovery.hpp>

#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

// Looks at all participants of the segment, and opens all facilities, so that none that is corrupt is overlooked. What is
// wrong with one of them keeps nobody from the others; the first error is thrown when all is done: Errc::corrupt if a
// facility contradicts itself.
RecoveryReport recover_all(SegmentCore& core);
// The same for who is about to use a facility, or is using it: opens what the dead used, and throws what is wrong with
// this one only.
RecoveryReport recover_for(const Facility& facility);
// For who removes it, with the directory's lock: if it contradicts itself, its dead go without a look at what they left,
// which goes with it. Throws what else is wrong with it.
void recover_before_removal(Facility& facility);
RecoveryReport find_dead_core(SegmentCore& core);

// Of those who wait at the same time.
enum class Sweepers {
  one,  // leave it to another who is at it
  any,  // do not wait for his result
};

// For writers and readers that wait: as recover_for, but never throws, and looks again only after a few milliseconds;
// nor if somebody else has just looked.
void recover_while_waiting(SegmentCore& core, std::uint64_t& last_try_ns, Sweepers sweepers) noexcept;

// Settles the caller's own slot when it detaches, unless somebody did already. If the lock cannot be had in time,
// recovery will do it. `leaving` is what the caller made of the registration.
void settle_own(Facility& facility, std::uint32_t slot, layout::SlotRegistration leaving,
                std::chrono::milliseconds patience) noexcept;

}  // namespace SAPBUF_DETAIL
