// What is in use is not removed.
#pragma once

#include <sapbuf/inspect.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

// Throws Failure if any of its participants is alive; `advice` says what to do about them.
void refuse_if_in_use(const std::string& title, const std::vector<ParticipantSnapshot>& participants,
                      const std::string& advice);

}  // namespace sapbuf::tools
