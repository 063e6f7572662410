#include "common/segment_file.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

#include <array>

namespace sapbuf::tools {

namespace {

std::string user_name(uid_t id) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> text{};
  if (::getpwuid_r(id, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return fmt::format("uid {}", id);
}

}  // namespace

std::string segment_path(std::string_view name) { return fmt::format("{}/{}{}", kShmDirectory, kSegmentPrefix, name); }

std::optional<FileIdentity> identify_segment(std::string_view name) {
  struct stat file {};
  if (::lstat(segment_path(name).c_str(), &file) != 0) return std::nullopt;
  return FileIdentity{file.st_dev, file.st_ino};
}

std::optional<SegmentFile> find_segment_file(std::string_view name) {
  struct stat file {};
  if (::lstat(segment_path(name).c_str(), &file) != 0) return std::nullopt;
  return SegmentFile{{file.st_dev, file.st_ino}, user_name(file.st_uid), file.st_mode & 07777u, S_ISREG(file.st_mode)};
}

std::string problem_with_mode(unsigned mode) {
  const unsigned reads_alone = mode & ~(mode << 1) & 0044u;  // without the right to write, which stands next to it
  if (reads_alone == 0) return {};
  return fmt::format(
      "mode {:04o} lets {} read without writing: whoever may read the file can take read locks on it that "
      "stop its writers and readers",
      mode,
      reads_alone == 0044   ? "its group and others"
      : reads_alone == 0040 ? "its group"
                            : "others");
}

unsigned without_readers_alone(unsigned mode) { return mode & ~(mode & ~(mode << 1) & 0044u); }

}  // namespace sapbuf::tools
