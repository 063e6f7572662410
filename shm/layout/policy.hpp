// What users choose, as it stands in shared memory.
#pragma once

#include <cstdint>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

// In which order frames are delivered. Chosen when the stream is made.
enum class Order : std::uint8_t {
  per_writer = 0,  // each writer's own order; writers fill extents of their own and hardly meet
  total = 1,       // one order for all readers; every message is claimed from the shared cursor
};

// What a writer does when no slab can be had.
enum class OnFull : std::uint8_t {
  block = 0,      // wait, up to the writer's timeout
  drop = 1,       // drop the new message, and count it
  overwrite = 2,  // take the oldest sealed slab that nobody has pinned; readers learn how much they lost
};

// Who lets a pool grow, and is charged for the memory (by its memory cgroup), when no buffer is free.
enum class Grow : std::uint8_t {
  anyone = 0,   // whoever needs one
  creator = 1,  // users of the handle that made the pool
  nobody = 2,   // only Pool::grow_to()
};

// How the common path orders its stores before its loads.
enum class Fences : std::uint8_t {
  membarrier = 0,  // the rare side pays, by membarrier(2); the common path has compiler fences only
  full = 1,        // both sides use seq_cst fences: slower, for systems where membarrier is not allowed
};

SAPBUF_END
