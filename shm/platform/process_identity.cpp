#include "platform/process_identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <sstream>

#include "platform/system_error.hpp"

namespace sapbuf::platform {
namespace {

// Without the newline at its end; empty if there is no such file.
std::string text_of(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const int error = errno;
    if (errc_of(error) == Errc::resource_exhausted) throw_system_error(error, "cannot read " + std::string(path));
    return {};
  }
  char text[1024];
  const ssize_t bytes = ::read(file, text, sizeof text);
  ::close(file);
  std::string line(text, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  if (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

std::uint64_t inode_of(const char* path) noexcept {
  struct stat information {};
  return ::stat(path, &information) == 0 ? information.st_ino : 0;
}

// The second field is the program's name in parentheses and may hold anything, so fields are counted behind its last
// ')'.
std::uint64_t start_time_in(const std::string& stat) {
  const auto close = stat.rfind(')');
  if (close == std::string::npos) return 0;
  std::istringstream fields{stat.substr(close + 1)};
  std::string field;
  for (int number = 3; number < 22; ++number) fields >> field;
  std::uint64_t start_time = 0;
  fields >> start_time;
  return start_time;
}

std::uint64_t read_boot_id() {
  std::string digits;
  for (const char c : text_of("/proc/sys/kernel/random/boot_id")) {
    if (c != '-' && digits.size() < 16) digits += c;
  }
  return digits.size() == 16 ? std::stoull(digits, nullptr, 16) : 0;
}

}  // namespace

ProcessIdentity this_process() {
  ProcessIdentity identity;
  identity.pid = ::getpid();
  identity.pid_namespace = own_pid_namespace();
  identity.time_namespace = own_time_namespace();
  identity.start_time = start_time_in(text_of("/proc/self/stat"));
  identity.boot_id = own_boot_id();
  identity.program = text_of("/proc/self/comm");
  return identity;
}

std::uint64_t own_time_namespace() noexcept { return inode_of("/proc/thread-self/ns/time"); }
std::uint64_t own_pid_namespace() noexcept { return inode_of("/proc/thread-self/ns/pid"); }

std::uint64_t own_boot_id() {
  static std::atomic<std::uint64_t> known{0};
  std::uint64_t id = known.load(std::memory_order_relaxed);
  if (id == 0) known.store(id = read_boot_id(), std::memory_order_relaxed);
  return id;
}

}  // namespace sapbuf::platform
