// Kills a process after a given number of instructions of one operation: PTRACE_SINGLESTEP.
#pragma once

#include <cstdint>
#include <functional>

namespace sapbuf::test {

struct StepResult {
  std::uint64_t steps = 0;  // instructions that were executed
  bool finished = false;    // the operation came to its end before the limit
  bool failed = false;      // the child ended by itself, or broke
};

// Forks a child that calls `prepare`, which returns the operation; steps through the operation, and kills the child
// with SIGKILL after `limit` instructions, or at the operation's end.
StepResult kill_after(std::uint64_t limit, const std::function<std::function<void()>()>& prepare);

// Whether this machine lets a process step through its child.
bool can_step();

}  // namespace sapbuf::test
