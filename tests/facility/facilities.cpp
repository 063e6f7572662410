// What shm/facilities.cpp is to the library, with one more kind of facility.
#include "facility/counter.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace sapbuf::detail {

std::span<const FacilityType> facility_types() noexcept {
  static const FacilityType all[] = {
      stream_type(), {test::kCounterKind, "counter", [](SegmentCore& segment, const DirectoryRecord& record) {
                        return std::static_pointer_cast<Facility>(std::make_shared<test::Counter>(segment, record));
                      }}};
  return all;
}

std::vector<FacilityPlan> plans_of(const SegmentOptions& options) {
  std::vector<FacilityPlan> plans;
  if (options.main_stream) plans.push_back(plan_stream(kMainStream, stream_options_of(options), options.participants));
  plans.push_back(test::Counter::plan("clicks", options.participants));
  return plans;
}

}  // namespace sapbuf::detail
