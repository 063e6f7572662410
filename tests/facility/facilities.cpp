// What shm/facilities.cpp is to the library, with two more kinds of facilities.
#include "facility/counter.hpp"
#include "facility/tape.hpp"
#include "pool/pool_core.hpp"
#include "stream/stream_core.hpp"
#include "stream/stream_options.hpp"

namespace SAPBUF_DETAIL {

namespace {

template <typename Kind>
std::shared_ptr<Facility> open(SegmentCore& segment, const DirectoryRecord& record) {
  return std::make_shared<Kind>(segment, record);
}

}  // namespace

std::span<const FacilityType> facility_types() noexcept {
  static const FacilityType all[] = {stream_type(),
                                     pool_type(),
                                     {test::kCounterKind, "counter", &open<test::Counter>},
                                     {test::kTapeKind, "tape", &open<test::Tape>}};
  return all;
}

std::vector<FacilityPlan> plans_of(const SegmentOptions& options) {
  std::vector<FacilityPlan> plans;
  if (options.main_stream) plans.push_back(plan_stream(kMainStream, options.stream(), options.participants));
  plans.push_back(test::Counter::plan("clicks", options.participants));
  return plans;
}

}  // namespace SAPBUF_DETAIL
