#include "stream/reader_start.hpp"

#include <sapbuf/detail/kill_point.hpp>

#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "stream/close.hpp"
#include "stream/extents.hpp"
#include "stream/reader_state.hpp"

namespace sapbuf::detail {
namespace {

using layout::Extent;
using layout::ExtentState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kAttachPatience{2000};

// Under the maintenance lock.
std::vector<SlabGeneration> choose_start(StreamCore& core, From from, layout::StreamSlot& fresh) {
  const ActiveSlab active = expect_active(core);
  mend_states(core, active);
  const bool newest = from == From::newest;
  // What idle writers have left open would be held until the next look. Total order leaves nothing open.
  if (newest && !core.in_total_order()) close_ended(core, active);
  // A reader of the newest still needs the generations that somebody may yet write into.
  const auto first = find_oldest(core, newest ? core.control().closed_through.load(relaxed) + 1 : 1);
  if (!first || first->generation > active.generation) core.throw_corrupt("no slab has the active generation");
  std::vector<SlabGeneration> start{*first};
  while (newest && start.back().generation < active.generation && start.size() < core.geometry().slabs) {
    const auto slab = find_slab(core, start.back().generation + 1);
    if (!slab) break;
    start.push_back({start.back().generation + 1, *slab});
  }
  fresh.base_messages.store(core.descriptor(first->slab).messages_before.load(relaxed), relaxed);
  if (core.geometry().on_full != OnFull::overwrite) {
    fresh.hold.store(first->generation, relaxed);
  } else if (newest) {
    // Until it has walked through them: what it leaves out is not its loss.
    std::uint64_t mask = 0;
    for (const SlabGeneration where : start) mask |= pin_of(where.slab);
    fresh.pins.store(mask, relaxed);
  }
  return start;
}

void skip_committed(ReaderState& reader, Window& window, Place& place) noexcept {
  if (!reader.attachment.in_total_order()) {
    // extent-close: acquire; the word counts what stands in it, and nothing more will.
    const layout::Word& word = reader.attachment.core().extent(window.slab, place.extent);
    const Extent extent{word.load(std::memory_order_acquire)};
    if (extent.state() == ExtentState::closed) {
      window.passed += extent.messages();
      place.at = place.end;
    }
  }
  while (place.at < place.stop) {
    const ExtentContent content = walk_extent(place.at, static_cast<std::uint64_t>(place.stop - place.at));
    window.passed += content.messages;
    place.at += content.end;
    if (place.at >= place.stop || !reader.windows.step_over_filler(place)) break;
  }
}

}  // namespace

ReaderStart attach_reader(StreamCore& core, const ReaderOptions& options) {
  core.check_not_forked();
  core.check_not_removed();
  core.slab_for_reading(0);
  recover_core(core.segment());
  ReaderStart start;
  const MaintenanceLock lock{core, kAttachPatience};
  if (!lock) lock.throw_not_held();
  start.attachment = registry::attach(core, layout::SlotRole::reader, options.name, [&](std::uint32_t fresh) {
    start.generations = choose_start(core, options.from, core.slot(fresh));
  });
  core.control().reader_came.store(1, std::memory_order_release);
  return start;
}

void skip_what_is_there(ReaderState& reader) {
  SAPBUF_KILL_POINT(attach_skipping);
  StreamCore& core = reader.attachment.core();
  reader.windows.discover(expect_active(core));
  for (Window& window : reader.windows) {
    for (Place& place : window.places) skip_committed(reader, window, place);
    reader.loss.leave_out_at_start(window.passed);
    // Total order is one chain: whatever comes after an open frame, in later generations too, stands behind it.
    if (core.in_total_order() && !window.places.front().finished()) break;
  }
  reader.pins.undo_pin();
  reader.windows.forget_finished();
}

}  // namespace sapbuf::detail
