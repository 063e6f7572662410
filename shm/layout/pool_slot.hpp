// What others must know of one user of a pool: an array in the pool's region, by the participant's slot.
#pragma once

#include <sapbuf/layout/event.hpp>
#include <sapbuf/layout/fields.hpp>
#include <sapbuf/layout/pool_word.hpp>

namespace sapbuf::layout {

// Shared buffers that one user can hold at once.
inline constexpr std::uint32_t kRoots = 248;

struct alignas(kLineBytes) PoolSlot {
  // All ones: recovery settled the slot, so whoever still uses it was taken for dead.
  //   written by  recovery, under the pool's lock; whoever attaches
  //   read by     the owner, at slow steps
  //   edge        mark, as for streams
  //   crash       harmless
  Word revoked;
  Word reserved[7];
  // The shared buffers that the user holds, in no order: Root.
  //   written by  the owner; recovery, once the owner is dead or leaves, under the pool's lock
  //   read by     scans, inspect
  //   edge        root (SB): the root, light fence, then the buffer's word <-> the word says `dying`, heavy fence, then
  //               the roots. One of the two sees the other.  pool-free: cleared with release, behind the last use of the
  //               buffer <-> the scan's acquire
  //   crash       they keep their buffers until recovery
  alignas(kLineBytes) Word roots[kRoots];
};

inline constexpr Field kPoolSlotFields[] = {SAPBUF_FIELD(PoolSlot, revoked), SAPBUF_FIELD(PoolSlot, reserved),
                                            SAPBUF_FIELD(PoolSlot, roots)};
static_assert(sizeof(PoolSlot) == 2048 && covers(kPoolSlotFields, sizeof(PoolSlot)));

// What all users of a pool share.
struct alignas(kLineBytes) PoolControl {
  // Buffers that there are; it only grows.
  //   written by  whoever makes the pool; whoever lets it grow: compare-exchange, under no lock
  //   read by     everybody
  //   edge        growth: release, behind the region's growth <-> acquire
  //   crash       before it: room in the region that the next one who needs a buffer finds
  Word count;
  Word reserved[7];
  alignas(kLineBytes) Event released;  // a buffer became free, or may be found free by a scan
};

inline constexpr Field kPoolControlFields[] = {SAPBUF_FIELD(PoolControl, count), SAPBUF_FIELD(PoolControl, reserved),
                                               SAPBUF_FIELD(PoolControl, released)};
static_assert(sizeof(PoolControl) == 128 && covers(kPoolControlFields, sizeof(PoolControl)));

}  // namespace sapbuf::layout
