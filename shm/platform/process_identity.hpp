// Who a process is: for people, for pidfds, and for the question whether it has ended (platform/process_end.hpp).
#pragma once

#include <cstdint>
#include <string>

namespace sapbuf::platform {

struct ProcessIdentity {
  std::int32_t pid = 0;
  std::uint64_t pid_namespace = 0;   // inode number of /proc/thread-self/ns/pid; 0 if unknown
  std::uint64_t time_namespace = 0;  // inode number of /proc/thread-self/ns/time; 0 if unknown
  std::uint64_t start_time = 0;      // field 22 of /proc/self/stat; 0 if unknown
  std::uint64_t boot_id = 0;         // first 64 bits of the boot id; 0 if unknown
  std::string program;               // /proc/self/comm
};

// Throws Error (resource_exhausted): whoever has no descriptor left to look itself up would pass for somebody else.
ProcessIdentity this_process();

// The namespace whose monotonic clock this process reads; 0 if the system knows none.
std::uint64_t own_time_namespace() noexcept;
std::uint64_t own_pid_namespace() noexcept;  // 0 if unknown
std::uint64_t own_boot_id();                 // 0 if unknown; throws as this_process() does

}  // namespace sapbuf::platform
