#include "crash/step/stepper.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace sapbuf::test {
namespace {

// In the child: the first SIGSTOP marks the operation's beginning, the second its end.
[[noreturn]] void run_child(const std::function<std::function<void()>()>& prepare) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const std::function<void()> operation = prepare();
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(3);
    ::raise(SIGSTOP);
    operation();
    ::raise(SIGSTOP);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

StepResult kill_after(std::uint64_t limit, const std::function<std::function<void()>()>& prepare) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) run_child(prepare);

  StepResult result;
  int status = 0;
  ::waitpid(child, &status, 0);
  result.failed = !WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP;
  while (!result.failed && !result.finished && result.steps < limit) {
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0 || ::waitpid(child, &status, 0) != child ||
        !WIFSTOPPED(status)) {
      result.failed = true;
      break;
    }
    if (WSTOPSIG(status) == SIGSTOP) {
      result.finished = true;
    } else if (WSTOPSIG(status) != SIGTRAP) {
      result.failed = true;
    } else {
      ++result.steps;
    }
  }
  ::kill(child, SIGKILL);
  if (!WIFEXITED(status) && !WIFSIGNALED(status)) ::waitpid(child, &status, 0);
  return result;
}

bool can_step() {
  const StepResult result = kill_after(10, [] { return [] { ::getpid(); }; });
  return !result.failed && result.steps != 0;
}

}  // namespace sapbuf::test
