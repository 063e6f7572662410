#include "segment/registry.hpp"

#include <ctime>
#include <optional>

#include <sapbuf/detail/kill_point.hpp>
#include "platform/clock.hpp"
#include "platform/counted.hpp"
#include "platform/process_identity.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::ParticipantSlot;
using layout::SlotRegistration;
using layout::SlotState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto kDetachPatience = std::chrono::milliseconds{100};
constexpr std::uint64_t kRecoveryPatienceNs = 100'000'000;  // of who needs the slot of somebody dead
constexpr long kRecoveryNapNs = 1'000'000;

void fill(ParticipantSlot& slot, const platform::ProcessIdentity& identity, std::string_view name) noexcept {
  slot.attention.store(0, relaxed);
  slot.attached_at_ns.store(platform::wall_clock_ns(), relaxed);
  slot.pid.store(static_cast<std::uint64_t>(identity.pid), relaxed);
  slot.pid_namespace.store(identity.pid_namespace, relaxed);
  slot.time_namespace.store(identity.time_namespace, relaxed);
  slot.start_time.store(identity.start_time, relaxed);
  slot.boot_id.store(identity.boot_id, relaxed);
  store_text(slot.name, name);
  registry::beat(slot);
}

void raise_high_slot(layout::Control& control, std::uint64_t at_least) noexcept {
  std::uint64_t high = control.high_slot.load(relaxed);
  while (high < at_least && !control.high_slot.compare_exchange_weak(high, at_least, std::memory_order_acq_rel)) {
  }
}

// Recovery settled the slot. If its last owner lives in spite of all, it finds out as long as nobody else has the slot.
bool is_marked(const ParticipantSlot& slot) noexcept {
  return slot.attention.load(relaxed) == layout::kSettledByOthers;
}

bool is_in_use(const ParticipantSlot& slot) noexcept {
  return SlotRegistration{slot.registration.load(std::memory_order_acquire)}.in_use();
}

// The lock on a slot, while somebody attaches there.
class SlotLock {
 public:
  SlotLock(SegmentCore& core, std::uint32_t index)
      : core_(core), offset_(layout::kSlotLocks + index), held_(core.locks().try_lock(offset_)) {}
  SlotLock(const SlotLock&) = delete;
  SlotLock& operator=(const SlotLock&) = delete;
  ~SlotLock() {
    if (held_) core_.locks().unlock(offset_);
  }
  explicit operator bool() const noexcept { return held_; }

 private:
  SegmentCore& core_;
  const std::uint64_t offset_;
  const bool held_;
};

void free_unattached(ParticipantSlot& slot, SlotRegistration begun) noexcept {
  const SlotRegistration free = SlotRegistration::make(begun.incarnation(), layout::SlotRole::none, SlotState::free);
  slot.registration.store(free.word, std::memory_order_release);
}

// In a free slot; nothing if there is none. Those that are marked are given away last.
std::optional<Attachment> take_slot(Facility& facility, layout::SlotRole role,
                                    const platform::ProcessIdentity& identity, std::string_view name, bool also_marked,
                                    const std::function<void(std::uint32_t)>& prepare) {
  SegmentCore& core = facility.segment();
  for (std::uint32_t index = 0; index < core.geometry().participants; ++index) {
    ParticipantSlot& slot = core.participant(index);
    if (is_in_use(slot) || (!also_marked && is_marked(slot))) continue;
    const SlotLock lock{core, index};
    if (!lock) continue;
    // registry: acquire, so that our looks at the cursor find it where the slot's last owner left it, or later.
    const SlotRegistration before{slot.registration.load(std::memory_order_acquire)};
    if (before.in_use()) continue;  // taken between the two looks
    SAPBUF_KILL_POINT(attach_locked);
    // registry: release, so that who sees any of these words sees that the registration before has ended.
    std::atomic_thread_fence(std::memory_order_release);
    slot.facility.store(facility.id().word, relaxed);
    slot.life.store(core.locks().life(), relaxed);
    raise_high_slot(core.control(), index + 1);
    const SlotRegistration begun = SlotRegistration::make(before.incarnation() + 1, role, SlotState::attaching);
    slot.registration.store(begun.word, std::memory_order_release);
    SAPBUF_KILL_POINT(attach_begun);
    // remove: the fence keeps the look behind the registration.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!directory::is_ready_or_settled(core, facility.id())) {
      free_unattached(slot, begun);
      facility.throw_removed();
    }
    fill(slot, identity, name);
    facility.prepare(index);
    try {
      if (prepare) prepare(index);
    } catch (...) {
      free_unattached(slot, begun);
      throw;
    }
    SAPBUF_KILL_POINT(attach_filled);
    const SlotRegistration registration = SlotRegistration::make(before.incarnation() + 1, role, SlotState::attached);
    // registry: release, so that whoever finds the slot in use finds it filled.
    slot.registration.store(registration.word, std::memory_order_release);
    SAPBUF_KILL_POINT(attach_attached);
    return Attachment{facility, index, registration};
  }
  return std::nullopt;
}

}  // namespace

bool registry::free_if_attaching(SegmentCore& core, std::uint32_t index, SlotRegistration begun) {
  if (begun.state() != SlotState::attaching) return false;
  const SlotLock lock{core, index};
  // registry: acquire, as for whoever attaches.
  ParticipantSlot& slot = core.participant(index);
  if (lock && slot.registration.load(std::memory_order_acquire) == begun.word) free_unattached(slot, begun);
  return true;
}

Attachment registry::attach(Facility& facility, layout::SlotRole role, std::string_view name,
                            const std::function<void(std::uint32_t)>& prepare) {
  SegmentCore& core = facility.segment();
  core.check_not_forked();
  const platform::ProcessIdentity identity = platform::this_process();
  const std::string own_name = name.empty() ? identity.program + "-" + std::to_string(identity.pid) : std::string(name);
  const auto take = [&](bool also_marked) {
    return take_slot(facility, role, identity, own_name, also_marked, prepare);
  };
  for (const bool also_marked : {false, true}) {
    if (auto attachment = take(also_marked)) return std::move(*attachment);
  }
  const std::uint64_t deadline = platform::monotonic_ns() + kRecoveryPatienceNs;
  for (;;) {
    const bool pending = recover_for(facility).pending;
    if (auto attachment = take(true)) return std::move(*attachment);
    if (!pending) break;
    if (platform::monotonic_ns() >= deadline) {
      throw Error(Errc::busy, "segment '" + core.name() + "' has " +
                                  platform::counted(core.geometry().participants, "participant") +
                                  ", and those who died cannot be settled now: a live process holds a "
                                  "lock; is it stopped? ('sapbuf doctor' shows which)");
    }
    const timespec nap{0, kRecoveryNapNs};
    ::nanosleep(&nap, nullptr);
  }
  throw Error(Errc::registry_full, "segment '" + core.name() + "' has " +
                                       platform::counted(core.geometry().participants, "participant") +
                                       ", all alive: close some, or make it anew with more "
                                       "(sapbuf create --participants)");
}

// Nobody's verdict stands in the zeros that take the place of a truncated segment.
//   truncated: the flag is stored before the zeros are there; acquire, so that who finds them in the registration finds it
//   set
Attachment::~Attachment() {
  if (facility_ == nullptr) return;
  SegmentCore& core = facility_->segment();
  if (core.forked() || core.truncated()) return;
  const SlotRegistration leaving =
      SlotRegistration::make(registration_.incarnation(), registration_.role(), SlotState::leaving);
  std::uint64_t own = registration_.word;
  // registry: release, so that whoever settles the slot finds all that its owner did.
  layout::Word& registration = core.participant(slot_).registration;
  if (!registration.compare_exchange_strong(own, leaving.word, std::memory_order_release, relaxed)) return;
  SAPBUF_KILL_POINT(detach_leaving);
  settle_own(*facility_, slot_, leaving, kDetachPatience);
  SAPBUF_KILL_POINT(detach_settled);
}

void registry::beat(ParticipantSlot& slot) noexcept {
  slot.heartbeat_ns.store(platform::coarse_monotonic_ns(), relaxed);
}

HeartbeatClock::HeartbeatClock() noexcept
    : now_ns_(platform::coarse_monotonic_ns()), time_namespace_(platform::own_time_namespace()) {}

std::uint64_t HeartbeatClock::age_ns(const ParticipantSlot& slot) const noexcept {
  if (!is_comparable(slot)) return 0;
  const std::uint64_t heartbeat = slot.heartbeat_ns.load(relaxed);
  return now_ns_ > heartbeat ? now_ns_ - heartbeat : 0;
}

bool HeartbeatClock::is_comparable(const layout::ParticipantSlot& slot) const noexcept {
  return slot.time_namespace.load(relaxed) == time_namespace_;
}

}  // namespace SAPBUF_DETAIL
