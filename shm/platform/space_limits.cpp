#include "platform/space_limits.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "platform/cgroup.hpp"
#include "platform/file_facts.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace {

using platform::kShmDirectory;

void add_file_size_limit(std::vector<SpaceLimit>& limits, std::uint64_t offset) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  limits.push_back({"this process's file size limit (ulimit -f)",
                    limit.rlim_cur - std::min<std::uint64_t>(offset, limit.rlim_cur),
                    "raise it (ulimit -f unlimited; LimitFSIZE= in a service's unit)"});
}

void add_file_system(std::vector<SpaceLimit>& limits) {
  struct statvfs space {};
  if (::statvfs(kShmDirectory, &space) != 0 || space.f_blocks == 0) return;  // f_blocks 0: it has no limit
  limits.push_back({std::string("the free space of ") + kShmDirectory, std::uint64_t{space.f_bavail} * space.f_frsize,
                    "remove what is not needed ('sapbuf ls'), or make it larger (mount -o remount,size=... /dev/shm; "
                    "docker run --shm-size=...)"});
}

void add_cgroups(std::vector<SpaceLimit>& limits) {
  for (const platform::CgroupRoom& group : platform::limiting_cgroups()) {
    limits.push_back({"the memory limit of cgroup " + group.cgroup + " (" + std::to_string(group.limit) + " bytes)",
                      group.room, "raise it (docker run --memory=...; MemoryMax= in a service's unit)"});
  }
}

// The fields of /proc/meminfo, in bytes.
std::map<std::string, std::uint64_t> memory_facts() {
  std::map<std::string, std::uint64_t> facts;
  std::ifstream file{"/proc/meminfo"};
  for (std::string line; std::getline(file, line);) {
    std::istringstream words{line};
    std::string name;
    std::uint64_t kibibytes = 0;
    if (words >> name >> kibibytes && name.ends_with(':')) facts[name.substr(0, name.size() - 1)] = kibibytes * 1024;
  }
  return facts;
}

void add_machine(std::vector<SpaceLimit>& limits) {
  const auto facts = memory_facts();
  const auto fact = [&](const char* name) {
    const auto found = facts.find(name);
    return found == facts.end() ? 0 : found->second;
  };
  if (facts.contains("MemAvailable")) {
    limits.push_back({"the available memory of this machine, swap included (free -b)",
                      fact("MemAvailable") + fact("SwapFree"), "end what takes so much of it"});
  }
  int overcommit = 0;
  if (std::ifstream{"/proc/sys/vm/overcommit_memory"} >> overcommit && overcommit == 2 &&
      facts.contains("CommitLimit")) {
    const std::uint64_t limit = fact("CommitLimit");
    limits.push_back({"what the kernel may still commit to (vm.overcommit_memory is 2)",
                      limit - std::min(limit, fact("Committed_AS")), "raise vm.overcommit_ratio"});
  }
}

}  // namespace

std::vector<SpaceLimit> space_limits() { return platform::space_limits_behind(0); }

}  // namespace SAPBUF_ABI

std::vector<SpaceLimit> platform::space_limits_behind(std::uint64_t offset) {
  std::vector<SpaceLimit> limits;
  add_file_size_limit(limits, offset);
  add_file_system(limits);
  add_cgroups(limits);
  add_machine(limits);
  std::stable_sort(limits.begin(), limits.end(),
                   [](const SpaceLimit& a, const SpaceLimit& b) { return a.bytes < b.bytes; });
  return limits;
}

}  // namespace sapbuf
