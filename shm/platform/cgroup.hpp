// How much memory the control groups of this process leave to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sapbuf::platform {

struct CgroupRoom {
  std::string cgroup;       // its path as it is seen from here
  std::uint64_t limit = 0;  // bytes
  std::uint64_t room = 0;   // unused, or used for what the kernel would give up (page cache; what can be swapped out)
};

// The memory cgroups that have a limit: this process's own and those above it, of version 1 and 2, as far as they can
// be seen. `cgroup_file` and `mountinfo_file` are in the formats of /proc/PID/cgroup and /proc/PID/mountinfo. What
// cannot be read has no limit.
std::vector<CgroupRoom> limiting_cgroups(const std::string& cgroup_file = "/proc/thread-self/cgroup",
                                         const std::string& mountinfo_file = "/proc/thread-self/mountinfo");

}  // namespace sapbuf::platform
