// The directory of all segments, for --all: learns of new ones when they appear.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/process.hpp"

namespace sapbuf::tools {

class SegmentDirectory {
 public:
  SegmentDirectory();

  // To poll for; -1 where the system cannot tell of changes.
  int fd() const noexcept { return inotify_.get(); }

  // True if a look at the list of segments is due: something appeared or went, or there was no look for a while.
  bool is_due();

 private:
  using Clock = std::chrono::steady_clock;

  bool segment_changed();

  Descriptor inotify_;
  Clock::time_point next_{};
};

}  // namespace sapbuf::tools
