// Who is attached. A slot belongs to one handle; the OFD lock on its byte is the proof that the handle's process lives.
//
//   attach   take the byte's lock -> fill the slot -> tenure = attached
//   detach   tenure = leaving -> settle (as after a death, but without a journal entry) -> tenure = free -> drop the
//   lock death    the kernel drops the lock; the slot is still in use: recovery settles it
//
//   killed during attach    before the tenure is stored: the slot is still free.  After: recovery settles it
//   killed during detach    the slot says `leaving` and its lock is free: recovery settles it, and counts no death
#pragma once

#include <functional>
#include <string_view>

#include "segment/segment_core.hpp"

namespace sapbuf::detail {

// Takes a free slot; runs recovery and tries again if there is none. `prepare` fills what the role needs before the
// slot counts. Throws Error (registry_full, forked).
std::uint32_t attach(SegmentCore& core, layout::SlotRole role, std::string_view name,
                     const std::function<void(layout::ParticipantSlot&)>& prepare = {});

// Gives a slot back. If the maintenance lock cannot be had soon, the slot is left to the next recovery.
void detach(SegmentCore& core, std::uint32_t slot) noexcept;

// Whether the slot's participant needs settling: it died, or it left without being able to settle. `tenure` is the one
// that was proved; it stays true until the slot is settled.
bool needs_settling(SegmentCore& core, std::uint32_t slot, layout::SlotTenure& tenure) noexcept;

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
std::string load_name(const layout::Word* words);

}  // namespace sapbuf::detail
