// What anybody may know of a file without opening it: its type, its size, and whose it is.
#pragma once

#include <sys/types.h>

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace sapbuf::platform {

// Which file it is, whatever its name says by now.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

inline constexpr const char* kShmDirectory = "/dev/shm";

struct FileFacts {
  mode_t type = 0;    // S_IFREG, ...
  unsigned mode = 0;  // permission bits
  uid_t owner = 0;
  gid_t group = 0;
  std::uint64_t bytes = 0;
  std::uint64_t links = 0;

  static FileFacts of(const struct stat& status) noexcept;
  bool is_regular() const noexcept { return type == S_IFREG; }
  // Whether the mode grants this to this process, were it not privileged: a sum of 4 (read), 2 (write) and 1 (execute).
  bool grants(unsigned wanted) const noexcept;
};

// What stands at the end of the path itself: a link is not followed. `error` is errno's value, 0 if there are facts.
struct PathFacts {
  int error = 0;
  FileFacts facts;
};
PathFacts facts_of_path(const std::string& path) noexcept;

// "uid 1000, gid 100, mode 0640"
std::string owner_and_mode(const FileFacts& facts);
// "a file of 4096 bytes (uid 1000, gid 100, mode 0640)", "a FIFO (...)"
std::string describe(const FileFacts& facts);
// "uid 1000, gid 100"
std::string this_user();

}  // namespace sapbuf::platform
