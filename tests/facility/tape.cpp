#include "facility/tape.hpp"

namespace sapbuf::test {

Tape::Tape(detail::SegmentCore& segment, const detail::DirectoryRecord& record)
    : Facility(segment, record, layout::kPageBytes) {
  std::byte* const begin = range_.map_growing(segment, segment.access(), record.offset, record.bytes, record.most_bytes,
                                              platform::Dump::yes);
  cells_ = reinterpret_cast<layout::Word*>(begin + layout::kPageBytes);
}

detail::FacilityPlan Tape::plan(std::string_view name, std::uint64_t pages, std::uint64_t most_pages) {
  return {.kind = kTapeKind,
          .name = std::string(name),
          .bytes = (1 + pages) * layout::kPageBytes,
          .most_bytes = (1 + most_pages) * layout::kPageBytes,
          .control_bytes = layout::kPageBytes,
          .layout_hash = 1,
          .choices = {},
          .initialise = [](std::byte*) {}};
}

void Tape::make(const Segment& segment, std::string_view name, std::uint64_t pages, std::uint64_t most_pages) {
  detail::directory::make(*segment.core(), plan(name, pages, most_pages));
}

std::shared_ptr<Tape> Tape::find(const Segment& segment, std::string_view name) {
  const auto record = detail::directory::find_by_name(*segment.core(), name);
  if (!record) throw Error(Errc::not_found, "there is no such tape");
  return detail::keep(segment.core(),
                      std::static_pointer_cast<Tape>(detail::find_facility(*segment.core(), record->id)));
}

std::uint64_t Tape::sum() const {
  std::uint64_t sum = 0;
  for (std::uint64_t index = 0; index < pages() * kCellsPerPage; ++index) sum += cell(index).load();
  return sum;
}

}  // namespace sapbuf::test
