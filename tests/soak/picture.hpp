// The deaths as a picture: when each was noticed, and when what the dead held was taken back.
#pragma once

#include <string>

#include "soak/report.hpp"

namespace sapbuf::soak {

// SVG, complete in itself; follows the viewer's light or dark scheme.
std::string picture(const Report& report);

}  // namespace sapbuf::soak
