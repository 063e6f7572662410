#include "stream/reader_start.hpp"

#include <algorithm>

#include <sapbuf/detail/kill_point.hpp>

#include "segment/liveness.hpp"
#include "stream/close.hpp"
#include "stream/durable_readers.hpp"
#include "stream/extents.hpp"
#include "stream/reader_state.hpp"
#include "stream/settled_lock.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::chrono::milliseconds kAttachPatience{2000};

// Under the maintenance lock: fills in all but the attachment.
void choose_start(StreamCore& core, const ReaderOptions& options, std::uint32_t slot, ReaderStart& start) {
  const ActiveSlab active = expect_active(core);
  mend_states(core, active);
  if (options.durable) {
    const layout::Word& registration = core.segment().participant(slot).registration;
    start.durable =
        take_durable(core, options, slot, layout::SlotRegistration{registration.load(relaxed)}.incarnation());
    if (is_named(core, *start.durable)) start.resumes_from = core.durable_reader(*start.durable).hold.load(relaxed);
  }
  const bool newest = options.from == From::newest && !start.resumes_from;
  // What idle writers have left open would be held until the next look: total order leaves nothing open. And one that
  // goes on somewhere asks how many messages stood before that.
  if (start.resumes_from || (newest && !core.in_total_order())) close_ended(core, active);
  // A reader of the newest still needs the generations that somebody may yet write into.
  const auto first =
      find_oldest(core, newest ? core.control().closed_through.load(relaxed) + 1 : start.resumes_from.value_or(1));
  if (!first || first->generation > active.generation) core.throw_corrupt("no slab has the active generation");
  std::vector<SlabGeneration>& generations = start.generations;
  generations = {*first};
  const bool all = newest || start.resumes_from;
  while (all && generations.back().generation < active.generation && generations.size() < core.geometry().slabs) {
    const auto slab = find_slab(core, generations.back().generation + 1);
    if (!slab) break;
    generations.push_back({generations.back().generation + 1, *slab});
  }
  if (start.durable && !start.resumes_from) {
    core.durable_reader(*start.durable).hold.store(first->generation, relaxed);
  }
  layout::StreamSlot& fresh = core.slot(slot);
  fresh.base_messages.store(core.descriptor(first->slab).messages_before.load(relaxed), relaxed);
  if (core.geometry().on_full != OnFull::overwrite) {
    fresh.hold.store(first->generation, relaxed);
  } else if (all) {
    // Until it has walked through them: what it leaves out is not its loss.
    std::uint64_t mask = 0;
    for (const SlabGeneration where : generations) mask |= pin_of(where.slab);
    fresh.pins.store(mask, relaxed);
  }
}

// No slot is free, and recovery frees one of this stream's.
bool needs_unsettled_slot(StreamCore& core) noexcept {
  SegmentCore& segment = core.segment();
  for (std::uint32_t index = 0; index < segment.geometry().participants; ++index) {
    const layout::Word& registration = segment.participant(index).registration;
    if (!layout::SlotRegistration{registration.load(relaxed)}.in_use()) return false;
  }
  return any_participant(core, [&](std::uint32_t index, layout::SlotRegistration registration) {
    return needs_settling(segment, index, registration);
  });
}

void skip_committed(ReaderState& reader, Window& window, Place& place) noexcept {
  while (place.at < place.stop) {
    const ExtentContent content = walk_extent(place.at, static_cast<std::uint64_t>(place.stop - place.at));
    window.passed += {.messages = content.messages, .bytes = content.bytes};
    place.at += content.end;
    if (place.at >= place.stop || !reader.windows.step_over_filler(place)) break;
  }
}

}  // namespace

ReaderStart attach_reader(StreamCore& core, const ReaderOptions& options) {
  core.check_not_forked();
  core.check_not_removed();
  if (options.durable) check_durable(core, options);
  core.slab_for_reading(0);
  ReaderStart start;
  const auto is_in_the_way = [&] {
    return (options.durable && is_kept_by_unsettled(core, options.name)) || needs_unsettled_slot(core);
  };
  const SettledLock lock{core, kAttachPatience, is_in_the_way};
  start.attachment = registry::attach(core, layout::SlotRole::reader, options.name,
                                      [&](std::uint32_t fresh) { choose_start(core, options, fresh, start); });
  core.control().reader_came.store(1, std::memory_order_release);
  return start;
}

void resume_position(ReaderState& reader, std::uint64_t from_generation) {
  StreamCore& core = reader.attachment.core();
  reader.windows.discover(expect_active(core));
  reader.attachment.check_not_corrupt();
  std::optional<std::uint64_t> missed = 0;
  const auto before = reader.durable->passed();
  if (reader.windows.front().generation == from_generation) {
    reader.loss.begin_behind(before, reader.windows.all());
  } else {
    // Both count what was passed in the generations that are there.
    const auto now = reader.loss.messages_before(reader.windows.all());
    missed = before && now ? std::optional{*now - std::min(*now, *before)} : std::nullopt;
  }
  reader.loss.resume(missed);
  reader.pins.undo_pin();
  reader.windows.forget_finished();
}

void skip_what_is_there(ReaderState& reader) {
  SAPBUF_KILL_POINT(attach_skipping);
  StreamCore& core = reader.attachment.core();
  reader.windows.discover(expect_active(core));
  for (Window& window : reader.windows) {
    for (Place& place : window.places) skip_committed(reader, window, place);
    reader.loss.leave_out_at_start(window.passed.messages);
    // Total order is one chain: whatever comes after an open frame, in later generations too, stands behind it.
    if (core.in_total_order() && !window.places.front().finished()) break;
  }
  reader.windows.store_position();
  reader.pins.undo_pin();
  reader.windows.forget_finished();
}

}  // namespace SAPBUF_DETAIL
