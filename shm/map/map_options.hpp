// From a map's options to its geometry and back, what differs between two sets of them, and how a map and its pool are
// made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/map.hpp>

#include "map/map_core.hpp"

namespace SAPBUF_DETAIL {

// Throws Error (corrupt).
MapOptions options_of(MapCore& map);

// "keys 64, not 8"; empty if a map made with `asked` would be the same as the one that is there.
std::vector<std::string> differences(const MapOptions& there, const MapOptions& asked);

// Makes the map, and its pool if it is to have its own. Throws Error: invalid_argument for options that cannot work,
// not_found for a pool that is not there, exists, busy, no_space.
void make_map(SegmentCore& segment, std::string_view name, const MapOptions& options);
// Removes both. False if there is no map of that name. Throws Error: busy, incompatible.
bool remove_map(SegmentCore& segment, std::string_view name);

}  // namespace SAPBUF_DETAIL
