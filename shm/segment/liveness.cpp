#include "segment/liveness.hpp"

#include <algorithm>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "platform/process_end.hpp"
#include "segment/facility.hpp"
#include "segment/registry.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::ParticipantSlot;
using layout::SlotRegistration;
using layout::SlotState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint64_t kLookInterval = 10'000'000;  // ns, between two searches of one process in one segment
constexpr std::uint64_t kQuietNs = 5'000'000;        // without progress, before anybody is suspected
constexpr std::size_t kAsked = 8;                    // processes in one search

// Whether somebody may be waiting for this participant, as its facility says. One that cannot be opened here is left to
// others.
bool is_in_the_way(SegmentCore& core, std::uint32_t index, SlotRegistration registration) noexcept {
  try {
    const layout::FacilityId id{core.participant(index).facility.load(relaxed)};
    const std::shared_ptr<Facility> facility = find_facility(core, id);
    return facility && facility->is_in_the_way(index, registration);
  } catch (const std::exception&) {
    return false;
  }
}

platform::ProcessIdentity owner_of(const ParticipantSlot& slot) {
  platform::ProcessIdentity identity;
  identity.pid = static_cast<std::int32_t>(slot.pid.load(relaxed));
  identity.pid_namespace = slot.pid_namespace.load(relaxed);
  identity.time_namespace = slot.time_namespace.load(relaxed);
  identity.start_time = slot.start_time.load(relaxed);
  identity.boot_id = slot.boot_id.load(relaxed);
  return identity;
}

}  // namespace

const char* to_text(Proof proof) noexcept { return proof == Proof::process_ended ? "process-ended" : "ofd-lock-free"; }

Proof LivenessSweep::ask(std::uint32_t index, SlotRegistration& registration) noexcept {
  ParticipantSlot& slot = core_.participant(index);
  // registry: acquire, so that the life that is read is this registration's.
  registration = {slot.registration.load(std::memory_order_acquire)};
  if (!registration.in_use()) return Proof::none;
  const std::uint64_t life = slot.life.load(relaxed);
  const Proof alive = registration.state() == SlotState::leaving ? Proof::left : Proof::none;
  if (life == last_alive_ || life == core_.locks().life()) return alive;
  if (core_.ended_registration(index).load(relaxed) == registration.word) return Proof::process_ended;
  const platform::LockState lock = core_.locks().ask(life);
  if (lock == platform::LockState::held) {
    last_alive_ = life;
    return alive;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  // An owner that detaches frees the slot before its process can drop the lock: if the registration is still the same, nobody
  // detached, and the life was its own.
  if (slot.registration.load(std::memory_order_acquire) != registration.word) return Proof::none;
  return lock == platform::LockState::free ? Proof::lock_free : alive == Proof::left ? alive : Proof::unknown;
}

bool needs_settling(SegmentCore& core, std::uint32_t index, SlotRegistration& registration) noexcept {
  return is_proof(LivenessSweep{core}.ask(index, registration));
}

void find_ended(SegmentCore& core) {
  const std::uint64_t now = platform::coarse_monotonic_ns();
  std::uint64_t last = core.looked_for_ended_ns().load(relaxed);
  if (now - last < kLookInterval || !core.looked_for_ended_ns().compare_exchange_strong(last, now, relaxed)) return;
  const HeartbeatClock clock;
  const std::uint32_t high = core.high_slot();
  const auto first = static_cast<std::uint32_t>(high == 0 ? 0 : now / kLookInterval % high);  // all get their turn
  struct Asked {
    std::uint64_t life;
    bool ended;
  };
  std::vector<Asked> asked;
  for (std::uint32_t step = 0; step < high && asked.size() < kAsked; ++step) {
    const std::uint32_t index = (first + step) % high;
    const ParticipantSlot& slot = core.participant(index);
    const SlotRegistration registration{slot.registration.load(std::memory_order_acquire)};
    // In one that is being attached, the identity is the last owner's still.
    if (!registration.in_use() || registration.state() == SlotState::attaching) continue;
    const std::uint64_t life = slot.life.load(relaxed);
    if (life == core.locks().life() || clock.age_ns(slot) < kQuietNs) continue;
    if (!is_in_the_way(core, index, registration)) continue;
    SAPBUF_KILL_POINT(ended_suspected);
    const platform::ProcessIdentity owner = owner_of(slot);
    std::atomic_thread_fence(std::memory_order_acquire);
    // registry: the fence keeps this look behind the others. The owner may have detached, and of what was read some may be its
    // successor's: a verdict on that life by another process's end would be believed of all its slots.
    if (slot.registration.load(relaxed) != registration.word) continue;
    auto known = std::find_if(asked.begin(), asked.end(), [life](const Asked& one) { return one.life == life; });
    if (known == asked.end()) known = asked.insert(known, {life, platform::has_ended(owner)});
    // It stays true of that registration, whoever has the slot by now.
    if (known->ended) core.ended_registration(index).store(registration.word, relaxed);
  }
}

}  // namespace SAPBUF_DETAIL
