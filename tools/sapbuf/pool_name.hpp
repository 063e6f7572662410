// Which pool a command line means: SEGMENT/POOL.
#pragma once

#include <string>
#include <string_view>

namespace sapbuf::tools {

struct PoolName {
  std::string segment;
  std::string pool;

  std::string text() const { return segment + '/' + pool; }
};

// Throws Failure unless there is something on both sides of one slash.
PoolName parse_pool_name(std::string_view text);

}  // namespace sapbuf::tools
