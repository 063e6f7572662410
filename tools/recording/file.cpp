#include "recording/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "recording/error.hpp"

namespace sapbuf::recording {

namespace {

constexpr mode_t kMode = 0666;                             // less the umask
constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;  // the system takes no more than 2 GiB

int open_file(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, kMode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

bool is_regular(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

File File::open(const std::string& path) {
  const int fd = open_file(path, O_RDONLY | O_NONBLOCK);  // a FIFO is opened at once, and refused
  if (fd < 0) throw RecordingError::of_errno(path);
  File file{fd, path, false};
  if (!is_regular(fd)) throw RecordingError(RecordingError::Kind::no_recording, path + " is no regular file");
  return file;
}

File File::create(const std::string& path, bool overwrite) {
  constexpr int kFlags = O_RDWR | O_NONBLOCK;
  int fd = open_file(path, kFlags | O_CREAT | O_EXCL);
  const bool is_new = fd >= 0;
  if (!is_new && errno == EEXIST && overwrite) fd = open_file(path, kFlags);
  if (fd < 0) throw RecordingError::of_errno(path);
  File file{fd, path, is_new};
  if (!is_regular(fd)) throw RecordingError(RecordingError::Kind::system, path + " is no regular file");
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw RecordingError(RecordingError::Kind::in_use, path + ": somebody else records to it");
  }
  return file;
}

File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), is_new_(other.is_new_) {}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

std::uint64_t File::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) throw RecordingError::of_errno(path_);
  return static_cast<std::uint64_t>(status.st_size);
}

bool File::read(std::uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ssize_t got = ::pread(fd_, to.data(), std::min(to.size(), kMostAtOnce), static_cast<off_t>(offset));
    if (got == 0) return false;
    if (got < 0) {
      if (errno == EINTR) continue;
      throw RecordingError::of_errno(path_);
    }
    offset += static_cast<std::uint64_t>(got);
    to = to.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

bool File::write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd_, bytes.data(), std::min(bytes.size(), kMostAtOnce), static_cast<off_t>(offset));
    if (put < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    offset += static_cast<std::uint64_t>(put);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

bool File::cut(std::uint64_t size) noexcept {
  int result = 0;
  do {
    result = ::ftruncate(fd_, static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool File::sync() noexcept {
  int result = 0;
  do {
    result = ::fdatasync(fd_);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool File::is_being_written() const noexcept {
  if (::flock(fd_, LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  ::flock(fd_, LOCK_UN);
  return false;
}

}  // namespace sapbuf::recording
