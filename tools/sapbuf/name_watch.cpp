#include "sapbuf/name_watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/segment_file.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

bool NameWatch::is_gone() {
  next_look_ = Clock::now() + std::chrono::seconds{1};
  if (is_current_()) return gone_ = false;
  if (!std::exchange(gone_, true)) {
    spdlog::warn(
        "{} was {}: going on with those that are still attached to it; whoever opens it by its name now is not "
        "reached",
        title_of(segment_.name(), name_), identify_segment(segment_.name()) ? "removed, and made anew" : "removed");
  }
  return true;
}

bool NameWatch::is_gone_without(Role role) {
  if (!is_gone()) return false;
  recover(segment_);
  const Snapshot snapshot = inspect(segment_, {.lag = false});
  return std::none_of(snapshot.participants.begin(), snapshot.participants.end(), [&](const auto& participant) {
    return participant.facility == name_ && participant.role == role;
  });
}

}  // namespace sapbuf::tools
