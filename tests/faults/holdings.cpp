#include "faults/holdings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sapbuf::test {
namespace {

namespace fs = std::filesystem;

void list_surplus(const std::vector<std::string>& here, const std::vector<std::string>& there, std::string& text) {
  std::vector<std::string> surplus;
  std::set_difference(here.begin(), here.end(), there.begin(), there.end(), std::back_inserter(surplus));
  for (const std::string& one : surplus) text.append(text.empty() ? "" : ", ").append(one);
}

}  // namespace

Holdings Holdings::now() {
  Holdings held;
  for (const fs::directory_entry& entry : fs::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;  // the iterator's own
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (!gone && target.find("/proc/") != 0) held.descriptors.push_back("descriptor of " + target);
  }
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    const auto name = std::min(line.find("/dev/shm/"), line.find("/memfd:"));
    if (name != std::string::npos) held.mappings.push_back("mapping of " + line.substr(name));
  }
  std::sort(held.descriptors.begin(), held.descriptors.end());
  std::sort(held.mappings.begin(), held.mappings.end());
  return held;
}

std::string Holdings::beyond(const Holdings& before) const {
  std::string text;
  list_surplus(descriptors, before.descriptors, text);
  list_surplus(mappings, before.mappings, text);
  return text;
}

bool is_any_byte_locked(std::string_view segment_name) {
  const std::string path = "/dev/shm/sapbuf." + std::string(segment_name);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct flock all {};
  all.l_type = F_WRLCK;
  const bool asked = ::fcntl(file, F_OFD_GETLK, &all) == 0;
  ::close(file);
  return !asked || all.l_type != F_UNLCK;
}

}  // namespace sapbuf::test
