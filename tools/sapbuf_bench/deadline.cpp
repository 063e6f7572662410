#include "deadline.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace sapbuf::bench {
namespace {

std::string message;  // written before the alarm is set, and only read by its handler

void give_up(int) noexcept {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message.data(), message.size());
  ::_exit(1);
}

}  // namespace

Deadline::Deadline(unsigned seconds, const std::string& what) {
  message = fmt::format("\nsapbuf-bench: {}: nothing came of it for {} s\n", what, seconds);
  ::signal(SIGALRM, give_up);
  ::alarm(seconds);
}

Deadline::~Deadline() { ::alarm(0); }

}  // namespace sapbuf::bench
