// A snapshot for people.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>

namespace sapbuf::tools {

// The segment with its stream `main`, and a line for everything else that is in it.
std::string segment_text(const Snapshot& snapshot);
// One stream, which the snapshot must have.
std::string stream_text(const Snapshot& snapshot, std::string_view stream);
std::string pool_text(const Snapshot& snapshot, const FacilitySnapshot& pool);

}  // namespace sapbuf::tools
