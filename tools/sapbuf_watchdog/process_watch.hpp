// The processes behind a segment's participants, as far as the kernel tells of their end.
#pragma once

#include <sapbuf/inspect.hpp>
#include <vector>

#include "common/process.hpp"

namespace sapbuf::tools {

// A pidfd becomes readable when its process has ended; by then the kernel has dropped the liveness lock. Processes in
// another pid namespace have none, and their deaths are found at the next interval.
class ProcessWatch {
 public:
  // Takes up processes that are new in `snapshot`, and drops those that are not in it any more. True if one of the new
  // ones has ended already: nothing will tell of that any more.
  bool update(const Snapshot& snapshot);
  // The process was seen to end: its descriptor would stay readable for ever.
  void drop(int fd);
  void clear() noexcept { watched_.clear(); }

  // Calls `visit` with each descriptor.
  template <class Visit>
  void each(Visit visit) const {
    for (const Watched& watched : watched_) {
      if (watched.process) visit(watched.process.get());
    }
  }

 private:
  // One process, whatever number of handles it has.
  struct Watched {
    std::int32_t pid = 0;
    std::uint64_t start_time = 0;
    std::uint64_t pid_namespace = 0;
    Descriptor process;  // empty if there is none to be had, or once it ended
    bool seen = true;    // in the latest snapshot
  };

  Watched* find(const ParticipantSnapshot& participant);

  std::vector<Watched> watched_;
};

}  // namespace sapbuf::tools
