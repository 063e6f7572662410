#include "sapbuf/name_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/segment_file.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

bool NameWatch::is_gone() {
  next_look_ = Clock::now() + std::chrono::seconds{1};
  if (stream_.is_current()) return gone_ = false;
  if (!std::exchange(gone_, true)) {
    spdlog::warn(
        "{} was {}: going on with those that are still attached to it; whoever opens it by its name now is not "
        "reached",
        title_of(stream_), identify_segment(stream_.segment().name()) ? "removed, and made anew" : "removed");
  }
  return true;
}

std::size_t count_participants(const Stream& stream, Role role) {
  recover(stream.segment());
  const Snapshot snapshot = inspect(stream.segment(), {.lag = false});
  return static_cast<std::size_t>(std::count_if(
      snapshot.participants.begin(), snapshot.participants.end(),
      [&](const auto& participant) { return participant.facility == stream.name() && participant.role == role; }));
}

}  // namespace sapbuf::tools
