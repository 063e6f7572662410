// Processes that still have a stream whose name was taken away: whoever uses that name now does not reach them.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>

#include "common/human.hpp"
#include "common/process.hpp"
#include "common/segment_file.hpp"
#include "sapbuf/doctor.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kProcessesNamed = 8;
constexpr std::string_view kDeleted = " (deleted)";

struct Removed {
  std::string name;
  std::vector<pid_t> processes;
};

// One line of /proc/PID/maps: "ADDRESSES PERMISSIONS OFFSET DEVICE INODE    PATH".
struct Mapping {
  std::string_view device;
  ino_t inode = 0;
  std::string_view path;
};

Mapping parse(std::string_view line) {
  Mapping mapping;
  for (int field = 0; field < 5; ++field) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string_view text = line.substr(0, end);
    if (field == 3) mapping.device = text;
    if (field == 4) std::from_chars(text.data(), text.data() + text.size(), mapping.inode);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  mapping.path = line;
  return mapping;
}

// The system writes newlines in paths as \012.
std::string without_escapes(std::string_view text) {
  std::string plain{text};
  for (std::size_t at = 0; (at = plain.find("\\012", at)) != std::string::npos; ++at) plain.replace(at, 4, 1, '\n');
  return plain;
}

// The name of a segment that this mapping shows, if it was removed.
std::optional<std::string> removed_name(const Mapping& mapping, std::string_view device) {
  const std::string prefix = segment_path("");
  // Containers have a /dev/shm of their own: what happens there is theirs.
  if (mapping.device != device || !mapping.path.starts_with(prefix) || !mapping.path.ends_with(kDeleted)) return {};
  const std::string name = without_escapes(mapping.path.substr(prefix.size()));
  const auto file = identify_segment(name);
  if (file && file->inode == mapping.inode) return {};  // that is its name, and it is there
  return name.substr(0, name.size() - kDeleted.size());
}

std::map<ino_t, Removed> find_removed() {
  struct stat directory {};
  if (::stat(kShmDirectory, &directory) != 0) return {};
  const std::string device = fmt::format("{:02x}:{:02x}", major(directory.st_dev), minor(directory.st_dev));
  std::map<ino_t, Removed> found;
  for (const pid_t pid : all_processes()) {
    std::ifstream maps(fmt::format("/proc/{}/maps", pid));
    std::string line;
    while (std::getline(maps, line)) {
      const Mapping mapping = parse(line);
      const auto name = removed_name(mapping, device);
      if (!name) continue;
      Removed& removed = found[mapping.inode];
      removed.name = *name;
      if (removed.processes.empty() || removed.processes.back() != pid) removed.processes.push_back(pid);
    }
  }
  return found;
}

std::string describe_process(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string program{std::istreambuf_iterator<char>{file}, {}};  // a newline may stand in it, and one behind it
  if (program.ends_with('\n')) program.pop_back();
  return fmt::format("{} (pid {})", printable_name(program), pid);
}

Finding describe(const Removed& removed) {
  std::vector<std::string> who;
  for (const pid_t pid : removed.processes) {
    if (who.size() == kProcessesNamed) {
      who.push_back(fmt::format("{} more", removed.processes.size() - kProcessesNamed));
      break;
    }
    who.push_back(describe_process(pid));
  }
  const bool replaced = identify_segment(removed.name).has_value();
  return {"removed segment " + printable_name(removed.name), Mark::warning,
          fmt::format("was removed{}, but is still kept by {}: they reach each other, and nobody else",
                      replaced ? " and made anew" : "", fmt::join(who, ", ")),
          "restart them"};
}

}  // namespace

std::vector<Finding> check_left_behind() {
  std::vector<Finding> findings;
  for (const auto& [inode, removed] : find_removed()) findings.push_back(describe(removed));
  if (findings.empty()) {
    findings.push_back({"removed segments",
                        Mark::ok,
                        ::geteuid() == 0 ? "nobody has one any more" : "none of this user's processes has one",
                        {}});
  }
  return findings;
}

}  // namespace sapbuf::tools
