#include "platform/shared_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/interprocess/exceptions.hpp>

#include "platform/system_error.hpp"

namespace sapbuf::platform {
namespace {

namespace bip = boost::interprocess;

constexpr std::size_t kMaxNameBytes = 200;

std::string quoted(std::string_view name) { return "segment '" + std::string(name) + "'"; }

[[noreturn]] void throw_open_error(std::string_view name, const bip::interprocess_exception& error) {
  const int code = error.get_native_error();
  switch (errc_of(code)) {
    case Errc::not_found:
      throw Error(Errc::not_found, "there is no " + quoted(name) + "; 'sapbuf ls' lists those that exist");
    case Errc::permission_denied:
      throw Error(Errc::permission_denied,
                  "no permission for " + quoted(name) +
                      ": it belongs to another user; its owner can create it with a mode that admits you "
                      "(sapbuf create --mode 0660)");
    default:
      throw_system_error(code, "cannot open " + quoted(name));
  }
}

struct stat status_of(int descriptor) {
  struct stat information {};
  if (::fstat(descriptor, &information) != 0) throw_system_error(errno, "cannot look at the segment's file");
  return information;
}

// Where a signal interrupts an allocation (older kernels let any signal do that), tmpfs undoes it: with signals that
// come faster than it ends, it would never end. So they wait until it is over. Returns errno's value.
int allocate_undisturbed(int descriptor, std::uint64_t bytes) noexcept {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  do {
    error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

// tmpfs gives page after page until its limit, or until the machine has no memory left for anybody: what cannot fit is
// refused before the first one is taken.
bool may_have_room(int descriptor, std::uint64_t bytes) noexcept {
  struct statvfs space {};
  if (::fstatvfs(descriptor, &space) != 0 || space.f_blocks == 0) return true;  // f_blocks 0: it has no limit
  return std::uint64_t{space.f_bavail} * space.f_frsize >= bytes;
}

}  // namespace

std::string object_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    throw Error(Errc::invalid_argument,
                "'" + std::string(name) + "' cannot be a segment's name: it must have 1 to 200 bytes and no '/'");
  }
  return "sapbuf." + std::string(name);
}

SharedFile SharedFile::open(std::string_view name, FileAccess access) {
  const std::string object = object_name(name);
  try {
    return SharedFile{bip::shared_memory_object{bip::open_only, object.c_str(),
                                                access == FileAccess::read_only ? bip::read_only : bip::read_write}};
  } catch (const bip::interprocess_exception& error) {
    throw_open_error(name, error);
  }
}

SharedFile SharedFile::open_or_create(std::string_view name, unsigned mode) {
  const std::string object = object_name(name);
  try {
    return SharedFile{bip::shared_memory_object{bip::open_or_create, object.c_str(), bip::read_write,
                                                bip::permissions{static_cast<int>(mode)}}};
  } catch (const bip::interprocess_exception& error) {
    throw_open_error(name, error);
  }
}

bool SharedFile::remove(std::string_view name) {
  errno = 0;
  if (bip::shared_memory_object::remove(object_name(name).c_str())) return true;
  if (errno == ENOENT || errno == 0) return false;
  if (errc_of(errno) == Errc::permission_denied) {
    throw Error(Errc::permission_denied,
                "no permission to remove " + quoted(name) + ": /dev/shm is sticky, so only its owner and root can");
  }
  throw_system_error(errno, "cannot remove " + quoted(name));
}

std::uint64_t SharedFile::size() const { return static_cast<std::uint64_t>(status_of(descriptor()).st_size); }

bool SharedFile::has_name() const { return status_of(descriptor()).st_nlink != 0; }

FileIdentity SharedFile::identity() const {
  const struct stat information = status_of(descriptor());
  return {information.st_dev, information.st_ino};
}

bool SharedFile::has_identity(std::string_view name, const FileIdentity& identity) noexcept try {
  const std::string path = "/dev/shm/" + object_name(name);
  struct stat information {};
  // By the path, not by a descriptor: whoever closes descriptors that are not his own does not change the answer.
  if (::lstat(path.c_str(), &information) != 0) return errno != ENOENT && errno != ENOTDIR;
  return FileIdentity{information.st_dev, information.st_ino} == identity;
} catch (const std::exception&) {
  return true;
}

void SharedFile::allocate(std::uint64_t bytes) {
  // From nothing, so that what an unfinished creation left is gone.
  if (::ftruncate(descriptor(), 0) != 0) throw_system_error(errno, "cannot empty the segment's file");
  const int error = may_have_room(descriptor(), bytes) ? allocate_undisturbed(descriptor(), bytes) : ENOSPC;
  if (error == 0) return;
  [[maybe_unused]] const int ignored = ::ftruncate(descriptor(), 0);
  if (errc_of(error) == Errc::no_space) {
    throw Error(Errc::no_space, "/dev/shm has no room for " + std::to_string(bytes) +
                                    " bytes: take fewer or smaller slabs, remove what is not needed ('sapbuf ls'), or "
                                    "make it larger (mount -o remount,size=... /dev/shm; docker run --shm-size=...)");
  }
  throw_system_error(error, "cannot allocate " + std::to_string(bytes) + " bytes of shared memory");
}

bool SharedFile::read(void* target, std::size_t bytes, std::uint64_t offset) const noexcept {
  return ::pread(descriptor(), target, bytes, static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes);
}

bip::mapped_region SharedFile::map(FileAccess access, std::uint64_t offset, std::uint64_t bytes) const {
  try {
    return bip::mapped_region{object_, access == FileAccess::read_only ? bip::read_only : bip::read_write,
                              static_cast<bip::offset_t>(offset), static_cast<std::size_t>(bytes)};
  } catch (const bip::interprocess_exception& error) {
    throw_system_error(error.get_native_error(), "cannot map the segment into memory");
  }
}

}  // namespace sapbuf::platform
