#define BOOST_TEST_MODULE sapbuf
#include <boost/test/unit_test.hpp>
