// Whether a descriptor is readable: what poll says.
#pragma once

#include <poll.h>

#include <chrono>

#include "support/child.hpp"

namespace sapbuf::test {

inline bool is_readable_within(int descriptor, std::chrono::milliseconds time) {
  pollfd asked{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&asked, 1, static_cast<int>(time.count())) == 1 && (asked.revents & POLLIN) != 0;
}
inline bool is_readable(int descriptor) { return is_readable_within(descriptor, std::chrono::milliseconds{0}); }
inline bool becomes_readable(int descriptor) { return is_readable_within(descriptor, kPatience); }

}  // namespace sapbuf::test
