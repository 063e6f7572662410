#include "cell/cell_core.hpp"

#include "platform/counted.hpp"
#include "segment/event.hpp"

namespace SAPBUF_DETAIL {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// What the directory says of a cell, checked. Throws Error.
layout::CellGeometry geometry_in(SegmentCore& segment, const DirectoryRecord& record) {
  const std::string title = title_of(segment, record);
  check_layout_hash(record, layout::cell_layout_hash(), title);
  std::optional<layout::CellGeometry> geometry = layout::read_cell_choices(record.choices);
  if (!geometry) throw_unknown_choices(title);
  geometry->participants = segment.geometry().participants;
  layout::place(*geometry, record.offset);
  if (geometry->bytes() > record.bytes) {
    throw Error(Errc::corrupt, title + " is corrupt: its region has " + std::to_string(record.bytes) + " bytes of " +
                                   std::to_string(geometry->bytes()));
  }
  return *geometry;
}

std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<CellCore>(segment, record);
}

}  // namespace

CellCore::CellCore(SegmentCore& segment, const DirectoryRecord& record)
    : Facility(segment, record, geometry_in(segment, record).bytes()), geometry_(geometry_in(segment, record)) {}

void CellCore::check() {
  const layout::CellCurrent current{control().current.load(relaxed)};
  if (current.copy() < geometry_.copies) return;
  segment().check_not_truncated();
  check_not_removed();
  throw Error(Errc::corrupt, title() + " is corrupt: it says that its value is in copy " +
                                 std::to_string(current.copy()) + " of " + std::to_string(geometry_.copies));
}

void CellCore::prepare(std::uint32_t index) noexcept {
  const layout::SlotRegistration own{segment().participant(index).registration.load(relaxed)};
  slot(index).tenure.store(own.incarnation(), relaxed);
}

void CellCore::mark_settled(std::uint32_t index) noexcept { slot(index).tenure.store(0, relaxed); }

void CellCore::wake_all() noexcept { notify(control().changed); }

void CellCore::describe(std::vector<SegmentPart>& parts) const {
  const layout::CellGeometry& g = geometry_;
  const auto part = [&](std::string what, std::uint64_t begin, std::uint64_t end) {
    parts.push_back({record().name, std::move(what), begin, end - begin});
  };
  part("journal and counts of recoveries", g.head_at, g.control_at);
  part("control", g.control_at, g.slots_at);
  part(platform::counted(g.participants, "slot"), g.slots_at, g.copies_at);
  part(std::to_string(g.copies) + " copies", g.copies_at, g.copies_at + g.copies * g.copy_bytes);
}

FacilityType cell_type() noexcept { return {layout::FacilityKind::cell, "cell", &open}; }

}  // namespace SAPBUF_DETAIL
