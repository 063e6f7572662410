#include "step/stepper.hpp"

#include <elf.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace sapbuf::test {
namespace {

// In the child: the first SIGSTOP marks the operation's beginning, the second its end.
[[noreturn]] void run_child(const Prepare& prepare) {
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

long peek(pid_t pid, std::uintptr_t address) {
  errno = 0;
  const long word = ::ptrace(PTRACE_PEEKTEXT, pid, reinterpret_cast<void*>(address), nullptr);
  if (errno != 0) throw std::runtime_error("cannot read the child's instructions");
  return word;
}

#if defined(__x86_64__)
constexpr std::uint64_t kSystemCall = 0x050f;
constexpr std::uint64_t kSystemCallMask = 0xffff;
constexpr long kBreakpoint = 0xcc;
#elif defined(__aarch64__)
constexpr std::uint64_t kSystemCall = 0xd4000001;
constexpr std::uint64_t kSystemCallMask = 0xffe0001f;
#else
#error "stepping is known for x86-64 and aarch64 only"
#endif

user_regs_struct registers_of(pid_t pid) {
  user_regs_struct registers{};
  iovec span{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &span) != 0) throw std::runtime_error("the child has no registers");
  return registers;
}

}  // namespace

SteppedProcess::SteppedProcess(const Prepare& prepare) : pid_(::fork()) {
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) run_child(prepare);
  if (stopped_by(SIGSTOP) == State::finished) state_ = State::stepping;
}

// How the child stands after it was let go: `expected_signal` or the SIGSTOP of its end, or it is broken.
SteppedProcess::State SteppedProcess::stopped_by(int expected_signal) {
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status)) {
    pid_ = -1;
    return state_ = State::broken;
  }
  if (WSTOPSIG(status) == SIGSTOP) return state_ = State::finished;
  return state_ = WSTOPSIG(status) == expected_signal ? State::stepping : State::broken;
}

void SteppedProcess::resume(int request) {
  if (::ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, nullptr) != 0) {
    throw std::runtime_error("cannot let the child go on");
  }
}

std::uintptr_t SteppedProcess::address() const {
#if defined(__x86_64__)
  return registers_of(pid_).rip;
#else
  return registers_of(pid_).pc;
#endif
}

bool SteppedProcess::at_system_call() {
  const auto [found, is_new] = system_calls_.try_emplace(address(), false);
  if (is_new) found->second = (static_cast<std::uint64_t>(peek(pid_, found->first)) & kSystemCallMask) == kSystemCall;
  return found->second;
}

SteppedProcess::State SteppedProcess::step() {
  resume(PTRACE_SINGLESTEP);
  return stopped_by(SIGTRAP);
}

#if defined(__x86_64__)
SteppedProcess::State SteppedProcess::run_to(std::uintptr_t address, std::uint64_t arrivals) {
  void* const place = reinterpret_cast<void*>(address);
  const long original = peek(pid_, address);
  std::uint64_t seen = this->address() == address ? 1 : 0;
  while (seen < arrivals) {
    while (this->address() == address) {
      if (step() != State::stepping) return state_;
    }
    ::ptrace(PTRACE_POKETEXT, pid_, place, reinterpret_cast<void*>((original & ~0xffl) | kBreakpoint));
    resume(PTRACE_CONT);
    if (stopped_by(SIGTRAP) != State::stepping) return state_;
    ::ptrace(PTRACE_POKETEXT, pid_, place, reinterpret_cast<void*>(original));
    user_regs_struct registers = registers_of(pid_);
    if (registers.rip != address + 1) return state_ = State::broken;
    registers.rip = address;
    ::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers);
    ++seen;
  }
  return state_;
}
#else
SteppedProcess::State SteppedProcess::run_to(std::uintptr_t, std::uint64_t) { return state_ = State::broken; }
#endif

SteppedProcess::State SteppedProcess::run_to_end() {
  if (state_ != State::stepping) return state_;
  resume(PTRACE_CONT);
  if (stopped_by(SIGTRAP) == State::stepping) state_ = State::broken;
  return state_;
}

void SteppedProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool can_step() {
  SteppedProcess child{[] { return [] { ::getpid(); }; }};
  return child.state() == SteppedProcess::State::stepping && child.step() == SteppedProcess::State::stepping;
}

}  // namespace sapbuf::test
