// The stream at its simplest: what is written is read.
#include <sapbuf/sapbuf.hpp>

#include <boost/test/unit_test.hpp>

#include "support/child.hpp"

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(first_steps)

BOOST_AUTO_TEST_CASE(a_message_is_delivered_once) {
  for (const auto order : {sapbuf::Order::per_writer, sapbuf::Order::total}) {
    const sapbuf::test::TestName name;
    const auto segment = sapbuf::Segment::create(name, {.order = order});
    sapbuf::Reader reader{segment};
    sapbuf::Writer writer{segment};
    BOOST_TEST(!reader.wait_for(0ms));
    BOOST_TEST((writer.write("hello", 7) == sapbuf::Status::ok));
    BOOST_TEST(reader.wait_for(10s));
    int seen = 0;
    for (const sapbuf::Frame& frame : reader.pin()) {
      BOOST_TEST(frame.type() == 7);
      BOOST_TEST(frame.bytes().size() == 5U);
      ++seen;
    }
    BOOST_TEST(seen == 1);
    BOOST_TEST(reader.delivered() == 1U);
    BOOST_TEST(!reader.wait_for(0ms));
  }
}

BOOST_AUTO_TEST_SUITE_END()
