// Boost.Test's main, but for the exit status of a program in which cases were skipped.
#define BOOST_TEST_NO_MAIN
#ifdef BOOST_TEST_DYN_LINK
#include <boost/test/unit_test.hpp>
#else
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/included/unit_test.hpp>
#endif

#include "support/skip.hpp"

namespace {

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of the tests

bool name_the_suite() {
  boost::unit_test::framework::master_test_suite().p_name.value = "sapbuf";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int status = boost::unit_test::unit_test_main(&name_the_suite, argc, argv);
  return status == 0 && sapbuf::test::any_skipped() ? kSkipped : status;
}
