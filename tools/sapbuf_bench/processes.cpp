#include "processes.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace sapbuf::bench {

unsigned cores() noexcept { return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

void pin_to(unsigned core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % cores(), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

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

pid_t start(unsigned core, const Pipe& results, const std::function<void()>& code) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to(core);
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
