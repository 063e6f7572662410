// What must hold in every segment, whatever its participants did, read from its words.
//
//   cursor        points into the one slab that is active; past the slab's end by one claim of each participant at most
//   generations   no two slabs have the same; at most one slab is being reclaimed; a lossless stream has no gap
//   closed        a closed generation is one unbroken chain of frames, and agrees with its table, limit and counts
//   open          what is claimed has an owner, and what is not claimed is clean; no place belongs to two
//   slots         in use if, and only if, the slot's lock is held; a free one keeps nothing
//   readers       hold what is there, and nothing that is yet to come
//   ledger        what was committed is what is found, and what went before it
//   journal       every death that was noticed was settled
#pragma once

#include <string>

#include <sapbuf/segment.hpp>

namespace sapbuf::test {

// What may be half done while this looks. Nobody may run meanwhile.
enum class Motion {
  none,  // everybody is outside the library's calls (with reservations and ranges open, perhaps); the dead are settled
  stopped,  // participants stand between any two stores, dead or alive
};

// Says which one does not hold; nothing if all do.
std::string broken_invariant(const Segment& segment, Motion motion = Motion::none);
// Throws std::runtime_error with that text.
void check_invariants(const Segment& segment, Motion motion = Motion::none);

}  // namespace sapbuf::test
