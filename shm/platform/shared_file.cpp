#include "platform/shared_file.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <boost/interprocess/exceptions.hpp>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/limits.hpp>

#include "platform/file_error.hpp"
#include "platform/space_limits.hpp"
#include "platform/system_error.hpp"

namespace sapbuf::platform {
namespace {

namespace bip = boost::interprocess;

constexpr std::size_t kMaxNameBytes = 200;

// All that boost's mapped_region wants to know of a file.
struct MappingHandle {
  int descriptor;
  bip::mapping_handle_t get_mapping_handle() const noexcept {
    return bip::ipcdetail::mapping_handle_from_file_handle(descriptor);
  }
};

// All signals wait while it stands. Where a signal interrupts an allocation (older kernels let any signal do that),
// tmpfs undoes it: with signals that come faster than it ends, it would never end.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    sigset_t pending;
    ::sigpending(&pending);
    xfsz_was_pending_ = ::sigismember(&pending, SIGXFSZ) == 1;
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() {
    if (!xfsz_was_pending_) take_back_xfsz();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  // Beside its errno, a file size limit sends SIGXFSZ, which ends a process that knows nothing of it.
  static void take_back_xfsz() noexcept {
    sigset_t xfsz;
    ::sigemptyset(&xfsz);
    ::sigaddset(&xfsz, SIGXFSZ);
    const timespec at_once{};
    ::sigtimedwait(&xfsz, nullptr, &at_once);
  }

  sigset_t before_;
  bool xfsz_was_pending_;
};

// Returns errno's value.
int allocate_undisturbed(int descriptor, std::uint64_t offset, std::uint64_t bytes) noexcept {
  const NoSignals guard;
  int error = 0;
  do {
    error = ::posix_fallocate(descriptor, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (error == EINTR);
  return error;
}

// tmpfs gives page after page until its limit, a container's, or the machine's, whose way out is to kill somebody: what
// cannot fit is refused before the first one is taken.
void refuse_what_cannot_fit(std::uint64_t offset, std::uint64_t bytes) {
  const std::vector<SpaceLimit> limits = space_limits_behind(offset);
  if (limits.empty() || limits.front().bytes >= bytes) return;
  throw_no_space(bytes, limits.front());
}

}  // namespace

std::string object_name(std::string_view name) {
  const auto refuse = [](const std::string& why) {
    throw Error(Errc::invalid_argument, "this cannot be a segment's name: " + why);
  };
  if (name.empty()) refuse("it is empty");
  if (name.size() > kMaxNameBytes) {
    refuse("it has " + std::to_string(name.size()) + " bytes, and " + std::to_string(kMaxNameBytes) + " is the most");
  }
  if (name.find('/') != std::string_view::npos) refuse("'" + std::string(name) + "' has a '/'");
  if (name.find('\0') != std::string_view::npos) refuse("it has a zero byte");
  return "sapbuf." + std::string(name);
}

std::string object_path(std::string_view name) { return std::string(kShmDirectory) + "/" + object_name(name); }

SharedFile::~SharedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<SharedFile> SharedFile::find(std::string_view name, FileAccess access) {
  const std::string path = object_path(name);
  const bool writing = access == FileAccess::read_write;
  // A look first: to open a FIFO or a device is to disturb whoever is at its other end.
  const PathFacts before = facts_of_path(path);
  if (before.error == ENOENT) return std::nullopt;
  if (before.error != 0) throw_open_error(before.error, name, std::nullopt, writing);
  if (!before.facts.is_regular()) throw_not_a_file(name, before.facts);
  // O_NONBLOCK: a lease that somebody holds on the file could make this wait for a minute.
  const int descriptor = ::open(path.c_str(), (writing ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_open_error(errno, name, before.facts, writing);
  }
  SharedFile file{descriptor};
  const FileFacts facts = file.facts();
  if (!facts.is_regular()) throw_not_a_file(name, facts);
  return file;
}

SharedFile SharedFile::open(std::string_view name, FileAccess access) {
  if (std::optional<SharedFile> file = find(name, access)) return std::move(*file);
  throw Error(Errc::not_found, "there is no " + quoted_segment(name) + "; 'sapbuf ls' lists those that exist");
}

SharedFile SharedFile::make(unsigned mode) {
  const int descriptor = ::open(kShmDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) throw_make_error(errno);
  SharedFile file{descriptor};
  if (::fchmod(descriptor, static_cast<mode_t>(mode)) != 0) {  // the umask does not apply
    throw_system_error(errno, "cannot set the mode of the segment's file");
  }
  return file;
}

bool SharedFile::give_name(std::string_view name) const {
  // By the thread's own entry: that of the process is empty once its first thread has ended.
  const std::string unnamed = "/proc/thread-self/fd/" + std::to_string(descriptor_);
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, object_path(name).c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno == ENOENT) {
    throw Error(Errc::unsupported, "cannot give " + quoted_segment(name) + " its name by way of " + unnamed +
                                       ": is /proc mounted, and " + kShmDirectory + " still there?");
  }
  throw_make_error(errno);
}

bool SharedFile::remove(std::string_view name) {
  const std::string path = object_path(name);
  const PathFacts found = facts_of_path(path);
  if (found.error == ENOENT) return false;
  if (found.error == 0 && !found.facts.is_regular()) throw_not_a_file(name, found.facts);
  if (found.error == 0 && ::unlink(path.c_str()) == 0) return true;
  const int error = found.error != 0 ? found.error : errno;
  if (error == ENOENT) return false;
  throw_remove_error(error, name, found);
}

FileFacts SharedFile::facts() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) throw_system_error(errno, "cannot look at the segment's file");
  return FileFacts::of(status);
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

void allocate_range(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  refuse_what_cannot_fit(offset, bytes);
  SAPBUF_KILL_POINT(create_fits);
  const int error = allocate_undisturbed(descriptor, offset, bytes);
  if (error == 0) return;
  if (errc_of(error) == Errc::no_space) refuse_what_cannot_fit(offset, bytes);  // what took the room meanwhile
  throw_allocate_error(error, bytes);
}

void give_back_range(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  int error = 0;
  do {
    error = ::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                        static_cast<off_t>(bytes)) == 0
                ? 0
                : errno;
  } while (error == EINTR);
  if (error != 0) throw_system_error(error, "cannot give back a part of the segment's file");
}

bool SharedFile::read(void* target, std::size_t bytes, std::uint64_t offset) const {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got =
        ::pread(descriptor_, static_cast<std::byte*>(target) + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system_error(errno, "cannot read the segment's file");
    if (got == 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bip::mapped_region SharedFile::map(FileAccess access, std::uint64_t offset, std::uint64_t bytes) const {
  try {
    return bip::mapped_region{MappingHandle{descriptor_},
                              access == FileAccess::read_only ? bip::read_only : bip::read_write,
                              static_cast<bip::offset_t>(offset), static_cast<std::size_t>(bytes)};
  } catch (const bip::interprocess_exception& error) {
    throw_map_error(error.get_native_error(), bytes);
  }
}

}  // namespace sapbuf::platform
