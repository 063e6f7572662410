#include "sapbuf/wait_for_stream.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/stop.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

std::optional<Stream> wait_for_stream(const std::string& name, const std::function<bool()>& is_over) {
  bool told = false;
  while (!stop_requested() && !is_over()) {
    try {
      return open_stream(parse_stream_name(name));
    } catch (const Error& error) {
      if (error.errc() != Errc::not_found) throw;
    }
    if (!std::exchange(told, true)) spdlog::info("waiting for {} to be made", name);
    sleep_unless_stopped(kStopSlice);
  }
  return std::nullopt;
}

}  // namespace sapbuf::tools
