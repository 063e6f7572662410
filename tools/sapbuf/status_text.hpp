// A snapshot for people.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>

#include "sapbuf/participant_filter.hpp"

namespace sapbuf::tools {

// The segment with its stream `main`, and a line for everything else that is in it.
std::string segment_text(const Snapshot& snapshot, const ParticipantFilter& filter);
// One stream, which the snapshot must have.
std::string stream_text(const Snapshot& snapshot, std::string_view stream, const ParticipantFilter& filter);
std::string pool_text(const Snapshot& snapshot, const FacilitySnapshot& pool, const ParticipantFilter& filter);
std::string queue_text(const Snapshot& snapshot, const FacilitySnapshot& queue, const ParticipantFilter& filter);
std::string cell_text(const Snapshot& snapshot, const FacilitySnapshot& cell, const ParticipantFilter& filter);
std::string map_text(const Snapshot& snapshot, const FacilitySnapshot& map, const ParticipantFilter& filter);

}  // namespace sapbuf::tools
