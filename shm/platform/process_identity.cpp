#include "platform/process_identity.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace sapbuf::platform {
namespace {

std::string first_line(const char* path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
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

std::uint64_t boot_id() {
  std::string digits;
  for (const char c : first_line("/proc/sys/kernel/random/boot_id")) {
    if (c != '-' && digits.size() < 16) digits += c;
  }
  return digits.size() == 16 ? std::stoull(digits, nullptr, 16) : 0;
}

}  // namespace

ProcessIdentity this_process() {
  ProcessIdentity identity;
  identity.pid = ::getpid();
  struct stat information {};
  if (::stat("/proc/self/ns/pid", &information) == 0) identity.pid_namespace = information.st_ino;
  identity.start_time = start_time_in(first_line("/proc/self/stat"));
  identity.boot_id = boot_id();
  identity.program = first_line("/proc/self/comm");
  return identity;
}

}  // namespace sapbuf::platform
