// A slab's descriptor: which generation lives in it, and how far its life has come.
//
//         flipper              flipper, after the          reclaimer                reclaimer
//                              cursor moved
//   free ---------> active ------------------> sealed <--------------> reclaiming ---------> cleaning ---------> free
//                   the cursor points here,            a pin was found
//                   or is about to
//
// All edges are walked under the stream's lock. An `active` slab whose generation is older than the cursor's is one
// whose flipper died before it could write `sealed`; the next holder of the lock writes it.
#pragma once

#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/word.hpp>

namespace sapbuf::layout {

enum class SlabState : std::uint8_t {
  free = 0,
  active = 1,
  sealed = 2,      // takes no more claims; open extents may still be filled
  reclaiming = 3,  // about to be cleaned, unless a pin says otherwise
  cleaning = 4,    // nobody may read it any more
};

//   63                        3 2     0
//   +--------------------------+-------+
//   |       generation         | state |
//   +--------------------------+-------+
struct SlabLife {
  std::uint64_t word = 0;

  static constexpr SlabLife make(std::uint64_t generation, SlabState state) noexcept {
    return {generation << 3 | static_cast<std::uint8_t>(state)};
  }
  constexpr std::uint64_t generation() const noexcept { return word >> 3; }
  constexpr SlabState state() const noexcept { return static_cast<SlabState>(word & 7); }
  constexpr bool readable() const noexcept { return state() == SlabState::active || state() == SlabState::sealed; }
};

struct alignas(kLineBytes) SlabDescriptor {
  // SlabLife.
  //   written by  flippers, reclaimers, recovery: under the stream's lock
  //   read by     claimers, readers, inspect
  //   edge        life: release by the flipper before the cursor moves <-> acquire by claimers and readers after they
  //               saw it; what was cleaned is clean for them.  pin: seq_cst, see StreamSlot::pins
  //   crash       the next holder of the lock finishes the step, or takes it back: see above
  Word life;
  // Bytes claimed when the flip ended claims in the slab; meaningful once the cursor is in a later generation.
  //   written by  flippers, under the stream's lock
  //   read by     whoever walks through the slab
  //   edge        limit: stored before the exchange that moves the cursor <-> read after the cursor was seen elsewhere
  //   crash       of a flipper before the cursor moved: claims go on, and the next flipper stores it anew
  Word limit_bytes;
  // Messages in all generations before this one, plus one; 0 while an older one is not closed, or where nobody counts.
  //   written by  whoever closes the generation before, under the stream's lock
  //   read by     readers that lost something, whoever settles them
  //   edge        count: release, before the generation before is reclaimed <-> read after that was seen to be gone
  //   crash       written once more
  Word messages_before;
  // Messages in this generation, plus one; 0 until it is closed, or where nobody needs the number.
  //   written by  whoever closes the generation, under the stream's lock
  //   read by     whoever closes the next one, inspect
  //   edge        the lock
  //   crash       written once more
  Word messages;
  Word closed;  // 1 once no writer can write into the slab any more; as `messages`
  // Total order, while `cleaning`: bytes from the slab's beginning that are clean.
  //   written by  whoever cleans, under the stream's lock
  //   read by     whoever cleans, under it
  //   edge        the lock; release, behind the zeros, so that a death leaves no step that counts and was not made
  //   crash       the last step is repeated
  Word cleaned_bytes;
  Word reserved[2];
};
inline constexpr Field kSlabDescriptorFields[] = {SAPBUF_FIELD(SlabDescriptor, life),
                                                  SAPBUF_FIELD(SlabDescriptor, limit_bytes),
                                                  SAPBUF_FIELD(SlabDescriptor, messages_before),
                                                  SAPBUF_FIELD(SlabDescriptor, messages),
                                                  SAPBUF_FIELD(SlabDescriptor, closed),
                                                  SAPBUF_FIELD(SlabDescriptor, cleaned_bytes),
                                                  SAPBUF_FIELD(SlabDescriptor, reserved)};
static_assert(sizeof(SlabDescriptor) == 64 && covers(kSlabDescriptorFields, sizeof(SlabDescriptor)));

}  // namespace sapbuf::layout
