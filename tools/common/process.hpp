// Processes, as the system names them. A pid alone names nobody for long: here it counts only together with its pid
// namespace and its start time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <sapbuf/inspect.hpp>
#include <utility>
#include <vector>

namespace sapbuf::tools {

// A file descriptor that is closed when it goes out of scope. Move-only.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Opens /dev/null in place of the standard descriptors that are closed: a segment that got one of their numbers would
// be written over by what is printed there. To read from standard input, or to print, fails there as it would have; what
// is said on standard error goes nowhere.
void keep_standard_descriptors();

// Those that /proc shows, in ascending order.
std::vector<pid_t> all_processes();

// Inode number of this process's own pid namespace; 0 if unknown.
std::uint64_t own_pid_namespace();
// Clock ticks after boot, field 22 of /proc/PID/stat; nothing if there is no such process.
std::optional<std::uint64_t> process_start_time(pid_t pid);

// A pidfd for exactly the process that is behind a participant. Empty if it cannot be had or its identity cannot be
// confirmed: the process is gone, its pid means somebody else by now, or it lives in another pid namespace.
Descriptor open_process(const ParticipantSnapshot& participant);
// True if the process behind a participant has ended; false also where this cannot be told.
bool is_gone(const ParticipantSnapshot& participant);
// True once the process behind a pidfd has ended.
bool has_ended(const Descriptor& process, int wait_ms = 0);
// False with errno set if the system says no.
bool kill_process(const Descriptor& process);

}  // namespace sapbuf::tools
