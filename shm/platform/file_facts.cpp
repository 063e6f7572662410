#include "platform/file_facts.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace sapbuf::platform {
namespace {

std::string type_of(const FileFacts& facts) {
  switch (facts.type) {
    case S_IFREG:
      return facts.bytes == 0 ? "an empty file" : "a file of " + std::to_string(facts.bytes) + " bytes";
    case S_IFDIR:
      return "a directory";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "an object of an unknown kind";
  }
}

bool is_in_group(gid_t group) noexcept {
  if (group == ::getegid()) return true;
  const int count = ::getgroups(0, nullptr);
  if (count <= 0) return false;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  const int got = ::getgroups(count, groups.data());
  return got > 0 && std::find(groups.begin(), groups.begin() + got, group) != groups.begin() + got;
}

}  // namespace

FileFacts FileFacts::of(const struct stat& status) noexcept {
  return {.type = status.st_mode & S_IFMT,
          .mode = status.st_mode & 07777u,
          .owner = status.st_uid,
          .group = status.st_gid,
          .bytes = static_cast<std::uint64_t>(status.st_size),
          .links = status.st_nlink};
}

bool FileFacts::grants(unsigned wanted) const noexcept {
  const unsigned shift = owner == ::geteuid() ? 6 : is_in_group(group) ? 3 : 0;
  return (mode >> shift & wanted) == wanted;
}

PathFacts facts_of_path(const std::string& path) noexcept {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {.error = errno, .facts = {}};
  return {.error = 0, .facts = FileFacts::of(status)};
}

std::string owner_and_mode(const FileFacts& facts) {
  char mode[16];
  std::snprintf(mode, sizeof mode, "%04o", facts.mode);
  return "uid " + std::to_string(facts.owner) + ", gid " + std::to_string(facts.group) + ", mode " + mode;
}

std::string describe(const FileFacts& facts) { return type_of(facts) + " (" + owner_and_mode(facts) + ")"; }

std::string this_user() { return "uid " + std::to_string(::geteuid()) + ", gid " + std::to_string(::getegid()); }

}  // namespace sapbuf::platform
