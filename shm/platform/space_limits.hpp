// What limits the memory of a segment, for bytes that come behind others of its file.
#pragma once

#include <cstdint>
#include <vector>

#include <sapbuf/limits.hpp>

namespace sapbuf::platform {

// As space_limits(); of the file size limit, what is left behind `offset`.
std::vector<SpaceLimit> space_limits_behind(std::uint64_t offset);

}  // namespace sapbuf::platform
