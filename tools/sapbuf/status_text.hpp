// A snapshot for people.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::tools {

std::string status_text(const Snapshot& snapshot);

}  // namespace sapbuf::tools
