// Whether a watchdog runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <string>
#include <vector>

#include "common/process.hpp"
#include "sapbuf/doctor.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::string_view kWatchdog = "sapbuf-watchdog";  // all that a process's name has room for: 15 bytes

std::vector<pid_t> find_watchdogs() {
  std::vector<pid_t> found;
  for (const pid_t pid : all_processes()) {
    std::string name;
    if (std::getline(std::ifstream{fmt::format("/proc/{}/comm", pid)}, name) && name == kWatchdog) found.push_back(pid);
  }
  return found;
}

}  // namespace

Finding check_watchdog() {
  const std::vector<pid_t> watchdogs = find_watchdogs();
  if (!watchdogs.empty()) return {"watchdog", Mark::ok, fmt::format("runs (pid {})", fmt::join(watchdogs, ", ")), {}};
  return {"watchdog", Mark::ok,
          "none runs that can be seen from here: what the dead held is taken back by those who need it, and nobody "
          "tells of it",
          "sapbuf-watchdog --all takes it back at once, and says whose it was"};
}

}  // namespace sapbuf::tools
