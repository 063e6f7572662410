// The scan: finding shared buffers that nobody holds any more.
//
// A shared buffer is not counted by its holders: each of them has it among its own roots. So letting go of one costs a
// store, whoever dies takes nothing with him, and a buffer is free when somebody needs it, not when the last one lets
// go.
//
//   scan                                      whoever adopts
//   1. no root at a first look: word = dying  root; light fence
//   2. heavy fence                            the word says shared: it is held
//   3. all roots once more                                  dying:  compare-exchange to shared: it is held
//   4. a root: shared again; none: free                     else:   the reference was stale; the root is cleared
//
// One of the two sees the other: either the root is there at step 3, or the word says `dying` when the adopter looks.
// Roots are those of the pool's users, and of other facilities of the segment (Facility::collect_roots): where these
// cannot be told, nothing is freed.
//   killed between two steps    words that say `dying`: the next scan decides
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// Frees what nobody holds; returns how many buffers that were. Under the pool's lock.
std::uint32_t free_unrooted(PoolCore& core);
// Whether there is anything for a scan to find, now or later.
bool any_shared(const PoolCore& core) noexcept;

}  // namespace SAPBUF_DETAIL
