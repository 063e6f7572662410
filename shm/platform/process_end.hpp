// A proof that a process has come to its end which the kernel gives earlier than by dropping its locks: to take apart
// the memory of a large process takes it a tenth of a second for each GiB, and a core file takes it seconds.
#pragma once

#include "platform/process_identity.hpp"

namespace sapbuf::platform {

// Whether no thread of that process will ever run its program's code again. True is proved:
//
//   there is no process with its pid, or one that started at another time; or every thread that it has is on its way
//   out of the kernel (PF_EXITING), or has a fatal signal to die of (PF_SIGNALED). The kernel sets these flags in code
//   that never returns to user mode, and never takes them back.
//
// Threads are listed twice, and counted in between: see the source. False also where nothing can be said: a process of
// another boot, of another pid or time namespace, one that /proc hides, a /proc of another pid namespace, no descriptor
// left. What the kernel itself still writes for such a process (asynchronous input, libaio or O_DIRECT, into a
// reservation) is not covered.
bool has_ended(const ProcessIdentity& process) noexcept;

}  // namespace sapbuf::platform
