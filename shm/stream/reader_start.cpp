// Attaching as a reader: the position is chosen and held under the maintenance lock, so that nothing can be reclaimed
// in between. What a reader of the newest leaves out is walked through behind it: writers flip meanwhile.
#include <sapbuf/detail/kill_point.hpp>

#include "segment/event.hpp"
#include "segment/maintenance_lock.hpp"
#include "segment/recovery.hpp"
#include "segment/registry.hpp"
#include "stream/close.hpp"
#include "stream/extents.hpp"
#include "stream/reader_state.hpp"

namespace sapbuf::detail {
namespace {

using layout::Extent;
using layout::ExtentState;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kAttachPatience{2000};

}  // namespace

ReaderState::ReaderState(std::shared_ptr<StreamCore> stream, const ReaderOptions& options)
    : core(std::move(stream)), cursor(core->control().cursor), stop(options.stop), keep(options.keep) {
  core->check_not_forked();
  core->check_not_removed();
  core->slab_for_reading(0);
  recover_core(core->segment());
  std::vector<SlabGeneration> start;
  {
    const MaintenanceLock lock{*core, kAttachPatience};
    if (!lock) lock.throw_not_held();
    attachment = attach(*core, layout::SlotRole::reader, options.name,
                        [&](std::uint32_t fresh) { start = choose_start(options.from, core->slot(fresh)); });
    core->control().reader_came.store(1, std::memory_order_release);
  }
  index = attachment.slot();
  slot = &core->slot(index);
  for (const SlabGeneration where : start) add_window(where);
  expected = start.front().generation;
  if (options.from == From::newest) skip_what_is_there();
  core->add(*this);
  if (core->geometry().retain) notify(core->control().space);  // writers may have waited for the first reader
}

ReaderState::~ReaderState() { core->remove(*this); }

// The generations that the reader begins with, the oldest first; they are held, or pinned, in its slot. Under the
// maintenance lock.
std::vector<SlabGeneration> ReaderState::choose_start(From from, layout::StreamSlot& fresh) {
  const ActiveSlab active = expect_active(*core);
  mend_states(*core, active);
  const bool newest = from == From::newest;
  // What idle writers have left open would be held until the next look. Total order leaves nothing open.
  if (newest && !in_total_order()) close_ended(*core, active);
  // A reader of the newest still needs the generations that somebody may yet write into.
  const auto first = find_oldest(*core, newest ? core->control().closed_through.load(relaxed) + 1 : 1);
  if (!first || first->generation > active.generation) core->throw_corrupt("no slab has the active generation");
  std::vector<SlabGeneration> start{*first};
  while (newest && start.back().generation < active.generation && start.size() < core->geometry().slabs) {
    const auto slab = find_slab(*core, start.back().generation + 1);
    if (!slab) break;
    start.push_back({start.back().generation + 1, *slab});
  }
  fresh.base_messages.store(core->descriptor(first->slab).messages_before.load(relaxed), relaxed);
  if (!overwrites()) {
    fresh.hold.store(first->generation, relaxed);
  } else if (newest) {
    // Until it has walked through them: what it leaves out is not its loss.
    std::uint64_t mask = 0;
    for (const SlabGeneration where : start) mask |= std::uint64_t{1} << where.slab;
    fresh.pins.store(mask, relaxed);
  }
  return start;
}

void ReaderState::skip_what_is_there() {
  SAPBUF_KILL_POINT(attach_skipping);
  const ActiveSlab active = expect_active(*core);
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) discover(*window, active);
  for (Window& window : windows) {
    for (Place& place : window.places) skip_committed(window, place);
    skipped_at_attach += window.passed;
    // Total order is one chain: whatever comes after an open frame, in later generations too, stands behind it.
    if (in_total_order() && window.places.front().at < window.places.front().end) break;
  }
  if (overwrites()) unpin_windows();
  forget_finished();
}

void ReaderState::skip_committed(Window& window, Place& place) noexcept {
  if (!in_total_order()) {
    // extent-close: acquire; the word counts what stands in it, and nothing more will.
    const Extent extent{core->extent(window.slab, place.extent).load(std::memory_order_acquire)};
    if (extent.state() == ExtentState::closed) {
      window.passed += extent.messages();
      place.at = place.end;
    }
  }
  while (place.at < place.stop) {
    const ExtentContent content = walk_extent(place.at, static_cast<std::uint64_t>(place.stop - place.at));
    window.passed += content.messages;
    place.at += content.end;
    if (place.at >= place.stop || !step_over_filler(place)) break;
  }
}

void ReaderState::check_usable() const {
  core->check_not_forked();
  if (!attachment.is_current()) {
    throw Error(Errc::declared_dead, core->title() +
                                         ": others took this reader for dead, and what it held was given back: make a "
                                         "new one. Something took away what proves that the process lives (it unmapped "
                                         "memory of the library's?)");
  }
  if (corrupt) core->throw_corrupt("a frame makes no sense");
}

}  // namespace sapbuf::detail
