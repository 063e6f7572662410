#include "processes.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

namespace sapbuf::bench {

namespace {

// The cores that this program was given, before it pinned itself to one.
const cpu_set_t kGiven = [] {
  cpu_set_t given;
  CPU_ZERO(&given);
  if (::sched_getaffinity(0, sizeof given, &given) != 0) CPU_SET(0, &given);
  return given;
}();

}  // namespace

unsigned cores() noexcept { return static_cast<unsigned>(CPU_COUNT(&kGiven)); }

void pin_to(unsigned core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  int index = -1;
  for (unsigned i = 0; i <= core % cores(); ++i) {
    do {
      ++index;
    } while (!CPU_ISSET(index, &kGiven));
  }
  CPU_SET(index, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

void unpin() noexcept { ::sched_setaffinity(0, sizeof kGiven, &kGiven); }

Pipe::Pipe() {
  if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
}

Pipe::~Pipe() {
  ::close(ends_[0]);
  ::close(ends_[1]);
}

void Pipe::send(std::uint64_t value) const {
  if (::write(ends_[1], &value, sizeof value) != sizeof value) throw std::runtime_error("a process of the run is gone");
}

std::uint64_t Pipe::receive() const {
  std::uint64_t value = 0;
  if (::read(ends_[0], &value, sizeof value) != sizeof value) throw std::runtime_error("a process of the run is gone");
  return value;
}

pid_t start(std::optional<unsigned> core, const Pipe& results, const std::function<void()>& code) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  core ? pin_to(*core) : unpin();
  int status = 0;
  try {
    code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sapbuf-bench: %s\n", error.what());
    results.send(kFailed);
    status = 1;
  }
  ::_exit(status);
}

void wait_for_end(pid_t child) noexcept { ::waitpid(child, nullptr, 0); }

}  // namespace sapbuf::bench
