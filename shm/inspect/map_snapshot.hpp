// What a map looks like now: see inspect/snapshot.cpp.
#pragma once

#include <sapbuf/inspect.hpp>

#include "map/map_core.hpp"

namespace SAPBUF_DETAIL {

MapSnapshot look_at_map(MapCore& map);
// `participants` are the map's own.
void look_at_editors(MapCore& map, std::vector<ParticipantSnapshot>& participants, MapSnapshot& snapshot);

}  // namespace SAPBUF_DETAIL
