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
  return detail::open_as<Tape>(segment.core(), kTapeKind, name);
}

std::uint64_t Tape::sum() const {
  std::uint64_t sum = 0;
  for (std::uint64_t index = 0; index < pages() * kCellsPerPage; ++index) sum += cell(index).load();
  return sum;
}

}  // namespace sapbuf::test
