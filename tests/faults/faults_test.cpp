// Every system call that the library makes fails in turn, with each errno that it can give; and so does each request
// for memory. Here in what programs do with streams; see facility_faults_test.cpp for the rest.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>

#include "faults/calls.hpp"
#include "faults/experiment.hpp"
#include "platform/lock_file.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(faults)

BOOST_DATA_TEST_CASE(each_call_may_fail_once, data::make(stream_operations()), operation) {
  let_each_call_fail_once(operation);
}

BOOST_DATA_TEST_CASE(each_kind_of_call_may_fail_for_good, data::make(stream_operations()), operation) {
  let_each_kind_of_call_fail_for_good(operation);
}

// Nothing else that is held may go with it.
BOOST_AUTO_TEST_CASE(a_byte_that_cannot_be_unlocked_is_free_with_the_last_one) {
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 60;
  constexpr std::uint64_t kLast = kFirst + 1;
  const SharedMemory memory{4096};
  platform::LockFile mine{memory.descriptor()};
  platform::LockFile other{memory.descriptor()};
  BOOST_TEST(mine.try_lock(kFirst));
  BOOST_TEST(mine.try_lock(kLast));
  {
    const Faults faults{{.nth = 1, .call = Call::unlock, .error = ENOLCK}};
    mine.unlock(kFirst);
    BOOST_TEST(faults.struck() == 1U);
  }
  BOOST_TEST(other.is_locked(kFirst));
  BOOST_TEST(!other.try_lock(kLast));
  BOOST_TEST(mine.try_lock(kFirst));  // it can be taken again by those who have it
  mine.unlock(kFirst);
  mine.unlock(kLast);
  BOOST_TEST(other.try_lock(kFirst));
  BOOST_TEST(other.try_lock(kLast));
  BOOST_TEST(mine.try_lock(kLast + 1));
  BOOST_TEST(other.is_locked(kLast + 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
