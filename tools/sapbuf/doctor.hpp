// The checks of `sapbuf doctor`.
#pragma once

#include <string>
#include <vector>

namespace sapbuf::tools {

enum class Mark {
  ok,
  warning,  // works, but may bite
  bad,      // does not work, or something is left that should not be
};

struct Finding {
  std::string check;
  Mark mark = Mark::ok;
  std::string text;    // what was found, and what it means
  std::string remedy;  // what to do about it, a command to paste at its end; empty if nothing
};

Finding check_shared_memory();
Finding check_space();  // what bounds the size of a new stream
Finding check_remove_ipc();
Finding check_liveness_locks();
Finding check_membarrier();
Finding check_watchdog();  // whether one runs
// One or more for each segment.
std::vector<Finding> check_segments();
// One for each stream that was removed, and is still kept.
std::vector<Finding> check_left_behind();

}  // namespace sapbuf::tools
