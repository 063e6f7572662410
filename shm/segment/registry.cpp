#include "segment/registry.hpp"

#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/text.hpp>
#include "platform/clock.hpp"
#include "platform/process_identity.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"

namespace sapbuf::detail {
namespace {

using layout::ParticipantSlot;
using layout::SlotState;
using layout::SlotTenure;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto kDetachPatience = std::chrono::milliseconds{100};

// How far the last bytes of a UTF-8 text must go so that no character is cut in two.
std::size_t whole_characters(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return limit;
}

void fill(ParticipantSlot& slot, const platform::ProcessIdentity& identity, std::uint64_t life,
          std::string_view name) noexcept {
  slot.progress.store(0, relaxed);
  slot.claim.store(0, relaxed);
  slot.hold.store(layout::kNoHold, relaxed);
  slot.pins.store(0, relaxed);
  slot.delivered.store(0, relaxed);
  slot.lost.store(0, relaxed);
  slot.skipped.store(0, relaxed);
  slot.revoked.store(0, relaxed);
  slot.base_frames.store(0, relaxed);
  slot.start_generation.store(0, relaxed);
  for (layout::LedgerRecord& record : slot.records) {
    for (layout::Word* word : {&record.committed, &record.committed_bytes, &record.aborted, &record.dropped,
                               &record.abandoned, &record.in_extent}) {
      word->store(0, relaxed);
    }
  }
  slot.attached_at_ns.store(platform::wall_clock_ns(), relaxed);
  slot.pid.store(static_cast<std::uint64_t>(identity.pid), relaxed);
  slot.pid_namespace.store(identity.pid_namespace, relaxed);
  slot.time_namespace.store(identity.time_namespace, relaxed);
  slot.start_time.store(identity.start_time, relaxed);
  slot.boot_id.store(identity.boot_id, relaxed);
  slot.life.store(life, relaxed);
  store_name(slot.name, name);
  beat(slot);
}

void raise_high_slot(layout::Control& control, std::uint64_t at_least) noexcept {
  std::uint64_t high = control.high_slot.load(relaxed);
  while (high < at_least && !control.high_slot.compare_exchange_weak(high, at_least, std::memory_order_acq_rel)) {
  }
}

// Recovery settled the slot. If its last owner lives in spite of all, it finds out as long as the mark stands.
bool is_marked(const ParticipantSlot& slot) noexcept { return slot.revoked.load(relaxed) == layout::kSettledByOthers; }

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

}  // namespace

Attachment attach(SegmentCore& core, layout::SlotRole role, std::string_view name,
                  const std::function<void(ParticipantSlot&)>& prepare) {
  core.check_not_forked();
  const platform::ProcessIdentity identity = platform::this_process();
  const std::string own_name = name.empty() ? identity.program + "-" + std::to_string(identity.pid) : std::string(name);
  enum class Round { unmarked, any, after_recovery };
  for (const Round round : {Round::unmarked, Round::any, Round::after_recovery}) {
    if (round == Round::after_recovery) recover_core(core);
    for (std::uint32_t index = 0; index < core.geometry().participants; ++index) {
      ParticipantSlot& slot = core.slot(index);
      if (is_in_use(slot) || (round == Round::unmarked && is_marked(slot))) continue;
      const SlotLock lock{core, index};
      if (!lock) continue;
      // registry: acquire, so that our looks at the cursor find it where the slot's last owner left it, or later.
      const SlotTenure before{slot.tenure.load(std::memory_order_acquire)};
      if (before.in_use()) continue;  // taken between the two looks
      SAPBUF_KILL_POINT("attach.locked");
      // registry: release, so that who sees any of these words sees that the tenure before has ended.
      std::atomic_thread_fence(std::memory_order_release);
      fill(slot, identity, core.locks().life(), own_name);
      if (prepare) prepare(slot);
      raise_high_slot(core.control(), index + 1);
      SAPBUF_KILL_POINT("attach.filled");
      const SlotTenure tenure = SlotTenure::make(before.incarnation() + 1, role, SlotState::attached);
      // registry: release, so that whoever finds the slot in use finds it filled.
      slot.tenure.store(tenure.word, std::memory_order_release);
      SAPBUF_KILL_POINT("attach.attached");
      return {core, index, tenure};
    }
  }
  throw Error(Errc::registry_full, "segment '" + core.name() + "' has " + std::to_string(core.geometry().participants) +
                                       " participants, all alive: close some, or make it anew with more "
                                       "(sapbuf create --participants)");
}

// Nobody's verdict stands in the zeros that take the place of a truncated segment.
//   truncated: the flag is stored before the zeros are there; acquire, so that who finds them in the tenure finds it
//   set
bool Attachment::is_current() const noexcept {
  return core_->slot(slot_).tenure.load(std::memory_order_acquire) == tenure_.word || core_->truncated();
}

Attachment::~Attachment() {
  if (core_ == nullptr || core_->forked() || core_->truncated()) return;
  const SlotTenure leaving = SlotTenure::make(tenure_.incarnation(), tenure_.role(), SlotState::leaving);
  std::uint64_t own = tenure_.word;
  // registry: release, so that whoever settles the slot finds all that its owner did.
  if (!core_->slot(slot_).tenure.compare_exchange_strong(own, leaving.word, std::memory_order_release, relaxed)) return;
  SAPBUF_KILL_POINT("detach.leaving");
  settle_own(*core_, slot_, leaving, kDetachPatience);
  SAPBUF_KILL_POINT("detach.settled");
}

void beat(ParticipantSlot& slot) noexcept { slot.heartbeat_ns.store(platform::coarse_monotonic_ns(), relaxed); }

HeartbeatClock::HeartbeatClock() noexcept
    : now_ns_(platform::coarse_monotonic_ns()), time_namespace_(platform::own_time_namespace()) {}

std::uint64_t HeartbeatClock::age_ns(const ParticipantSlot& slot) const noexcept {
  if (slot.time_namespace.load(relaxed) != time_namespace_) return 0;
  const std::uint64_t heartbeat = slot.heartbeat_ns.load(relaxed);
  return now_ns_ > heartbeat ? now_ns_ - heartbeat : 0;
}

void store_name(layout::Word* words, std::string_view name) noexcept {
  char text[layout::kNameBytes] = {};
  std::memcpy(text, name.data(), whole_characters(name, layout::kNameBytes - 1));
  for (std::size_t i = 0; i < layout::kNameBytes / 8; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, text + 8 * i, 8);
    words[i].store(word, relaxed);
  }
}

std::string load_name(const layout::Word* words) {
  char text[layout::kNameBytes];
  for (std::size_t i = 0; i < layout::kNameBytes / 8; ++i) {
    const std::uint64_t word = words[i].load(relaxed);
    std::memcpy(text + 8 * i, &word, 8);
  }
  // People and terminals see this: nothing that a peer may have put there steers them.
  return printable({text, ::strnlen(text, sizeof text)});
}

}  // namespace sapbuf::detail
