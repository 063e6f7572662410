// What must hold in every map, whatever its participants did, read from its words.
//
//   control     as many entries as there is room for, and no more used; as many keys as entries say
//   entries     a used one has a value, whose buffer is shared and says that it is that entry's, and one place that leads there;
//               a free one has none of these; a claim is somebody's who is there
//   index       each place that leads to an entry leads to one that is used
//   slots       a free one keeps nothing
#pragma once

#include "support/invariants.hpp"

#include <sapbuf/map.hpp>

namespace sapbuf::test {

// Says which one does not hold; nothing if all do. Nobody may be at it meanwhile.
std::string broken_map_invariant(const Map& map);

}  // namespace sapbuf::test
