#include "pool/own_pool.hpp"

#include <algorithm>

#include "pool/pool_options.hpp"
#include "segment/facility.hpp"

namespace SAPBUF_DETAIL {

std::string own_pool_name(std::string_view facility, std::string_view suffix) {
  const std::string name = std::string(facility) + std::string(suffix);
  directory::check_name(name);
  return name;
}

DirectoryRecord make_own_pool(SegmentCore& segment, const std::string& name, const PoolOptions& options) {
  const FacilityPlan plan = plan_pool(name, options, segment.geometry().participants);
  try {
    return directory::make(segment, plan);
  } catch (const Error& error) {
    if (error.errc() != Errc::exists) throw;
  }
  const std::optional<DirectoryRecord> there = directory::find_by_name(segment, name);
  if (there && there->kind == plan.kind && std::ranges::equal(there->choices, plan.choices)) return *there;
  if (there) directory::remove(segment, name);
  return directory::make(segment, plan);
}

void make_on_own_pool(SegmentCore& segment, const std::string& name, const PoolOptions& options,
                      const std::function<void(const DirectoryRecord& pool)>& make) {
  constexpr int kTries = 100;
  for (int tried = 0;; ++tried) {
    const DirectoryRecord pool = make_own_pool(segment, name, options);
    try {
      return make(pool);
    } catch (const Error& error) {
      if (error.errc() == Errc::not_found && tried < kTries) continue;
      if (error.errc() != Errc::exists) remove_own_pool(segment, name);
      throw;
    }
  }
}

void remove_own_pool(SegmentCore& segment, const std::string& name) {
  try {
    directory::remove(segment, name);
  } catch (const Error& error) {
    if (error.errc() != Errc::busy) throw;
  }
}

DirectoryRecord find_pool_for(SegmentCore& segment, const std::string& name) {
  std::optional<DirectoryRecord> pool = directory::find_by_name(segment, name);
  if (!pool || pool->kind != layout::FacilityKind::pool) throw_not_there(segment, layout::FacilityKind::pool, name);
  return *std::move(pool);
}

}  // namespace SAPBUF_DETAIL
