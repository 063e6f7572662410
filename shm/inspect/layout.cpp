// Where everything is in a segment, from its geometry and its directory.
#include <algorithm>

#include <sapbuf/inspect.hpp>

#include "platform/cancellation.hpp"
#include "platform/counted.hpp"
#include "segment/creation.hpp"
#include "segment/facility.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace {

std::vector<SegmentPart> layout_of_core(detail::SegmentCore& core) {
  core.check_not_forked();
  const layout::SegmentGeometry& geometry = core.geometry();
  const std::string slots = platform::counted(geometry.participants, "participant slot");
  std::vector<SegmentPart> parts{
      {"", "header", 0, geometry.directory_at},
      {"", "directory", geometry.directory_at, geometry.control_at - geometry.directory_at},
      {"", "control", geometry.control_at, geometry.slots_at - geometry.control_at},
      {"", slots, geometry.slots_at, geometry.participants * sizeof(layout::ParticipantSlot)}};
  for (const detail::DirectoryRecord& record : detail::directory::list(core)) {
    if (const std::shared_ptr<detail::Facility> facility = find_facility(core, record.id)) {
      facility->describe(parts);
    } else {
      parts.push_back({record.name, "of a kind that this version does not know", record.offset, record.bytes});
    }
  }
  std::ranges::stable_sort(parts, {}, &SegmentPart::offset);
  return parts;
}

}  // namespace

std::vector<SegmentPart> layout_of(const Segment& segment) {
  const platform::Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return layout_of_core(*segment.core()); });
}

std::vector<SegmentPart> layout_of(std::string_view name) {
  const platform::Uncancellable to_its_end;
  const detail::Obtained opened = detail::open_named(name, platform::FileAccess::read_only);
  return opened.core->unless_truncated([&] { return layout_of_core(*opened.core); });
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
