// Taking a pool, map or queue out of its segment.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string_view>

#include "sapbuf/facility_name.hpp"

namespace sapbuf::tools {

// Calls `remove` if that is one of this kind ("pool"), and nobody uses it; its kind alone counts: one that cannot be
// read is removed, too. Says that it is gone. Throws Failure where it is not there, is something else, or is in use.
// With `force` also a queue that holds blocks, otherwise that is a Failure, too.
void rm_facility(const FacilityName& name, std::string_view kind, bool (*remove)(const Segment&, std::string_view),
                 bool force = false);

}  // namespace sapbuf::tools
