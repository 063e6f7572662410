// The facilities that live in a segment: the one place that knows all of them.
#include "cell/cell_core.hpp"
#include "map/map_core.hpp"
#include "pool/pool_core.hpp"
#include "queue/queue_core.hpp"
#include "segment/facility.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace SAPBUF_DETAIL {

std::span<const FacilityType> facility_types() noexcept {
  static const FacilityType all[] = {stream_type(), pool_type(), map_type(), queue_type(), cell_type()};
  return all;
}

std::vector<FacilityPlan> plans_of(const SegmentOptions& options) {
  if (!options.main_stream) return {};
  return {plan_stream(kMainStream, options.stream(), options.participants)};
}

}  // namespace SAPBUF_DETAIL
