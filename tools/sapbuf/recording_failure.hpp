// What people and scripts are told of a recording that cannot be written or read.
#pragma once

#include <functional>
#include <string>

namespace sapbuf::tools {

// Runs `part`; throws Failure in place of RecordingError. `if_exists`: what to do where the file is there already.
int with_recording_failures(const std::function<int()>& part, const std::string& if_exists = "");

}  // namespace sapbuf::tools
