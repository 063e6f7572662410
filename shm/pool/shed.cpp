#include "pool/shed.hpp"

#include "pool/scan.hpp"
#include "segment/maintenance_lock.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr int kMostSteps = 128;  // of one facility: a stream has 64 slabs at the most, and ends its active one

}  // namespace

bool free_by_shedding(PoolCore& core, std::chrono::milliseconds patience) {
  // Without it no scan finds what they let go of.
  if (const MaintenanceLock lock{core, patience}; !lock) return false;
  const auto facilities = all_facilities(core.segment());
  if (!facilities) return false;
  for (const auto& facility : *facilities) {
    for (int step = 0; step < kMostSteps && facility->shed(core.id()); ++step) {
      const MaintenanceLock lock{core, patience};
      if (!lock) return false;
      if (free_unrooted(core) != 0) return true;
    }
  }
  return false;
}

}  // namespace SAPBUF_DETAIL
