// The facilities that live in a segment: the one place that knows all of them.
#include "segment/facility.hpp"
#include "stream/repair.hpp"

namespace sapbuf::detail {

std::span<const Facility> facilities() noexcept {
  static const Facility all[] = {stream_facility()};
  return all;
}

}  // namespace sapbuf::detail
