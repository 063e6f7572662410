// One read from a descriptor that may be slow, non-blocking, or interrupted by a signal.
#pragma once

#include <cstddef>

namespace sapbuf::tools {

struct InputRead {
  enum class Outcome {
    some,     // `bytes` were read, one at the least
    nothing,  // none yet: look whether a signal asked to stop, and read again
    end,      // not once a signal asked to stop: it may have ended whoever wrote, in the middle of something
    failed,   // errno says why
  };
  Outcome outcome;
  std::size_t bytes = 0;
};

// Up to `room` bytes, which is not 0. Where nothing is there yet, it waits for some; briefly, if the descriptor is non-blocking.
InputRead read_input(int fd, char* to, std::size_t room);

}  // namespace sapbuf::tools
