// From a pool's options to its geometry and back, what differs between two sets of them, and how one is made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/layout/pool_geometry.hpp>
#include <sapbuf/pool.hpp>

#include "segment/directory.hpp"

namespace SAPBUF_DETAIL {

PoolOptions options_of(const layout::PoolGeometry& geometry);

// Throws Error (invalid_argument) for options that cannot work.
layout::PoolGeometry pool_geometry_of(const PoolOptions& options, std::uint32_t participants);

// "count 64, not 8"; empty if both, as options_of() gives them, are the same.
std::vector<std::string> differences(const PoolOptions& there, const PoolOptions& asked);

// Throws Error (invalid_argument) for options that cannot work.
FacilityPlan plan_pool(std::string_view name, const PoolOptions& options, std::uint32_t participants);

}  // namespace SAPBUF_DETAIL
