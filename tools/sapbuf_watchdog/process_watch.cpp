#include "sapbuf_watchdog/process_watch.hpp"

#include <algorithm>

namespace sapbuf::tools {

ProcessWatch::Watched* ProcessWatch::find(const ParticipantSnapshot& participant) {
  const auto found = std::find_if(watched_.begin(), watched_.end(), [&](const Watched& watched) {
    return watched.pid == participant.pid && watched.start_time == participant.start_time &&
           watched.pid_namespace == participant.pid_namespace;
  });
  return found == watched_.end() ? nullptr : &*found;
}

bool ProcessWatch::update(const Snapshot& snapshot) {
  bool one_has_ended = false;
  for (Watched& watched : watched_) watched.seen = false;
  for (const ParticipantSnapshot& participant : snapshot.participants) {
    if (Watched* known = find(participant)) {
      known->seen = true;
    } else {
      // Kept even without a descriptor, so that a process that cannot be had is not asked for at every interval.
      watched_.push_back(
          {participant.pid, participant.start_time, participant.pid_namespace, open_process(participant)});
      one_has_ended = one_has_ended || (!watched_.back().process && is_gone(participant));
    }
  }
  std::erase_if(watched_, [](const Watched& watched) { return !watched.seen; });
  return one_has_ended;
}

void ProcessWatch::drop(int fd) {
  for (Watched& watched : watched_) {
    if (watched.process.get() == fd) watched.process = Descriptor{};
  }
}

}  // namespace sapbuf::tools
