// What a tool says that a signal stopped before the end of its input: it ends with kFailure, for whoever goes on only if all
// was handed over.
#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace sapbuf::tools {

// `handed_over`: "3 messages"; `done`: "published".
inline void tell_stopped(const std::string& handed_over, std::string_view done) {
  spdlog::error("stopped by a signal: {} {}, the rest of the input was not", handed_over, done);
}

}  // namespace sapbuf::tools
