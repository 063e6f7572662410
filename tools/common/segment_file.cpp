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
  if (::lstat(segment_path(name).c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return std::nullopt;
  return SegmentFile{{file.st_dev, file.st_ino}, user_name(file.st_uid), file.st_mode & 07777u};
}

}  // namespace sapbuf::tools
