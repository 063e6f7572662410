// What stands for a buffer of a pool while it is on its way.
#pragma once

#include <cstdint>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

// Names one buffer at one time of its life, for whoever is to have it next: it may travel by any means, between processes
// that have the segment. It keeps nothing. A reference that is stale adopts nothing, and never another's data, until the
// buffer was freed four billion times.
struct BufferReference {
  std::uint64_t where = 0;  // segment and pool
  std::uint32_t index = 0;
  std::uint32_t incarnation = 0;

  bool operator==(const BufferReference&) const = default;
};
static_assert(sizeof(BufferReference) == 16);

SAPBUF_END
