// Who is attached. A slot belongs to one handle. It names the life of the handle's process: a byte of the segment's
// file whose OFD lock the process holds for as long as it has the segment's memory (platform/lock_file.hpp).
//
//   attach   take the slot's own lock -> registration = attaching -> is the facility there still? -> fill the slot, here and in
//            the facility's region -> registration = attached -> drop the slot's lock
//   detach   registration = leaving -> settle (as after a death, but without a journal entry) -> registration = free
//   death    the kernel drops the lock on the life; the slot is still in use: recovery settles it
//
//   killed during attach    before `attaching`: the slot is still free.  Before `attached`: recovery frees it, nobody
//                           died.  After: recovery settles it
//
// Whoever removes a facility looks at the slots behind its own announcement (edge: remove). So nothing is written into a
// region before the slot says whose it is: the region may be somebody else's by then.
//   killed during detach    the slot says `leaving`: recovery settles it, and counts no death
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "segment/facility.hpp"
#include "segment/words.hpp"

namespace SAPBUF_DETAIL {

// A slot, as long as this exists.
class Attachment {
 public:
  Attachment() = default;
  Attachment(Facility& facility, std::uint32_t slot, layout::SlotRegistration registration) noexcept
      : facility_(&facility),
        in_memory_(&facility.segment().participant(slot).registration),
        slot_(slot),
        registration_(registration) {}
  Attachment(Attachment&& other) noexcept
      : facility_(std::exchange(other.facility_, nullptr)),
        in_memory_(other.in_memory_),
        slot_(other.slot_),
        registration_(other.registration_) {}
  Attachment& operator=(Attachment&& other) noexcept {
    std::swap(facility_, other.facility_);
    std::swap(in_memory_, other.in_memory_);
    std::swap(slot_, other.slot_);
    std::swap(registration_, other.registration_);
    return *this;
  }
  // Gives the slot back. If the maintenance lock cannot be had soon, the slot is left to the next recovery. A slot that
  // is somebody else's by now is left alone, and so is the parent's, in a child made by fork.
  ~Attachment();

  std::uint32_t slot() const noexcept { return slot_; }
  std::uint64_t incarnation() const noexcept { return registration_.incarnation(); }
  // False once others took this participant for dead: whatever it had is somebody else's. That cannot happen unless
  // what proves life was taken away from the process (munmap of what it did not map, say). In a segment that is
  // truncated nobody is taken for dead any more: true. Not to be asked in a child made by fork.
  bool is_current() const noexcept {
    return in_memory_->load(std::memory_order_acquire) == registration_.word || facility_->segment().truncated();
  }

 private:
  Facility* facility_ = nullptr;  // null: none
  const layout::Word* in_memory_ = nullptr;
  std::uint32_t slot_ = 0;
  layout::SlotRegistration registration_;
};

namespace registry {

// Takes a free slot for a participant of the facility; runs recovery and tries again if there is none. `prepare` fills
// what the role needs, behind Facility::prepare and before the slot counts. Throws Error (registry_full; busy if the dead
// cannot be settled now; forked; not_found if the facility was removed).
Attachment attach(Facility& facility, layout::SlotRole role, std::string_view name,
                  const std::function<void(std::uint32_t slot)>& prepare = {});

// For a slot whose owner died while it attached: frees it. False: that is not what its registration says.
bool free_if_attaching(SegmentCore& core, std::uint32_t slot, layout::SlotRegistration begun);

// Heartbeat: a participant made progress.
void beat(layout::ParticipantSlot& slot) noexcept;

}  // namespace registry

// How long ago participants made progress, as far as this process can tell.
class HeartbeatClock {
 public:
  HeartbeatClock() noexcept;
  // 0 for a participant in another time namespace: its clock is set otherwise, and nobody is suspected by it.
  std::uint64_t age_ns(const layout::ParticipantSlot& slot) const noexcept;
  bool is_comparable(const layout::ParticipantSlot& slot) const noexcept;

 private:
  std::uint64_t now_ns_;
  std::uint64_t time_namespace_;
};

}  // namespace SAPBUF_DETAIL
