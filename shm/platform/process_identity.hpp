// Who a process is, for people and for pidfds. Never a proof of anything.
#pragma once

#include <cstdint>
#include <string>

namespace sapbuf::platform {

struct ProcessIdentity {
  std::int32_t pid = 0;
  std::uint64_t pid_namespace = 0;  // inode number of /proc/self/ns/pid; 0 if unknown
  std::uint64_t start_time = 0;     // field 22 of /proc/self/stat; 0 if unknown
  std::uint64_t boot_id = 0;        // first 64 bits of the boot id; 0 if unknown
  std::string program;              // /proc/self/comm
};

ProcessIdentity this_process();

}  // namespace sapbuf::platform
