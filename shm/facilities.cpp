// The facilities that live in a segment: the one place that knows all of them.
#include "pool/pool_core.hpp"
#include "segment/facility.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace sapbuf::detail {

std::span<const FacilityType> facility_types() noexcept {
  static const FacilityType all[] = {stream_type(), pool_type()};
  return all;
}

std::vector<FacilityPlan> plans_of(const SegmentOptions& options) {
  if (!options.main_stream) return {};
  return {plan_stream(kMainStream, options.stream(), options.participants)};
}

}  // namespace sapbuf::detail
