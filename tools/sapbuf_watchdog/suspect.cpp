#include "sapbuf_watchdog/suspect.hpp"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace sapbuf::tools {

namespace {

std::string path_of(pid_t pid, const char* file) { return fmt::format("/proc/{}/{}", pid, file); }

// "7f.. rw-s 00000000 00:1a 4711   /dev/shm/sapbuf.ticks": device and inode say which file, the path says nothing. Whoever has a
// slot has the registry mapped for writing; who looks on does not.
bool is_mapping_of(const std::string& line, const BackingFile& file) {
  std::istringstream fields{line};
  std::string range;
  std::string rights;
  std::string offset;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  char colon = 0;
  std::uint64_t inode = 0;
  fields >> range >> rights >> offset >> std::hex >> device_major >> colon >> device_minor >> std::dec >> inode;
  return fields && rights.size() == 4 && rights[1] == 'w' && rights[3] == 's' && inode == file.inode &&
         makedev(device_major, device_minor) == file.device;
}

enum class Mapped { yes, no, unknown };

// Unknown: errno says why.
Mapped has_mapped(pid_t pid, const BackingFile& file) {
  errno = 0;
  std::ifstream maps{path_of(pid, "maps")};
  if (!maps) return Mapped::unknown;
  bool any = false;
  for (std::string line; std::getline(maps, line); any = true) {
    if (is_mapping_of(line, file)) return Mapped::yes;
  }
  // Of a process that one may not look into, the file can be opened, and is empty.
  return any ? Mapped::no : Mapped::unknown;
}

struct Owner {
  uid_t user = 0;             // effective
  std::vector<gid_t> groups;  // effective, and supplementary
};

std::optional<Owner> owner_of(pid_t pid) {
  std::ifstream status{path_of(pid, "status")};
  Owner owner;
  bool user_known = false;
  for (std::string line; std::getline(status, line);) {
    std::istringstream fields{line};
    std::string key;
    unsigned long real = 0;
    unsigned long effective = 0;
    fields >> key;
    if (key == "Uid:" && fields >> real >> effective) {
      owner.user = static_cast<uid_t>(effective);
      user_known = true;
    } else if (key == "Gid:" && fields >> real >> effective) {
      owner.groups.push_back(static_cast<gid_t>(effective));
    } else if (key == "Groups:") {
      for (unsigned long group = 0; fields >> group;) owner.groups.push_back(static_cast<gid_t>(group));
    }
  }
  if (!user_known) return std::nullopt;
  return owner;
}

bool may_write(const Owner& owner, const BackingFile& file) {
  if (owner.user == 0 || owner.user == file.owner) return true;
  const bool in_group = std::find(owner.groups.begin(), owner.groups.end(), file.group) != owner.groups.end();
  return (file.mode & (in_group ? 0020u : 0002u)) != 0;
}

}  // namespace

std::string reason_to_spare(pid_t pid, const BackingFile& file) {
  if (file.inode == 0) return "what file the segment is cannot be seen";
  switch (has_mapped(pid, file)) {
    case Mapped::yes:
      break;
    case Mapped::no:
      return fmt::format("the slot claims to be pid {}, which does not have this segment mapped to write to it", pid);
    case Mapped::unknown:
      return fmt::format("whether pid {} has this segment mapped cannot be seen: {} (that takes CAP_SYS_PTRACE)", pid,
                         std::strerror(errno == 0 ? EACCES : errno));
  }
  const std::optional<Owner> owner = owner_of(pid);
  if (!owner) return fmt::format("whose process pid {} is cannot be seen", pid);
  if (may_write(*owner, file)) return {};
  return fmt::format("the slot claims to be pid {}, whose owner (uid {}) may not write to this segment", pid,
                     owner->user);
}

}  // namespace sapbuf::tools
