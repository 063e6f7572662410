#include "common/output.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "common/exit_code.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

// How long an output that takes nothing may delay the end.
constexpr std::chrono::seconds kPatienceAfterStop{1};

// A descriptor that somebody else made non-blocking.
void wait_until_writable() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  ::poll(&output, 1, static_cast<int>(kStopSlice.count()));
}

}  // namespace

void Output::flush() { write_all(buffer_.get(), std::exchange(used_, 0)); }

void Output::append_slow(const char* bytes, std::size_t size, std::size_t newlines) {
  flush();
  if (size < kBufferBytes) return append(bytes, size, newlines);
  write_all(bytes, size);
  if (newlines != 0) buffer_[used_++] = '\n';
}

void Output::write_all(const char* bytes, std::size_t size) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point give_up{};  // set once the output is slow and a signal asked to stop
  while (size != 0 && !closed_) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes, size);
    if (written >= 0) {
      bytes += written;
      size -= static_cast<std::size_t>(written);
      give_up = {};
      continue;
    }
    if (errno == EPIPE) {
      closed_ = true;
      return;
    }
    if (errno == EAGAIN) {
      wait_until_writable();
    } else if (errno != EINTR) {
      throw Failure(kFailure, fmt::format("cannot write to standard output: {}", std::strerror(errno)));
    }
    if (!stop_requested()) continue;
    const Clock::time_point now = Clock::now();
    if (give_up == Clock::time_point{}) give_up = now + kPatienceAfterStop;
    if (now >= give_up) {
      throw Failure(kFailure, fmt::format("nobody reads standard output: the last {} bytes were not written", size));
    }
  }
}

bool Output::look_if_closed() noexcept {
  pollfd output{STDOUT_FILENO, 0, 0};
  if (::poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0) closed_ = true;
  return closed_;
}

void print(std::string_view text) {
  Output output;
  output.put(text);
  output.flush();
}

}  // namespace sapbuf::tools
