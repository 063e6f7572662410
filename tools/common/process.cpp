#include "common/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

namespace sapbuf::tools {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void keep_standard_descriptors() {
  constexpr int kAccess[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int descriptor = 0; descriptor <= STDERR_FILENO; ++descriptor) {
    // The lowest one that is closed is the next one that is opened.
    if (::fcntl(descriptor, F_GETFD) < 0) ::open("/dev/null", kAccess[descriptor] | O_CLOEXEC);
  }
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir("/proc"), ::closedir};
  while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
    const std::string_view text{entry->d_name};
    pid_t pid = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), pid).ptr == text.data() + text.size()) {
      processes.push_back(pid);
    }
  }
  std::sort(processes.begin(), processes.end());
  return processes;
}

std::uint64_t own_pid_namespace() {
  struct stat file {};
  return ::stat("/proc/self/ns/pid", &file) == 0 ? file.st_ino : 0;
}

std::optional<std::uint64_t> process_start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The program's name, field 2, stands in parentheses and may hold anything: count from behind the last one.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  std::uint64_t start_time = 0;
  if (!(fields >> start_time)) return std::nullopt;
  return start_time;
}

namespace {

bool is_in_this_namespace(const ParticipantSnapshot& participant) {
  static const std::uint64_t own_namespace = own_pid_namespace();
  return participant.pid > 0 && own_namespace != 0 && participant.pid_namespace == own_namespace;
}

Descriptor pidfd_of(pid_t pid) { return Descriptor{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}; }

}  // namespace

Descriptor open_process(const ParticipantSnapshot& participant) {
  if (!is_in_this_namespace(participant)) return {};
  Descriptor process = pidfd_of(participant.pid);
  // In this order: the descriptor names one process for good, and if the start time is right while that process has not
  // ended, it is the one.
  if (!process || process_start_time(participant.pid) != participant.start_time || has_ended(process)) return {};
  return process;
}

bool is_gone(const ParticipantSnapshot& participant) {
  if (!is_in_this_namespace(participant)) return false;
  const Descriptor process = pidfd_of(participant.pid);
  if (!process) return errno == ESRCH;
  const std::optional<std::uint64_t> started = process_start_time(participant.pid);
  return (started && *started != participant.start_time) || has_ended(process);
}

bool has_ended(const Descriptor& process, int wait_ms) {
  pollfd poll_it{process.get(), POLLIN, 0};
  return ::poll(&poll_it, 1, wait_ms) == 1;
}

bool kill_process(const Descriptor& process) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0;
}

}  // namespace sapbuf::tools
