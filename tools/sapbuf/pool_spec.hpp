// A pool in one word of a command line: NAME:SIZE:COUNT[:MAX], or, for buffers of all sizes between two, NAME:MIN-MAX:ROOM[:MAX].
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <sapbuf/pool.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

struct PoolSpec {
  std::string name;
  PoolOptions options;
};

// "16-1MiB"; nothing if it is something else.
struct SizeRange {
  std::uint64_t min_bytes = 0;
  std::uint64_t max_bytes = 0;
};
std::optional<SizeRange> parse_size_range(const std::string& text) noexcept;

// --pool, which may be given again and again. What is wrong with a text is told before anything is made; what only the
// library can tell (whether a name or a size is allowed), when the pool is made.
CLI::Option* add_pool_specs(CLI::App& app, std::vector<PoolSpec>& specs);

}  // namespace sapbuf::tools
