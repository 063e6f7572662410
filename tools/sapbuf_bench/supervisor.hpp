// Measurements leave nothing behind, whatever ends them: they run in a process of their own, and another one waits.
#pragma once

#include <functional>

namespace sapbuf::bench {

// What `work` returns, which runs in a child; 1 if it ends in another way, or if a signal asks to end it (SIGINT,
// SIGTERM, SIGHUP): then its processes are killed. In any case its files are removed.
int supervise(const std::function<int()>& work);

}  // namespace sapbuf::bench
