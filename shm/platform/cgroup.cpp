#include "platform/cgroup.hpp"

#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

namespace sapbuf::platform {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
// What version 1 shows where there is no limit: the largest multiple of the page size, whatever that is.
constexpr std::uint64_t kNoLimitFromHere = std::uint64_t{1} << 62;

// The words of both versions for the same things.
struct Files {
  const char* limit;
  const char* usage;
  const char* swap_limit;  // version 1: of memory and swap together
  const char* swap_usage;
  std::initializer_list<std::string_view> cache;  // lines of memory.stat: pages that the kernel gives up when asked
  bool swap_includes_memory;
};
const Files kVersion1{"memory.limit_in_bytes",
                      "memory.usage_in_bytes",
                      "memory.memsw.limit_in_bytes",
                      "memory.memsw.usage_in_bytes",
                      {"total_inactive_file", "total_active_file"},
                      true};
const Files kVersion2{"memory.max",
                      "memory.current",
                      "memory.swap.max",
                      "memory.swap.current",
                      {"inactive_file", "active_file", "slab_reclaimable"},
                      false};

std::uint64_t minus(std::uint64_t from, std::uint64_t what) noexcept { return from > what ? from - what : 0; }
std::uint64_t plus(std::uint64_t one, std::uint64_t other) noexcept {
  return one > kNoLimit - other ? kNoLimit : one + other;
}

// Nothing if there is no such file; "max" is kNoLimit.
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file{path};
  std::string word;
  if (!(file >> word)) return std::nullopt;
  if (word == "max") return kNoLimit;
  std::uint64_t number = 0;
  if (!(std::istringstream{word} >> number)) return std::nullopt;
  return number >= kNoLimitFromHere ? kNoLimit : number;
}

std::uint64_t reclaimable(const std::string& folder, const Files& files) {
  std::ifstream stat{folder + "/memory.stat"};
  std::uint64_t bytes = 0;
  std::string name;
  std::uint64_t value = 0;
  while (stat >> name >> value) {
    if (std::find(files.cache.begin(), files.cache.end(), name) != files.cache.end()) bytes += value;
  }
  return bytes;
}

std::uint64_t free_swap() noexcept {
  struct sysinfo system {};
  return ::sysinfo(&system) == 0 ? std::uint64_t{system.freeswap} * system.mem_unit : 0;
}

// Nothing if this group has no limit.
std::optional<CgroupRoom> room_in(const std::string& folder, const std::string& cgroup, const Files& files) {
  const auto limit = number_in(folder + "/" + files.limit);
  const auto usage = number_in(folder + "/" + files.usage);
  if (!limit || !usage || *limit == kNoLimit) return std::nullopt;
  const std::uint64_t cache = reclaimable(folder, files);
  const std::uint64_t in_memory = minus(plus(*limit, cache), *usage);
  const std::uint64_t swap_limit = number_in(folder + "/" + files.swap_limit).value_or(kNoLimit);
  const std::uint64_t swap_usage = number_in(folder + "/" + files.swap_usage).value_or(0);
  std::uint64_t room = plus(in_memory, free_swap());
  if (swap_limit != kNoLimit) {
    room = std::min(room, files.swap_includes_memory ? minus(plus(swap_limit, cache), swap_usage)
                                                     : plus(in_memory, minus(swap_limit, swap_usage)));
  }
  return CgroupRoom{cgroup, *limit, room};
}

// Where a hierarchy is mounted, and which of its groups is at the mount's top.
struct Mount {
  std::string root;
  std::string point;
};

bool has_option(const std::string& options, std::string_view wanted) {
  std::istringstream list{options};
  for (std::string option; std::getline(list, option, ',');) {
    if (option == wanted) return true;
  }
  return false;
}

std::optional<Mount> find_mount(const std::string& mountinfo_file, bool version2) {
  std::ifstream mounts{mountinfo_file};
  for (std::string line; std::getline(mounts, line);) {
    const std::size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    std::istringstream front{line.substr(0, separator)};
    std::istringstream back{line.substr(separator + 3)};
    std::string id, parent, device, type, source, options;
    Mount mount;
    if (!(front >> id >> parent >> device >> mount.root >> mount.point) || !(back >> type >> source >> options))
      continue;
    if (version2 ? type == "cgroup2" : type == "cgroup" && has_option(options, "memory")) return mount;
  }
  return std::nullopt;
}

// From the group `path` up to the mount's top.
void walk_up(const Mount& mount, std::string path, const Files& files, std::vector<CgroupRoom>& found) {
  if (mount.root != "/") {
    // A part of the hierarchy is mounted. A path outside it says nothing: the top itself is all that can be seen.
    const bool inside =
        path.starts_with(mount.root) && (path.size() == mount.root.size() || path[mount.root.size()] == '/');
    path = inside ? path.substr(mount.root.size()) : "";
  }
  if (path == "/" || path.starts_with("/..")) path.clear();
  for (;;) {
    if (const auto room = room_in(mount.point + path, path.empty() ? "/" : path, files)) found.push_back(*room);
    if (path.empty()) return;
    path.erase(path.rfind('/'));
  }
}

}  // namespace

std::vector<CgroupRoom> limiting_cgroups(const std::string& cgroup_file, const std::string& mountinfo_file) {
  std::vector<CgroupRoom> found;
  std::ifstream groups{cgroup_file};
  // "0::/path" for version 2, "4:memory:/path" or "4:cpu,memory:/path" for version 1.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || second + 1 >= line.size() || line[second + 1] != '/') continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version2 = controllers.empty();
    if (!version2 && !has_option(controllers, "memory")) continue;
    if (const auto mount = find_mount(mountinfo_file, version2)) {
      walk_up(*mount, line.substr(second + 1), version2 ? kVersion2 : kVersion1, found);
    }
  }
  return found;
}

}  // namespace sapbuf::platform
