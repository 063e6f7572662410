// What bounds the size of a new segment, here and now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

struct SpaceLimit {
  std::string what;         // "the free space of /dev/shm", "the memory limit of cgroup /system.slice/feed.service"
  std::uint64_t bytes = 0;  // no new segment can be larger than that
  std::string remedy;       // "make /dev/shm larger (mount -o remount,size=... /dev/shm)"
};

// All that can be told, the smallest first: the file size limit of this process, the free space of /dev/shm, the memory
// limits of this process's cgroups up the tree, what the kernel may still commit to, and the memory of the machine.
// Memory that the kernel would give up for a segment (page cache, what can be swapped) counts as free. Whatever cannot
// be read is taken for no limit. Creating a segment looks at the same list. Thread-safe.
std::vector<SpaceLimit> space_limits();

SAPBUF_END
