#include "sapbuf/pool_name.hpp"

#include <fmt/format.h>

#include "common/exit_code.hpp"

namespace sapbuf::tools {

PoolName parse_pool_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool one_slash = slash != std::string_view::npos && text.find('/', slash + 1) == std::string_view::npos;
  if (!one_slash || slash == 0 || slash + 1 == text.size()) {
    throw Failure(kUsage, fmt::format("'{}' names no pool: SEGMENT/POOL is wanted, such as ticks/frames", text));
  }
  return {std::string{text.substr(0, slash)}, std::string{text.substr(slash + 1)}};
}

}  // namespace sapbuf::tools
