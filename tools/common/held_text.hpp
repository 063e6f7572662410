// What queues and maps hold, in words.
#pragma once

#include <sapbuf/inspect.hpp>
#include <string>

namespace sapbuf::tools {

// "8 blocks, 1 dead letter, 15 keys"; empty if it is nothing.
std::string held_text(const FacilitySnapshot& facility);
std::string held_text(const Snapshot& snapshot);

}  // namespace sapbuf::tools
