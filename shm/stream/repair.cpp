// Repair: ending what dead participants had begun in the stream. Under its lock; every step repeatable.
//
// What a dead writer can leave, and what is done about it:
//
//   it says           per-writer order (repair_extents.cpp)         total order (repair_frames.cpp)
//   claim = claiming  space may be claimed without a trace, a hole: after the grace period, whatever is still zero
//                     below the cursor belongs to the dead                                                -> NOP
//   claim = located   an open extent with committed frames,         a busy frame                          -> NOP
//                     and perhaps one that is not
//                     -> ledger, rest to NOP, closed
//   progress = busy   a reservation was open. Its message was committed if
//                     the extent has one frame more than counted    the claimed frame is a message
//                     -> committed, else abandoned
//
// A dead reader leaves nothing but what it held: holdings.cpp.
#include "stream/stream_core.hpp"

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "segment/liveness.hpp"
#include "stream/repair_extents.hpp"
#include "stream/repair_frames.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::Claim;

// The grace period ends by itself within nanoseconds, unless a claimer is stopped or swapped out: then it is tried
// again later.
constexpr std::uint64_t kGraceNs = 2'000'000;

// Until the participant is seen elsewhere than in this claim, or is dead, or has left: whether that came in time.
bool wait_for_claimer(StreamCore& core, std::uint32_t index, Claim seen, std::uint64_t deadline_ns) noexcept {
  while (core.registration_of(index).in_use() && core.slot(index).claim.load(std::memory_order_acquire) == seen.word) {
    layout::SlotRegistration registration;
    if (needs_settling(core.segment(), index, registration)) return true;
    if (platform::monotonic_ns() > deadline_ns) return false;
  }
  return true;
}

// Grace: waits until every live writer that was between its announcement and its trace has been seen elsewhere.
//   announce: the cursor was read before this; a claim below that limit whose word still says `claiming` the same claim
//   is the only one that may yet leave its trace.
bool wait_for_claimers(StreamCore& core) noexcept {
  const std::uint64_t deadline_ns = platform::monotonic_ns() + kGraceNs;
  return !any_participant(core, [&](std::uint32_t index, layout::SlotRegistration) {
    const Claim seen{core.slot(index).claim.load(std::memory_order_acquire)};
    return seen.is_claiming() && !wait_for_claimer(core, index, seen, deadline_ns);
  });
}

bool repair_holes(StreamCore& core, std::uint32_t dead, RepairTally& tally) {
  // The dead claimed before they died, so the cursor as it is now is a limit for their claims.
  const ActiveSlab active = expect_active(core);
  if (!wait_for_claimers(core)) return false;
  SAPBUF_KILL_POINT(repair_grace);
  const auto repair_slab = core.in_total_order() ? &repair_frames : &repair_table;
  for_each_readable(
      core, [&](SlabGeneration where) { repair_slab(core, dead, where, claimed_bytes(core, active, where), tally); });
  return true;
}

}  // namespace

bool StreamCore::repair(std::uint32_t index, RepairTally& tally) {
  StreamCore& core = *this;
  if (core.registration_of(index).role() != layout::SlotRole::writer) return true;
  layout::Word& claim = core.slot(index).claim;
  mend_states(core, load_active(core));
  if (Claim{claim.load(std::memory_order_acquire)}.is_claiming() && !repair_holes(core, index, tally)) return false;
  if (core.in_total_order()) {
    repair_busy_frame(core, index, tally);
  } else {
    repair_extent(core, index, tally);
  }
  SAPBUF_KILL_POINT(repair_done);
  claim.store(0, std::memory_order_release);
  return true;
}

}  // namespace SAPBUF_DETAIL
