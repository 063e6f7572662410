// A pool in one word of a command line: NAME:SIZE:COUNT[:MAX].
#pragma once

#include <CLI/CLI.hpp>
#include <sapbuf/pool.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

struct PoolSpec {
  std::string name;
  PoolOptions options;
};

// --pool, which may be given again and again. What is wrong with a text is told before anything is made; what only the
// library can tell (whether a name or a size is allowed), when the pool is made.
CLI::Option* add_pool_specs(CLI::App& app, std::vector<PoolSpec>& specs);

}  // namespace sapbuf::tools
