// Who is dead, and how that is known.
#pragma once

#include <cstdint>

#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

enum class Proof {
  none,           // alive, or not in use
  lock_free,      // its process's liveness lock is free: the kernel has taken its memory away
  process_ended,  // its process is ending, and runs no code any more: see find_ended
  left,           // alive, but it detached and could not settle its slot itself
  unknown,        // the locks cannot be asked: nobody is taken for dead
};
constexpr bool is_proof(Proof proof) noexcept { return proof != Proof::none && proof != Proof::unknown; }
const char* to_text(Proof proof) noexcept;  // for people: of a death

// One look at many slots: several handles of one process have one life, and it is asked about once.
class LivenessSweep {
 public:
  explicit LivenessSweep(SegmentCore& core) noexcept : core_(core), last_alive_(core.locks().life()) {}
  // `registration` is the one that the answer is about; a proof stays true until the slot is settled.
  Proof ask(std::uint32_t slot, layout::SlotRegistration& registration) noexcept;

 private:
  SegmentCore& core_;
  std::uint64_t last_alive_;  // a life that was locked
};

// Whether the slot's participant needs settling: it died, or it left without being able to settle.
bool needs_settling(SegmentCore& core, std::uint32_t slot, layout::SlotRegistration& registration) noexcept;

// Looks for owners that have ended although their locks are still held (platform/process_end.hpp), among those that are
// in others' way and made no progress lately; a few at a time, as it takes microseconds for each. What it finds,
// LivenessSweep says from then on.
void find_ended(SegmentCore& core);

}  // namespace SAPBUF_DETAIL
