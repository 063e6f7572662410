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
//
// Who took away the root that kept some buffers alone may look at these without the lock, for itself: `dying` says in
// whose name then, so that neither that look nor a scan decides on what the other one has seen. A scan says it anew.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// Frees what nobody holds; returns how many buffers that were. Under the pool's lock.
std::uint32_t free_unrooted(PoolCore& core);
// Of buffers that the roots kept leaves those that nobody keeps any more, and that are dying in the name of `owner`, a
// slot of the pool's users: they are his once their words say so (layout::BufferWord::dying). `collect` gives all roots
// that may keep one, beside those of the pool's users. Throws std::bad_alloc: what is dying then, a scan decides.
void keep_unkept(PoolCore& core, std::uint32_t owner, std::vector<layout::Root>& roots,
                 const std::function<void(std::vector<std::uint64_t>&)>& collect);
// Whether there is anything for a scan to find, now or later.
bool any_shared(const PoolCore& core) noexcept;

}  // namespace SAPBUF_DETAIL
