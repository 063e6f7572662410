// sapbuf-watchdog beside what is measured.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "processes.hpp"

namespace sapbuf::bench {

// The watchdog itself, once it watches the segment.
class Watchdog {
 public:
  Watchdog(const std::string& program, const std::string& segment) {
    int log[2];
    if (::pipe(log) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("cannot fork");
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(log[1], STDERR_FILENO);
      ::execl(program.c_str(), program.c_str(), segment.c_str(), static_cast<char*>(nullptr));
      ::_exit(1);
    }
    ::close(log[1]);
    char byte;
    if (::read(log[0], &byte, 1) != 1) throw std::runtime_error("cannot run " + program);
    log_ = log[0];
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    ::kill(child_, SIGKILL);
    wait_for_end(child_);
    ::close(log_);
  }

 private:
  pid_t child_;
  int log_;
};

}  // namespace sapbuf::bench
