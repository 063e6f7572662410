// From a pool's options to its geometry and back, what differs between two sets of them, and how one is made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/layout/pool_geometry.hpp>
#include <sapbuf/pool.hpp>

#include "segment/directory.hpp"

namespace sapbuf::detail {

PoolOptions options_of(const layout::PoolGeometry& geometry);

// "count 64, not 8"; empty if a pool made with `asked` would be the same as the one that is there.
std::vector<std::string> differences(const PoolOptions& there, const PoolOptions& asked);

// Throws Error (invalid_argument) for options that cannot work.
FacilityPlan plan_pool(std::string_view name, const PoolOptions& options, std::uint32_t participants);

}  // namespace sapbuf::detail
