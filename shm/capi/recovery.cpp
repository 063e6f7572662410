#include <sapbuf/lock_holders.hpp>
#include <sapbuf/recovery.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::needed;

namespace {

using Tell = void (*)(void* context, const sapbuf_dead_participant* dead);

void tell_of(const DeadParticipant& dead, Tell tell, void* context) {
  const sapbuf_dead_participant told{.struct_size = sizeof told,
                                     .facility = dead.facility.c_str(),
                                     .name = dead.name.c_str(),
                                     .proof = dead.proof.c_str(),
                                     .held = dead.held_generations.data(),
                                     .held_count = dead.held_generations.size(),
                                     .held_bytes = dead.held_bytes,
                                     .repairs = dead.repairs,
                                     .repaired_bytes = dead.repaired_bytes,
                                     .heartbeat_age_ms = dead.heartbeat_age_ms,
                                     .pid = dead.pid,
                                     .slot = dead.slot,
                                     .role = static_cast<std::uint32_t>(dead.role)};
  tell(context, &told);
}

sapbuf_status report(const RecoveryReport& found, sapbuf_recovery* recovery, Tell tell, void* context) {
  if (tell != nullptr)
    for (const DeadParticipant& dead : found.dead) tell_of(dead, tell, context);
  if (recovery == nullptr) return SAPBUF_OK;
  sapbuf_recovery told = sapbuf_recovery_init();
  told.dead = static_cast<std::uint32_t>(found.dead.size());
  told.released = found.released;
  told.left_alone = found.left_alone;
  told.pending = found.pending;
  capi::hand_out(told, *recovery);
  return SAPBUF_OK;
}

// Before anything is done, so that no report gets lost for want of a place.
void check_place(const sapbuf_recovery* recovery) {
  if (recovery != nullptr) capi::checked_size(*recovery);
}

}  // namespace

sapbuf_status sapbuf_segment_recover(sapbuf_segment* segment, sapbuf_recovery* recovery, Tell tell,
                                     void* context) noexcept {
  return call([&] {
    check_place(recovery);
    return report(recover(needed(segment, "segment").segment), recovery, tell, context);
  });
}

sapbuf_status sapbuf_segment_find_dead(const sapbuf_segment* segment, sapbuf_recovery* recovery, Tell tell,
                                       void* context) noexcept {
  return call([&] {
    check_place(recovery);
    return report(find_dead(needed(segment, "segment").segment), recovery, tell, context);
  });
}

sapbuf_status sapbuf_segment_find_lock_holders(const sapbuf_segment* segment, int64_t patience_ns,
                                               void (*tell)(void* context, const sapbuf_lock_holder* holder),
                                               void* context) noexcept {
  return call([&] {
    const Segment& of = needed(segment, "segment").segment;
    const auto holders = find_lock_holders(of, std::chrono::nanoseconds{patience_ns});
    if (!holders) return SAPBUF_OK;
    for (const LockHolder& holder : *holders) {
      const sapbuf_lock_holder told{.struct_size = sizeof told,
                                    .program = holder.program.c_str(),
                                    .pid = holder.pid,
                                    .for_reading = holder.for_reading};
      if (tell != nullptr) tell(context, &told);
    }
    return capi::fail(SAPBUF_BUSY);
  });
}
