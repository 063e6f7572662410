// The same as faults_test.cpp, in what programs do with pools, maps, queues and cells.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "faults/experiment.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  for (const auto operations : {pool_operations, map_operations, queue_operations, cell_operations}) {
    for (Operation& operation : operations()) all.push_back(std::move(operation));
  }
  return all;
}

BOOST_AUTO_TEST_SUITE(facility_faults)

BOOST_DATA_TEST_CASE(each_call_may_fail_once, data::make(all_operations()), operation) {
  let_each_call_fail_once(operation);
}

BOOST_DATA_TEST_CASE(each_kind_of_call_may_fail_for_good, data::make(all_operations()), operation) {
  let_each_kind_of_call_fail_for_good(operation);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
