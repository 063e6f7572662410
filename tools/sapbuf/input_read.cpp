#include "sapbuf/input_read.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "common/stop.hpp"

namespace sapbuf::tools {

InputRead read_input(int fd, char* to, std::size_t room) {
  const ssize_t got = ::read(fd, to, room);
  if (got > 0) return {InputRead::Outcome::some, static_cast<std::size_t>(got)};
  if (got == 0) return {stop_requested() ? InputRead::Outcome::nothing : InputRead::Outcome::end};
  if (errno == EINTR) return {InputRead::Outcome::nothing};
  if (errno != EAGAIN) return {InputRead::Outcome::failed};
  pollfd input{fd, POLLIN, 0};
  ::poll(&input, 1, static_cast<int>(kStopSlice.count()));
  return {InputRead::Outcome::nothing};
}

}  // namespace sapbuf::tools
