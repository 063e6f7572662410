// Shedding attached buffers: see Facility::shed(). A slab is reclaimed when the stream needs it. A pool that has nothing
// left needs it earlier: buffers may be attached to messages so small that no slab is ever full.
//
// A step lets go of one slab's buffers; or, where no slab can be reclaimed, ends the active one before it is full, so that
// the next step may reclaim that. It is ended only when every lossless reader has come to it: so no more than one slab at
// a time waits half empty for its readers. Those that sleep are woken, for a reader lets go of a slab when it sees the
// next one. See also end_ahead().
//
// Who sheds has no participant in the stream: all is done with its lock, behind which it may be removed.
#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/flip.hpp"
#include "stream/reclaim.hpp"

namespace SAPBUF_DETAIL {
namespace {

enum class Shed { done, nothing, end_active };

Shed shed_sealed(StreamCore& core, layout::FacilityId pool, std::uint64_t& generation) {
  const MaintenanceLock lock{core};
  if (!lock) return Shed::nothing;
  const ActiveSlab active = load_active(core);
  if (!active.valid()) return Shed::nothing;
  mend_states(core, active);
  if (reclaim_attached(core, active, pool)) {
    notify(core.control().space);
    return Shed::done;
  }
  generation = active.generation;
  const bool is_worth_it = has_attached(core, active.slab, pool) && have_readers_come_to(core, active.generation);
  return is_worth_it ? Shed::end_active : Shed::nothing;
}

}  // namespace

bool StreamCore::shed(layout::FacilityId pool) {
  bool has_any = false;
  for (std::uint32_t slab = 0; slab < geometry_.slabs; ++slab) has_any = has_any || has_attached(*this, slab, pool);
  if (!has_any) return false;
  std::uint64_t generation = 0;
  const Shed shed = shed_sealed(*this, pool, generation);
  if (shed != Shed::end_active) return shed == Shed::done;
  FlipResult result = FlipResult::cleaning;
  while (result == FlipResult::cleaning) result = flip(*this, generation);
  if (const MaintenanceLock lock{*this}) notify(control().data);
  return result == FlipResult::done;
}

}  // namespace SAPBUF_DETAIL
