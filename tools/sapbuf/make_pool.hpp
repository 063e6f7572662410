// Makes a pool, and says so.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::tools {

// With `if_absent`, one that is there stays, and what differs is told. Throws Error.
void make_pool(const Segment& segment, const std::string& name, const PoolOptions& options, bool if_absent);

}  // namespace sapbuf::tools
