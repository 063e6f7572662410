#include "queue/queue_core.hpp"

#include "platform/counted.hpp"
#include "segment/event.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// What the directory says of a queue, checked. Throws Error.
layout::QueueGeometry geometry_in(SegmentCore& segment, const DirectoryRecord& record) {
  const std::string title = title_of(segment, record);
  check_layout_hash(record, layout::queue_layout_hash(), title);
  std::optional<layout::QueueGeometry> geometry = layout::read_queue_choices(record.choices);
  if (!geometry) throw_unknown_choices(title);
  geometry->participants = segment.geometry().participants;
  if (const auto problem = layout::problem_with(*geometry)) {
    throw Error(Errc::corrupt, title + " is corrupt: " + *problem);
  }
  layout::place(*geometry, record.offset);
  if (geometry->end_at - record.offset > record.bytes) {
    throw Error(Errc::corrupt, title + " is corrupt: its region has " + std::to_string(record.bytes) + " bytes of " +
                                   std::to_string(geometry->end_at - record.offset));
  }
  return *geometry;
}

std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<QueueCore>(segment, record);
}

layout::FacilityId dead_letters_in(const std::uint64_t (&choices)[layout::kChoices]) noexcept {
  const std::optional<layout::QueueGeometry> geometry = layout::read_queue_choices(choices);
  return geometry ? geometry->dead_letters : layout::FacilityId{};
}

}  // namespace

QueueCore::QueueCore(SegmentCore& segment, const DirectoryRecord& record)
    : Facility(segment, record, geometry_in(segment, record).end_at - record.offset),
      geometry_(geometry_in(segment, record)) {}

bool QueueCore::is_none(std::uint32_t block) const noexcept {
  for (std::uint32_t number = 0; number < geometry_.groups; ++number) {
    // queue-done: acquire.
    if (!layout::BlockWord{state(block, number).load(std::memory_order_acquire)}.is_none()) return false;
  }
  return true;
}

std::uint64_t QueueCore::end() const noexcept {
  std::uint64_t position = control().tail.load(relaxed) % layout::kPositions;
  for (std::uint64_t looked = 0; looked <= geometry_.slots; ++looked) {
    const layout::RingWord filled{ring(position).load(std::memory_order_acquire)};
    if (filled.position() == lap_before(position)) break;
    position = layout::position_after(filled.position(), 1);
  }
  return position;
}

std::shared_ptr<PoolCore> QueueCore::pool() {
  std::shared_ptr<Facility> found = find_facility(segment(), pool_id());
  if (found == nullptr || found->record().kind != layout::FacilityKind::pool) {
    check_not_removed();
    throw Error(Errc::corrupt, title() + " is corrupt: its pool is not there");
  }
  std::shared_ptr<PoolCore> pool = std::static_pointer_cast<PoolCore>(std::move(found));
  if (pool->has_classes() || pool->geometry().max_count > geometry_.blocks) {
    throw Error(Errc::corrupt, title() + " is corrupt: its pool's buffers are not as its blocks need them");
  }
  return pool;
}

void QueueCore::check() {
  const std::uint64_t tail = control().tail.load(relaxed);
  if (tail < layout::kPositions && (control().departed_selector.load(relaxed) < ~std::uint64_t{0} >> 1)) return;
  segment().check_not_truncated();
  check_not_removed();
  throw Error(Errc::corrupt, title() + " is corrupt: it says that " + std::to_string(tail) + " positions are filled");
}

void QueueCore::prepare(std::uint32_t index) noexcept {
  layout::QueueSlot& fresh = slot(index);
  for (layout::Word* word :
       {&fresh.group, &fresh.leaving, &fresh.ended, &fresh.passing_to, &fresh.passing, &fresh.pushed, &fresh.taken,
        &fresh.redelivered, &fresh.put_back, &fresh.passed, &fresh.dead_letters, &fresh.dropped, &fresh.waits}) {
    word->store(0, relaxed);
  }
  const layout::SlotRegistration own{segment().participant(index).registration.load(relaxed)};
  fresh.tenure.store(own.incarnation(), relaxed);
}

void QueueCore::mark_settled(std::uint32_t index) noexcept { slot(index).tenure.store(0, relaxed); }

void QueueCore::wake_all() noexcept {
  for (std::uint32_t number = 0; number < geometry_.groups; ++number) notify(group(number).filled);
  notify(control().room);
}

void QueueCore::describe(std::vector<SegmentPart>& parts) const {
  const layout::QueueGeometry& g = geometry_;
  const auto part = [&](std::string what, std::uint64_t begin, std::uint64_t end) {
    parts.push_back({record().name, std::move(what), begin, end - begin});
  };
  part("journal and counts of recoveries", g.head_at, g.control_at);
  part("control", g.control_at, g.groups_at);
  part(platform::counted(g.groups, "group"), g.groups_at, g.slots_at);
  part(platform::counted(g.participants, "slot"), g.slots_at, g.ring_at);
  part("ring of " + std::to_string(g.slots), g.ring_at, g.bits_at);
  part("what was put back", g.bits_at, g.entries_at);
  part(std::to_string(g.blocks) + " entries", g.entries_at, g.notes_at);
  if (g.notes != 0) part("notes of deliveries", g.notes_at, g.lanes == 0 ? g.end_at : g.lanes_at);
  if (g.lanes != 0) part(platform::counted(g.lanes, "lane") + " of keys, and what waits there", g.lanes_at, g.end_at);
}

std::shared_ptr<QueueCore> find_queue(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return find_as<QueueCore>(segment, layout::FacilityKind::queue, name);
}

std::shared_ptr<QueueCore> open_queue(const std::shared_ptr<SegmentCore>& segment, std::string_view name) {
  return open_as<QueueCore>(segment, layout::FacilityKind::queue, name);
}

FacilityType queue_type() noexcept { return {layout::FacilityKind::queue, "queue", &open, &dead_letters_in}; }

}  // namespace SAPBUF_DETAIL
