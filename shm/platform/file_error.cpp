#include "platform/file_error.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "platform/system_error.hpp"

namespace sapbuf::platform {
namespace {

std::string in_directory() { return std::string(" in ") + kShmDirectory; }

[[noreturn]] void throw_read_only(const std::string& what) {
  throw Error(Errc::permission_denied, what + ": " + kShmDirectory +
                                           " is mounted read-only; root can change that (mount -o remount,rw " +
                                           kShmDirectory + ")");
}

[[noreturn]] void throw_out_of_descriptors(int error, const std::string& what) {
  if (error == ENFILE) {
    throw Error(Errc::resource_exhausted, what + ": the system is out of descriptors (sysctl fs.file-max)");
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  throw Error(Errc::resource_exhausted, what + ": this process has all the " + std::to_string(limit.rlim_cur) +
                                            " descriptors that it may have (ulimit -n)");
}

// What the directory has against a new or a removed name.
[[noreturn]] void throw_directory_refuses(const std::string& what) {
  const PathFacts directory = facts_of_path(kShmDirectory);
  std::string text = what + ": " + kShmDirectory;
  if (directory.error != 0)
    throw Error(Errc::permission_denied, text + " cannot be looked at: " + std::strerror(directory.error));
  text += " has " + owner_and_mode(directory.facts) + ", this process has " + this_user();
  if (directory.facts.grants(3)) {
    text += "; that would do, so a security module or an ACL says no";
  } else {
    text += std::string("; root can open it to all (chmod 1777 ") + kShmDirectory + ")";
  }
  throw Error(Errc::permission_denied, text);
}

// Why this process may not open the file, and who could change that.
std::string why_not_admitted(const FileFacts& facts, bool writing) {
  if (facts.grants(writing ? 6 : 4)) return "its mode would do, so a security module or an ACL says no";
  if (facts.owner == ::geteuid()) return "its mode keeps out its owner, too (chmod u+rw)";
  const unsigned wanted = writing ? 060 : 040;
  if ((facts.mode & wanted) == wanted) {
    return "its group may open it: join gid " + std::to_string(facts.group) +
           ", or have it made in a group that both are in";
  }
  return "its owner can make it with a mode that admits you (sapbuf create --mode 0660, in a common group)";
}

// ENOSPC where nothing has been allocated yet.
[[noreturn]] void throw_no_file(const std::string& what) {
  struct statvfs space {};
  if (::statvfs(kShmDirectory, &space) == 0 && space.f_files != 0 && space.f_ffree == 0) {
    throw Error(Errc::no_space, what + ": no inode is left there (df -i " + kShmDirectory +
                                    "): remove files that nobody needs, or mount -o remount,nr_inodes=... " +
                                    kShmDirectory);
  }
  throw Error(Errc::no_space, what + ": it has no room left");
}

std::string address_space_in_use() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t pages = 0;
  if (!(statm >> pages)) return "some";
  return std::to_string(pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

}  // namespace

std::string quoted_segment(std::string_view name) { return "segment '" + std::string(name) + "'"; }

std::string how_to_remove(const FileFacts& facts) {
  if (!facts.is_regular()) return "it is none of sapbuf's: rm(1) is for that";
  const bool may = facts.owner == ::geteuid() || ::geteuid() == 0;
  return may ? "'sapbuf rm --force' removes it" : "its owner, and root, can remove it ('sapbuf rm --force')";
}

void throw_open_error(int error, std::string_view name, const std::optional<FileFacts>& facts, bool writing) {
  const std::string what = "cannot open " + quoted_segment(name);
  switch (error) {
    case EACCES:
    case EPERM:
      if (!facts) throw_directory_refuses(what);
      throw Error(Errc::permission_denied, "no permission for " + quoted_segment(name) + ": it has " +
                                               owner_and_mode(*facts) + ", this process has " + this_user() + "; " +
                                               why_not_admitted(*facts, writing));
    case EROFS:
      throw_read_only(what);
    case ELOOP:
    case ENXIO:
    case EISDIR:
      throw Error(Errc::incompatible, what + ": it was replaced by something that is no regular file");
    case EAGAIN:
      throw Error(Errc::busy, what + ": somebody holds a lease on its file (fcntl F_SETLEASE)");
    case EMFILE:
    case ENFILE:
      throw_out_of_descriptors(error, what);
    default:
      throw_system_error(error, what);
  }
}

void throw_not_a_file(std::string_view name, const FileFacts& facts) {
  throw Error(Errc::incompatible, quoted_segment(name) + " is no segment, but " + describe(facts) + in_directory() +
                                      "; " + how_to_remove(facts));
}

void throw_make_error(int error) {
  const std::string what = "cannot make a segment" + in_directory();
  switch (error) {
    case EACCES:
    case EPERM:
      throw_directory_refuses(what);
    case EROFS:
      throw_read_only(what);
    case ENOSPC:
      throw_no_file(what);
    case EDQUOT:
      throw Error(Errc::no_space, what + ": this user's quota there is used up");
    case EOPNOTSUPP:
    case EISDIR:
      throw Error(Errc::unsupported, what +
                                         ": its file system cannot make files without a name (O_TMPFILE); put a tmpfs "
                                         "there (mount -t tmpfs -o mode=1777 tmpfs " +
                                         kShmDirectory + ")");
    case ENOENT:
    case ENOTDIR:
      throw Error(Errc::unsupported,
                  what + ": there is no such directory (mount -t tmpfs -o mode=1777 tmpfs " + kShmDirectory + ")");
    case EMFILE:
    case ENFILE:
      throw_out_of_descriptors(error, what);
    default:
      throw_system_error(error, what);
  }
}

void throw_remove_error(int error, std::string_view name, const PathFacts& found) {
  const std::string what = "cannot remove " + quoted_segment(name);
  if (error == EROFS) throw_read_only(what);
  if (error != EACCES && error != EPERM) throw_system_error(error, what);
  const PathFacts directory = facts_of_path(kShmDirectory);
  const bool known = found.error == 0 && directory.error == 0;
  if (known && (directory.facts.mode & S_ISVTX) != 0 && found.facts.owner != ::geteuid()) {
    throw Error(Errc::permission_denied, "no permission to remove " + quoted_segment(name) + ": it has " +
                                             owner_and_mode(found.facts) + ", this process has " + this_user() + "; " +
                                             kShmDirectory + " is sticky, so only its owner and root can");
  }
  throw_directory_refuses(what);
}

void throw_no_space(std::uint64_t bytes, const SpaceLimit& limit) {
  throw Error(Errc::no_space, std::string(kShmDirectory) + " has no room for " + std::to_string(bytes) +
                                  " bytes: " + limit.what + " leaves " + std::to_string(limit.bytes) +
                                  "; take fewer or smaller slabs, or " + limit.remedy);
}

void throw_allocate_error(int error, std::uint64_t bytes) {
  const std::string what = std::string(kShmDirectory) + " has no room for " + std::to_string(bytes) + " bytes: ";
  switch (error) {
    case EDQUOT:
      throw Error(Errc::no_space, what + "this user's quota there is used up");
    case EFBIG:
      throw Error(Errc::no_space, what + "its file system does not hold files of that size");
    case ENOSPC:
      throw Error(Errc::no_space, what + "the kernel gives no more memory for it");
    default:
      throw_system_error(error, "cannot allocate " + std::to_string(bytes) + " bytes of shared memory");
  }
}

void throw_map_error(int error, std::uint64_t bytes) {
  const std::string what = "cannot map " + std::to_string(bytes) + " bytes of the segment into memory";
  rlimit space{};
  rlimit locked{};
  ::getrlimit(RLIMIT_AS, &space);
  ::getrlimit(RLIMIT_MEMLOCK, &locked);
  if (error == ENOMEM && space.rlim_cur != RLIM_INFINITY) {
    throw Error(Errc::resource_exhausted, what + ": this process may have " + std::to_string(space.rlim_cur) +
                                              " bytes of address space (ulimit -v), and has " + address_space_in_use());
  }
  if (error == ENOMEM) {
    throw Error(Errc::resource_exhausted, what + ": out of memory, or of mappings (sysctl vm.max_map_count)");
  }
  if (error == EAGAIN) {
    throw Error(Errc::resource_exhausted, what + ": this process locks its memory (mlockall), and may lock " +
                                              std::to_string(locked.rlim_cur) + " bytes (ulimit -l)");
  }
  throw_system_error(error, what);
}

}  // namespace sapbuf::platform
