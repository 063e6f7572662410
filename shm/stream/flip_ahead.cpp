#include "stream/flip_ahead.hpp"

#include "segment/maintenance_lock.hpp"
#include "stream/close.hpp"
#include "stream/flip.hpp"
#include "stream/reclaim.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr std::uint64_t kPartOfPool = 4;

}  // namespace

void close_ahead(StreamCore& core, std::uint64_t generation) noexcept {
  if (core.control().closed_through.load(std::memory_order_relaxed) + 1 >= generation) return;
  try {
    const MaintenanceLock lock{core};
    if (!lock) return;
    const ActiveSlab active = load_active(core);
    if (active.valid()) close_ended(core, active);
  } catch (const std::exception&) {
    return;  // the flip will do it
  }
  core.wake_all();
}

void clean_ahead(StreamCore& core) noexcept {
  try {
    const MaintenanceLock lock{core};
    if (!lock) return;
    const ActiveSlab active = load_active(core);
    if (!active.valid()) return;
    mend_states(core, active);  // a slab that a dead cleaner had chosen is still the oldest
    bool cleaning = false;
    take_free_slab(core, active, cleaning);
  } catch (const std::exception&) {
    return;  // the flip will do it
  }
}

bool end_ahead(StreamCore& core, std::uint32_t slab, std::uint32_t attached, std::uint64_t buffers) noexcept {
  if (attached < buffers / kPartOfPool || core.geometry().on_full == OnFull::overwrite) return false;
  const ActiveSlab active = load_active(core);
  if (!active.valid() || active.slab != slab) return false;
  // Without a reader, messages stay as long as there is room.
  if (!is_held(core, active.generation) || !have_readers_come_to(core, active.generation)) return false;
  return flip(core, active.generation) == FlipResult::done;
}

}  // namespace SAPBUF_DETAIL
