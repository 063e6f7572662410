// A process under ptrace that is taken through one operation instruction by instruction.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <unordered_map>

namespace sapbuf::test {

// The code of the child: comes to where the operation begins, and returns the operation.
using Prepare = std::function<std::function<void()>()>;

class SteppedProcess {
 public:
  enum class State {
    stepping,  // stopped between two instructions of the operation
    finished,  // the operation came to its end; the process still lives, attached to all that it had
    broken,    // the process ended by itself, or cannot be stepped
  };

  // Forks; the child is stopped before the operation's first instruction.
  explicit SteppedProcess(const Prepare& prepare);
  SteppedProcess(const SteppedProcess&) = delete;
  SteppedProcess& operator=(const SteppedProcess&) = delete;
  ~SteppedProcess() { kill(); }

  State state() const noexcept { return state_; }
  // The next instruction's address, and whether it is a system call. An interrupted string instruction counts as one
  // instruction for each repetition, all with the same address.
  std::uintptr_t address() const;
  bool at_system_call();

  State step();
  // Runs at full speed until the process stands before the instruction at `address` for the `arrivals`-th time, as
  // counted from the operation's beginning; repetitions of a string instruction are one arrival. A machine without
  // breakpoints here (not x86-64) says broken.
  State run_to(std::uintptr_t address, std::uint64_t arrivals);

  // Runs at full speed to the operation's end.
  State run_to_end();

  // SIGKILL, and reaps it.
  void kill();

 private:
  State stopped_by(int expected_signal);
  void resume(int request);

  pid_t pid_ = -1;
  State state_ = State::stepping;
  std::unordered_map<std::uintptr_t, bool> system_calls_;  // by address: what stands there
};

// Whether this machine lets a process step through its child.
bool can_step();

}  // namespace sapbuf::test
