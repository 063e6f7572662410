// The directory of all segments, for --all: learns of new ones when they appear.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "common/process.hpp"

namespace sapbuf::tools {

struct ListedStream {
  std::string name;
  uid_t owner = 0;
};

// What has a segment's name. Only plain files are streams: nobody opens what else may be there.
struct Listing {
  std::vector<ListedStream> streams;  // that this process may open
  std::size_t foreign = 0;            // that it may not
  std::size_t too_many = 0;           // of users that have more than is watched for one user (root's are all watched)
};
// Throws Error, or what the standard library throws.
Listing list_streams();

// Tells of what `list_streams` left out, whenever that changes from none to some.
class LeftOut {
 public:
  void tell(const Listing& listing);

 private:
  bool foreign_told_ = false;
  bool too_many_told_ = false;
};

class SegmentDirectory {
 public:
  SegmentDirectory();

  // To poll for; -1 where the system cannot tell of changes.
  int fd() const noexcept { return inotify_.get(); }

  // True if a look at the list of segments is due: something appeared or went, or there was no look for a while.
  // Whoever fills the directory does not keep this process busy with it: a look that took long is not followed by
  // another one at once.
  bool is_due();
  std::chrono::steady_clock::time_point next() const noexcept {
    return changed_ ? not_before_ : std::max(not_before_, next_);
  }
  // That look is over.
  void looked(std::chrono::steady_clock::duration it_took);

 private:
  using Clock = std::chrono::steady_clock;

  bool segment_changed();

  Descriptor inotify_;
  Clock::time_point next_{};
  Clock::time_point not_before_{};
  bool changed_ = false;
};

}  // namespace sapbuf::tools
