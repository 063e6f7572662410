#include "sapbuf/name_watch.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sapbuf::tools {

NamedSegment open_named_segment(const std::string& name) {
  // The file that stood there before and after is the one that was opened between.
  for (;;) {
    const auto before = identify_segment(name);
    const Segment segment = Segment::open(name);
    if (before && identify_segment(name) == before) return {segment, *before};
  }
}

bool NameWatch::is_gone() {
  next_look_ = Clock::now() + std::chrono::seconds{1};
  const std::string& name = segment_.name();
  errno = 0;
  const auto now = identify_segment(name);
  if (now ? *now == file_ : errno != ENOENT) return gone_ = false;
  if (!std::exchange(gone_, true)) {
    spdlog::warn(
        "{} was {}: going on with those that are still attached to it; whoever opens it by its name now is not "
        "reached",
        name, now ? "removed, and made anew" : "removed");
  }
  return true;
}

std::size_t count_participants(const Segment& segment, Role role) {
  recover(segment);
  const Snapshot snapshot = inspect(segment);
  return static_cast<std::size_t>(std::count_if(snapshot.participants.begin(), snapshot.participants.end(),
                                                [&](const auto& participant) { return participant.role == role; }));
}

}  // namespace sapbuf::tools
