#include "supervisor.hpp"

#include <fmt/format.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

namespace sapbuf::bench {
namespace {

sigset_t awaited() noexcept {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::sigaddset(&signals, signal);
  return signals;
}

// Everything that a run makes is named after it: in shared memory sapbuf.bench.*PID, or sapbuf-bench.*PID if it is no
// segment; sapbuf-bench.PID in /tmp; and a queue of messages, which is in no folder.
void remove_files_of(pid_t run) noexcept {
  const std::string number = fmt::format(".{}", run);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{"/dev/shm", error}) {
    const std::string name = entry.path().filename();
    std::error_code ignored;
    const bool is_of_a_run = name.starts_with("sapbuf.bench.") || name.starts_with("sapbuf-bench.");
    if (is_of_a_run && name.ends_with(number)) std::filesystem::remove_all(entry.path(), ignored);
  }
  std::filesystem::remove("/tmp/sapbuf-bench" + number, error);
  ::mq_unlink(("/sapbuf.bench.mq" + number).c_str());
}

}  // namespace

int supervise(const std::function<int()>& work) {
  const sigset_t signals = awaited();
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t run = ::fork();
  if (run < 0) throw std::system_error(errno, std::generic_category(), "cannot fork");
  if (run == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    const int result = work();
    std::fflush(nullptr);
    ::_exit(result);
  }
  int status = 0;
  while (::waitpid(run, &status, WNOHANG) == 0) {
    const int got = ::sigwaitinfo(&signals, nullptr);
    if (got < 0 || got == SIGCHLD) continue;
    ::kill(run, SIGKILL);  // the processes of the run are killed with it
    ::waitpid(run, &status, 0);
    break;
  }
  remove_files_of(run);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  fmt::print(stderr, "\nsapbuf-bench: ended before it was done\n");
  return 1;
}

}  // namespace sapbuf::bench
