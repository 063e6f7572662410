// The processes of a run. Those that are still there at its end are killed.
#pragma once

#include <signal.h>

#include <vector>

#include "processes.hpp"

namespace sapbuf::bench {

class Crew {
 public:
  Crew() = default;
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    for (const pid_t member : members_) ::kill(member, SIGKILL);
    wait_for_ends();
  }
  void add(pid_t member) { members_.push_back(member); }
  void wait_for_ends() noexcept {
    for (const pid_t member : members_) wait_for_end(member);
    members_.clear();
  }

 private:
  std::vector<pid_t> members_;
};

}  // namespace sapbuf::bench
