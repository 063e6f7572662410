// How many there are of what, in texts for people.
#pragma once

#include <cstdint>
#include <string>

namespace sapbuf::platform {

// "1 slot", "2 slots".
inline std::string counted(std::uint64_t count, const char* noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

}  // namespace sapbuf::platform
