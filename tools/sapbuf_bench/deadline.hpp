// A limit for a figure: what waits for processes that never deliver (a peer that is stuck, a process that was stopped)
// would wait for ever.
#pragma once

#include <string>

namespace sapbuf::bench {

// Ends this process with an error that names `what`, unless the object is gone by then. Its children must die with it.
// One at a time.
class Deadline {
 public:
  Deadline(unsigned seconds, const std::string& what);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline();
};

}  // namespace sapbuf::bench
