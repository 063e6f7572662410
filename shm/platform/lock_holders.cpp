#include "platform/lock_holders.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sapbuf {
inline namespace SAPBUF_ABI {

std::string to_string(std::span<const LockHolder> holders) {
  std::string text;
  for (const LockHolder& holder : holders) {
    text += (text.empty() ? "pid " : "; pid ") + std::to_string(holder.pid) + ", " + holder.program +
            (holder.for_reading ? ", a lock for reading" : "");
  }
  return text;
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf

namespace sapbuf::platform {
namespace {

namespace fs = std::filesystem;

// As in /proc/PID/fdinfo/FD:   lock:  1: OFDLCK  ADVISORY  WRITE -1 00:19:12 1152921504606846977 1152921504606846977
// The device is shown as major and minor of the file system's, which fstat may not show.
struct LockLine {
  std::string type;  // READ, WRITE
  std::uint64_t inode = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

bool parse(const std::string& text, LockLine& lock) {
  std::istringstream fields{text};
  std::string word, place, last;
  if (!(fields >> word) || word != "lock:") return false;
  fields >> word >> word >> word >> lock.type >> word >> place >> lock.first >> last;
  if (!fields) return false;
  const auto colon = place.rfind(':');
  if (colon == std::string::npos) return false;
  std::from_chars(place.data() + colon + 1, place.data() + place.size(), lock.inode);
  lock.last = ~std::uint64_t{0};  // "EOF"
  std::from_chars(last.data(), last.data() + last.size(), lock.last);
  return true;
}

// The first lock on the byte among those of one descriptor.
bool find_lock(const fs::path& information, const FileIdentity& file, std::uint64_t offset, LockLine& lock) {
  std::ifstream lines{information};
  for (std::string line; std::getline(lines, line);) {
    if (parse(line, lock) && lock.inode == file.inode && lock.first <= offset && offset <= lock.last) return true;
  }
  return false;
}

// File systems number their files from 1 on, each of them: one of another /dev/shm may have the same number. What cannot be asked is
// taken for it.
bool may_be(const FileIdentity& file, const fs::path& descriptor) {
  struct stat status {};
  return ::stat(descriptor.c_str(), &status) != 0 || FileIdentity{status.st_dev, status.st_ino} == file;
}

// What others named it is printed to people.
std::string program_of(const fs::path& process) {
  std::string program;
  std::ifstream comm{process / "comm"};
  std::getline(comm, program);
  std::replace_if(
      program.begin(), program.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return program;
}

}  // namespace

std::vector<LockHolder> holders_of(const FileIdentity& file, std::uint64_t offset) {
  std::vector<LockHolder> holders;
  std::error_code ignored;
  for (fs::directory_iterator process{"/proc", ignored}, end; process != end; process.increment(ignored)) {
    const std::string name = process->path().filename();
    std::int32_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    fs::directory_iterator descriptor{process->path() / "fdinfo", ignored};
    for (; !ignored && descriptor != end; descriptor.increment(ignored)) {
      LockLine lock;
      if (!find_lock(descriptor->path(), file, offset, lock)) continue;
      if (!may_be(file, process->path() / "fd" / descriptor->path().filename())) continue;
      holders.push_back({pid, program_of(process->path()), lock.type == "READ"});
      break;
    }
    ignored.clear();
  }
  return holders;
}

std::string named_holders_of(const FileIdentity& file, std::uint64_t offset) noexcept {
  try {
    const std::string text = to_string(holders_of(file, offset));
    return text.empty() ? text : " (" + text + ")";
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace sapbuf::platform
