#include "platform/process_end.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sapbuf::platform {
namespace {

// Of task->flags, as /proc/PID/stat shows them (proc(5), field 9).
constexpr unsigned long kExiting = 0x4;  // PF_EXITING: set by exit_signals(), in do_exit()
constexpr unsigned long kSignaled =
    0x400;  // PF_SIGNALED: set by get_signal(), before do_coredump() and do_group_exit()

// What /proc/.../stat says of a process or a thread.
struct Stat {
  unsigned long flags = 0;
  std::uint64_t threads = 0;
  std::uint64_t start_time = 0;

  bool is_ending() const noexcept { return (flags & (kExiting | kSignaled)) != 0; }
};

std::optional<std::string> text_of(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string text(4096, '\0');
  const ssize_t bytes = ::read(file, text.data(), text.size());
  ::close(file);
  if (bytes <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(bytes));
  return text;
}

// The fields of the line, numbered as in proc(5). The second one may hold anything, so they are counted behind its last
// ')'.
std::optional<Stat> stat_in(const std::string& directory) {
  const auto text = text_of(directory + "/stat");
  if (!text) return std::nullopt;
  const auto close = text->rfind(')');
  if (close == std::string::npos) return std::nullopt;
  std::uint64_t fields[23] = {};
  const char* at = text->data() + close + 1;
  const char* const end = text->data() + text->size();
  int number = 3;
  for (; number <= 22 && at < end; ++number) {
    while (at < end && *at == ' ') ++at;
    std::from_chars(at, end, fields[number]);
    while (at < end && *at != ' ') ++at;
  }
  if (number <= 22) return std::nullopt;
  return Stat{.flags = fields[9], .threads = fields[20], .start_time = fields[22]};
}

// One thread, as it was listed.
struct Thread {
  std::uint64_t id = 0;
  std::uint64_t start_time = 0;
  auto operator<=>(const Thread&) const = default;
};

// The threads that /proc lists, if all of them are ending.
std::optional<std::vector<Thread>> list_if_ending(const std::string& directory) {
  DIR* const tasks = ::opendir((directory + "/task").c_str());
  if (tasks == nullptr) return std::nullopt;
  std::vector<Thread> threads;
  bool ending = true;
  while (const dirent* const entry = ::readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    const auto stat = stat_in(directory + "/task/" + entry->d_name);
    if (!stat || !stat->is_ending()) {
      ending = false;
      break;
    }
    threads.push_back({std::strtoull(entry->d_name, nullptr, 10), stat->start_time});
  }
  ::closedir(tasks);
  if (!ending || threads.empty()) return std::nullopt;
  std::sort(threads.begin(), threads.end());
  return threads;
}

// A list alone proves little: it is not made at one moment, so a thread that is made by another one, which then ends,
// or that is skipped because others end, may be missing. But let two lists agree, and the process have as many threads
// between them as are listed: then those were all threads that it had at that moment, they were all ending, and nobody
// was left who could make another one.
//   process-ended: a look takes the process's signal lock, which each thread let go of before it was flagged; so the
//   second list is behind the last stores of all of them
bool all_threads_are_ending(const std::string& directory) {
  const auto first = list_if_ending(directory);
  if (!first) return false;
  const auto between = stat_in(directory);
  if (!between || between->threads != first->size()) return false;
  const auto second = list_if_ending(directory);
  return second && *second == *first;
}

// In /proc/self/status: the process's pids in each namespace from that of the /proc that is looked at down to its own.
// One that is our own has one only.
bool is_proc_of_own_namespace() {
  const auto status = text_of("/proc/self/status");
  if (!status) return false;
  constexpr std::string_view kField = "\nNSpid:\t";
  const auto at = status->find(kField);
  if (at == std::string::npos) return false;
  const auto begin = at + kField.size();
  return status->substr(begin, status->find('\n', begin) - begin) == std::to_string(::getpid());
}

// Whose /proc it is, is looked up once for each file system that stands there.
bool may_believe_proc() {
  struct stat root {};
  if (::stat("/proc", &root) != 0) return false;
  static std::mutex mutex;
  static dev_t known = 0;
  static pid_t known_by = 0;
  const std::lock_guard guard{mutex};
  if (known == root.st_dev && known_by == ::getpid()) return true;
  if (!is_proc_of_own_namespace()) return false;
  // This thread runs: were the flags others than they are taken for, it would show.
  const auto self = stat_in("/proc/thread-self");
  if (!self || self->is_ending()) return false;
  known = root.st_dev;
  known_by = ::getpid();
  return true;
}

bool has_ended_here(const ProcessIdentity& process) {
  if (::kill(process.pid, 0) != 0 && errno == ESRCH) return true;
  const std::string directory = "/proc/" + std::to_string(process.pid);
  const auto stat = stat_in(directory);
  if (!stat) return false;  // hidden; or gone just now, which the next call finds
  if (stat->start_time != process.start_time) return true;
  // Its first thread: nearly always the answer. One that has ended says nothing of the others.
  return stat->is_ending() && all_threads_are_ending(directory);
}

}  // namespace

bool has_ended(const ProcessIdentity& process) noexcept {
  try {
    if (process.pid <= 0 || process.start_time == 0 || process.pid == ::getpid()) return false;
    if (process.boot_id == 0 || process.boot_id != own_boot_id()) return false;
    if (process.pid_namespace == 0 || process.pid_namespace != own_pid_namespace()) return false;
    // Start times are shown on the clock of whoever looks.
    if (process.time_namespace != own_time_namespace()) return false;
    return may_believe_proc() && has_ended_here(process);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace sapbuf::platform
