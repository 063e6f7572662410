// A map's snapshot for people.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <vector>

#include "sapbuf/participant_filter.hpp"

namespace sapbuf::tools {

// "12 keys of 1,024, ..."
std::string map_in_short(const MapSnapshot& map);
// Those who read and write it, and what those did who are gone.
std::string map_table(const ShownParticipants& attached, const MapSnapshot& map);

}  // namespace sapbuf::tools
