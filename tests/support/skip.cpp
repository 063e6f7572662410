#include "support/skip.hpp"

#include <boost/test/unit_test.hpp>

namespace sapbuf::test {
namespace {

bool skipped = false;

}  // namespace

void skip(const std::string& reason) {
  skipped = true;
  BOOST_TEST_MESSAGE("skipped: " << boost::unit_test::framework::current_test_case().full_name() << ": " << reason);
}

bool any_skipped() { return skipped; }

}  // namespace sapbuf::test
