// What of a segment's options concerns all of it.
#include "segment/creation.hpp"

namespace SAPBUF_DETAIL {

layout::SegmentGeometry geometry_of(const SegmentOptions& options) {
  layout::SegmentGeometry geometry;
  geometry.participants = options.participants;
  geometry.fences = options.fences;
  if (const auto problem = layout::problem_with(geometry)) throw Error(Errc::invalid_argument, *problem);
  layout::place(geometry);
  return geometry;
}

}  // namespace SAPBUF_DETAIL
