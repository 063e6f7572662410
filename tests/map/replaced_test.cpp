// The buffers of versions that a writer replaced: it has them again once nobody looks at them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "map_fixture.hpp"
#include "support/map_invariants.hpp"
#include "support/pool_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

void flip(MapWriter& writer, std::uint64_t times) {
  for (std::uint64_t i = 0; i < times; ++i) {
    if (writer.put("k", value_of(i)) != Status::ok) throw std::runtime_error("not flipped");
  }
}

BOOST_AUTO_TEST_SUITE(map_replaced)

BOOST_AUTO_TEST_CASE(they_are_had_again_without_a_scan) {
  const MapFixture fixture{{.keys = 16, .value_bytes = 64, .key_bytes = 24, .values = 64}};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  flip(writer, 200);
  const MapValue kept = reader.read("k");
  const std::uint64_t number = number_in(kept.bytes());
  bool scanned = false;
  kill_point::arm(KillPoint::scan_asked, [&] { scanned = true; });
  flip(writer, 10'000);
  kill_point::disarm();
  BOOST_TEST(!scanned);
  BOOST_TEST(is_whole(kept.bytes()));
  BOOST_TEST(number_in(kept.bytes()) == number);
  BOOST_TEST(broken_pool_invariant(fixture.pool()) == "");
}

// It has read the entry, and keeps the version only when that is dying in the writer's name.
BOOST_DATA_TEST_CASE(a_reader_that_comes_late_keeps_its_version,
                     data::make({KillPoint::unkept_dying, KillPoint::unkept_fenced}), point) {
  const MapFixture fixture{{.keys = 1, .value_bytes = 64, .key_bytes = 24, .values = 8}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", value_of(0)) == Status::ok));
  Child reading{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    kill_point::arm(KillPoint::map_seen, stop_self);
    const Status all = reader.for_each([&](std::string_view, const MapValue& value) {
      link.say(value.version());
      link.hear();
      link.say(is_whole(value.bytes()) && value.version() == number_in(value.bytes()) + 1 ? 1 : 0);
    });
    if (all != Status::ok) throw std::runtime_error("not visited");
  }};
  BOOST_TEST(reading.wait_until_stopped());
  std::uint64_t version = 0;
  kill_point::arm(point, [&] {
    reading.resume();
    version = reading.hear();
  });
  std::uint64_t number = 0;
  while (version == 0) BOOST_TEST_REQUIRE((writer.put("k", value_of(++number)) == Status::ok));
  BOOST_TEST(version == 1U);
  flip(writer, 1000);
  reading.say(1);
  BOOST_TEST(reading.hear() == 1U);
  BOOST_TEST(reading.wait() == 0);
  BOOST_TEST(broken_pool_invariant(fixture.pool()) == "");
}

BOOST_DATA_TEST_CASE(who_dies_amid_the_look_keeps_none,
                     data::make({KillPoint::unkept_dying, KillPoint::unkept_fenced, KillPoint::unkept_taken}), point) {
  const MapFixture fixture;
  Child victim{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(point, kill_self);
    flip(own, 1000);
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  const std::size_t all = fixture.pool().options().max_count;
  BOOST_TEST(count_free_values(fixture.pool()) == all - 1);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(broken_pool_invariant(fixture.pool()) == "");
}

// What is dying in a writer's name is there for all others.
BOOST_AUTO_TEST_CASE(who_stands_still_amid_the_look_keeps_none) {
  const MapFixture fixture;
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::unkept_fenced, stop_self);
    flip(own, 1000);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST(count_free_values(fixture.pool()) == fixture.pool().options().max_count - 1);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(broken_pool_invariant(fixture.pool()) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
