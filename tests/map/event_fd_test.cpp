// Descriptors of a map's readers.
#include <boost/test/unit_test.hpp>

#include "map/map_fixture.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(map_event_fd)

BOOST_AUTO_TEST_CASE(it_is_readable_when_there_may_be_a_change) {
  MapFixture fixture;
  MapReader reader{fixture.map};
  const int descriptor = reader.event_fd();
  BOOST_TEST(is_readable(descriptor));
  Child writing{[&](Link& link) {
    MapWriter writer{fixture.open_again()};
    for (std::uint64_t number = 0; link.hear() != 0; ++number) {
      if (writer.put("a", value_of(number)) != Status::ok) throw std::runtime_error("no");
    }
  }};
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t seen = reader.version();
    BOOST_TEST(!reader.wait_changed(seen, 0ms));
    BOOST_TEST(!is_readable(descriptor));
    writing.say(1);
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST(reader.wait_changed(seen, 0ms));
  }
  MapEntry entry = reader.entry("a");
  const std::uint64_t version = entry.read().version();
  BOOST_TEST(!entry.wait_changed(version, 0ms));
  BOOST_TEST(!is_readable(descriptor));
  writing.say(1);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(entry.wait_changed(version, 0ms));
  writing.say(0);
  BOOST_TEST(writing.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
