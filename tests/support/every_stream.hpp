// The kinds of streams that a data-driven case is tried with.
#pragma once

#include <boost/test/data/monomorphic.hpp>

#include "support/stream.hpp"

namespace sapbuf::test {

inline const auto kEveryFence = boost::unit_test::data::make({Fences::membarrier, Fences::full});
// order, on_full
inline const auto kEveryStream = boost::unit_test::data::make(kOrders) * boost::unit_test::data::make(kPolicies);
// order, fences: the paths through the library that a writer takes
inline const auto kEveryPath = boost::unit_test::data::make(kOrders) * kEveryFence;

}  // namespace sapbuf::test
