// A segment as a file in /dev/shm: to see that a name leads to another segment than before, and whose it is.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace sapbuf::tools {

inline constexpr const char* kShmDirectory = "/dev/shm";
inline constexpr std::string_view kSegmentPrefix = "sapbuf.";

// Names one object for as long as anybody has it open.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator==(const FileIdentity&) const = default;
};

struct SegmentFile {
  FileIdentity identity;
  std::string owner;  // user name, or number
  unsigned mode = 0;  // permission bits
  bool regular = false;
};

std::string segment_path(std::string_view name);
// Of what has the name itself: a link is not followed. Nothing if there is no such file.
std::optional<FileIdentity> identify_segment(std::string_view name);
std::optional<SegmentFile> find_segment_file(std::string_view name);

// Why these permission bits are dangerous: some may read and not write. Empty if they are not.
std::string problem_with_mode(unsigned mode);
// The bits without those that let somebody read alone.
unsigned without_readers_alone(unsigned mode);

}  // namespace sapbuf::tools
