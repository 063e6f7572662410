#include "support/system_calls.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <ctime>
#include <stdexcept>
#include <string>

#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

constexpr std::size_t kMost = 64;
constexpr int kRefused = 3;
constexpr int kFinished = 4;

// In memory that the child shares with its parent.
struct Record {
  std::atomic<std::size_t> count;
  std::atomic<long> calls[kMost];
};

Record* record = nullptr;  // in the child

void note(int, siginfo_t* info, void*) {
  const std::size_t index = record->count.fetch_add(1);
  if (index < kMost) record->calls[index] = info->si_syscall;
}

// From here on every system call comes to `note` instead, but for those that end the handler and the process. The
// machine's number is not asked for: a process that was built for another one is not run here.
bool begin_to_note() {
  struct sigaction action {};
  action.sa_sigaction = note;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return false;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const sock_fprog program{sizeof filter / sizeof filter[0], filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

std::optional<std::vector<long>> system_calls_of(const Prepare& prepare) {
  const SharedMemory memory{sizeof(Record)};
  Child child{[&](Link&) {
    record = &memory.as<Record>();
    const std::function<void()> operation = prepare();
    if (!begin_to_note()) ::_exit(kRefused);
    operation();
    ::_exit(kFinished);  // before anything is given back
  }};
  const int status = child.wait();
  if (status == kRefused) return std::nullopt;
  if (status != kFinished) throw std::runtime_error("the child ended with " + std::to_string(status));
  const Record& found = memory.as<Record>();
  return std::vector<long>(found.calls, found.calls + std::min<std::size_t>(found.count, kMost));
}

std::string why_calls_cannot_be_seen() {
  if (kSlow) return "a sanitizer makes system calls of its own";
  const auto calls = system_calls_of([] {
    return [] {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    };
  });
  if (!calls) return "seccomp(2) is refused";
  return calls->empty() ? "" : "to look at the clock is a system call on this machine";
}

}  // namespace sapbuf::test
