// What must hold in every pool, whatever its users did, read from its words.
//
//   control       as many buffers as there is room for
//   words         say nothing that there is not; a local one is somebody's who is there
//   magazines     no deeper than they are, and name a buffer once
//   roots         of those who are there keep a shared buffer
//   slots         a free one keeps nothing
#pragma once

#include "support/invariants.hpp"

#include <sapbuf/pool.hpp>

namespace sapbuf::test {

// Says which one does not hold; nothing if all do.
std::string broken_pool_invariant(const Pool& pool, Motion motion = Motion::none);

}  // namespace sapbuf::test
