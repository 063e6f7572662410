// Streams that are not there yet.
#pragma once

#include <functional>
#include <optional>
#include <sapbuf/stream.hpp>
#include <string>

namespace sapbuf::tools {

// The stream of that name, as it was typed, once there is one; says that it waits. Nothing if a signal came, or `is_over`, before that.
std::optional<Stream> wait_for_stream(const std::string& name, const std::function<bool()>& is_over);

}  // namespace sapbuf::tools
