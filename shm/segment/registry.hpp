// Who is attached. A slot belongs to one handle. It names the life of the handle's process: a byte of the segment's
// file whose OFD lock the process holds for as long as it has the segment's memory (platform/lock_file.hpp).
//
//   attach   take the slot's own lock -> fill the slot -> tenure = attached -> drop the slot's lock
//   detach   tenure = leaving -> settle (as after a death, but without a journal entry) -> tenure = free
//   death    the kernel drops the lock on the life; the slot is still in use: recovery settles it
//
//   killed during attach    before the tenure is stored: the slot is still free.  After: recovery settles it
//   killed during detach    the slot says `leaving`: recovery settles it, and counts no death
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

// A slot, as long as this exists.
class Attachment {
 public:
  Attachment() = default;
  Attachment(SegmentCore& core, std::uint32_t slot, layout::SlotTenure tenure) noexcept
      : core_(&core), slot_(slot), tenure_(tenure) {}
  Attachment(Attachment&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), slot_(other.slot_), tenure_(other.tenure_) {}
  Attachment& operator=(Attachment&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(slot_, other.slot_);
    std::swap(tenure_, other.tenure_);
    return *this;
  }
  // Gives the slot back. If the maintenance lock cannot be had soon, the slot is left to the next recovery. A slot that
  // is somebody else's by now is left alone, and so is the parent's, in a child made by fork.
  ~Attachment();

  std::uint32_t slot() const noexcept { return slot_; }
  // False once others took this participant for dead: whatever it had is somebody else's. That cannot happen unless
  // what proves life was taken away from the process (munmap of what it did not map, say). In a segment that is
  // truncated nobody is taken for dead any more: true. Not to be asked in a child made by fork.
  bool is_current() const noexcept;

 private:
  SegmentCore* core_ = nullptr;  // null: none
  std::uint32_t slot_ = 0;
  layout::SlotTenure tenure_;
};

// Takes a free slot; runs recovery and tries again if there is none. `prepare` fills what the role needs before the
// slot counts. Throws Error (registry_full, forked).
Attachment attach(SegmentCore& core, layout::SlotRole role, std::string_view name,
                  const std::function<void(layout::ParticipantSlot&)>& prepare = {});

inline bool is_in_use(const layout::ParticipantSlot& slot) noexcept {
  return layout::SlotTenure{slot.tenure.load(std::memory_order_acquire)}.in_use();
}

// Heartbeat: a participant made progress.
void beat(layout::ParticipantSlot& slot) noexcept;

// How long ago participants made progress, as far as this process can tell.
class HeartbeatClock {
 public:
  HeartbeatClock() noexcept;
  // 0 for a participant in another time namespace: its clock is set otherwise, and nobody is suspected by it.
  std::uint64_t age_ns(const layout::ParticipantSlot& slot) const noexcept;

 private:
  std::uint64_t now_ns_;
  std::uint64_t time_namespace_;
};

// Names are kept in words, so that they can be read while they are written. 63 bytes at the most.
void store_name(layout::Word* words, std::string_view name) noexcept;
// Printable, whatever stands there.
std::string load_name(const layout::Word* words);

}  // namespace sapbuf::detail
