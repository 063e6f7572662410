#include "pool/growth.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/chunks.hpp"
#include "pool/waiters.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 20;  // at once: below a few milliseconds

}  // namespace

std::uint64_t grow_by_one_step(PoolCore& core, std::chrono::milliseconds patience) {
  const layout::PoolGeometry& geometry = core.geometry();
  layout::Word& there = core.control().count;
  std::uint64_t seen = there.load(std::memory_order_acquire);
  if (seen >= geometry.max_count) return 0;
  const std::uint32_t before = core.count();
  if (before < seen) return 0;  // it would be of no use to this process
  if (geometry.buffers_in(core.bytes()) <= seen) {
    const std::uint64_t most = std::max<std::uint64_t>(kMostBytes / geometry.stride_bytes, 1);
    const std::uint64_t more = std::clamp<std::uint64_t>(seen / 4, 1, most);
    // Size classes have whole chunks only.
    const std::uint64_t wanted =
        core.has_classes() ? layout::round_up(seen + more, layout::kChunkBuffers) : seen + more;
    core.grow(geometry.bytes_with(std::min(wanted, geometry.max_count)), patience);
  }
  SAPBUF_KILL_POINT(pool_grown);
  const std::uint64_t grown = geometry.buffers_in(core.bytes());
  std::uint64_t added = 0;
  // growth: release, behind the region's own.
  while (seen < grown && added == 0) {
    if (there.compare_exchange_weak(seen, grown, std::memory_order_release, std::memory_order_acquire)) {
      added = grown - seen;
    }
  }
  SAPBUF_KILL_POINT(pool_counted);
  note_free(core, before);  // its chunk may have been full
  if (added != 0) serve_behind_release(core, kAnyFree);
  return added;
}

}  // namespace SAPBUF_DETAIL
