// The flip: from a slab that has no room to the next one.
//
// Under the stream's lock, every step repeatable:
//
//   1. finish what a dead flipper left    an older slab that still says `active` is sealed
//   2. take a free slab                   one that a dead flipper prepared, a free one, or one that can be reclaimed
//   3. prepare it: next generation        killed after: the next flipper finds it prepared
//   4. old slab: limit = cursor's offset; cursor: old -> {next generation, slab, 0}, by compare-exchange, and again
//      while claims come in               killed between: claims go on in the old slab; the next one stores a new limit
//   5. old slab: sealed                   killed before: step 1 of the next one
//   6. wake who waits for space
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

enum class FlipResult {
  done,      // the cursor is in a later generation than the one given: by us, or by somebody else
  full,      // no slab can be had now
  cleaning,  // a slab was cleaned a little further: call again
  busy,      // somebody else holds the maintenance lock
  corrupt,   // the words contradict themselves
};

// Moves the stream on from `generation`, in which the caller found no room.
FlipResult flip(StreamCore& core, std::uint64_t generation) noexcept;

}  // namespace SAPBUF_DETAIL
