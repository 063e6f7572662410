// The oracle of most tests: a message that is not what its writer wrote, or not as long, does not pass for one.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstring>

#include "support/script.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(a_message_tells_who_wrote_it_unless_a_byte_is_wrong) {
  const Tag tag{7, 123};
  std::vector<std::byte> bytes = message(tag, 100);
  BOOST_TEST((tag_of(bytes) == tag));
  for (std::byte& byte : bytes) {
    byte ^= std::byte{0x10};
    BOOST_TEST((tag_of(bytes) != tag));
    byte ^= std::byte{0x10};
  }
  BOOST_TEST(!tag_of(std::span{bytes}.first(kTagBytes - 1)).has_value());
}

BOOST_DATA_TEST_CASE(a_log_counts_what_is_torn, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 8192, .order = order}};
  Reader reader{segment};
  Writer writer{segment};
  must_put(writer, {1, 0}, 50);
  BOOST_TEST((writer.write(std::string(50, 'x')) == Status::ok));
  must_put(writer, {1, 2}, 50);
  Log log;
  BOOST_TEST(log.read(reader) == 3U);
  BOOST_TEST(log.torn() == 1U);
  const std::vector<std::uint32_t> numbers{0, 2};
  BOOST_TEST(log.numbers_of(1) == numbers, boost::test_tools::per_element());
}

// A script says how long each message is: one that lost its end is not what was written.
BOOST_DATA_TEST_CASE(an_audience_takes_no_message_of_another_length, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 8192, .order = order}};
  Audience audience{segment};
  Writer writer{segment};
  write_messages(writer, 1, 0, 3);
  must_put(writer, {1, 4}, scripted_size({1, 4}) - 1);
  audience.read_all();
  BOOST_TEST(audience.size() == 4U);
  BOOST_TEST(audience.torn() == 1U);
  BOOST_TEST(audience.numbers_of(1) == committed_numbers(0, 3), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
