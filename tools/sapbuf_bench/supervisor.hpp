// Measurements leave nothing behind, whatever ends them: they run in a process of their own, and another one waits.
#pragma once

#include <functional>

namespace sapbuf::bench {

// What `work` returns, which runs in a child. Where it ends in another way, or a signal asks to end it (SIGINT,
// SIGTERM, SIGHUP), its processes are killed, its files in shared memory are removed, and the result is 1.
int supervise(const std::function<int()>& work);

}  // namespace sapbuf::bench
