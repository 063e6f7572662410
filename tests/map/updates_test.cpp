// Processes that update a map and are killed, one after the other: each update is there whole, or not at all.
#include <boost/test/unit_test.hpp>

#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "support/map_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

constexpr std::uint64_t kKeys = 3;

void add_one(std::span<const std::byte> old, MapDraft& fresh) {
  const std::string next = value_of(number_in(old) + 1, old.size());
  std::memcpy(fresh.bytes().data(), next.data(), next.size());
}

BOOST_AUTO_TEST_SUITE(map_updates)

// Writers in processes of their own, of which one after the other is killed: each update is there whole, or not at all.
BOOST_AUTO_TEST_CASE(updates_of_processes_that_are_killed_are_whole) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 48, .key_bytes = 8, .values = 24}};
  MapWriter writer{fixture.map};
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    BOOST_TEST_REQUIRE((writer.put(key, value_of(0)) == Status::ok));
  }
  std::uint64_t own = 0;
  std::uint64_t others = 0;
  {
    const auto work = [&](Link& link) {
      MapWriter theirs{fixture.open_again()};
      for (std::uint64_t i = 0;; ++i) {
        if (theirs.update(i % kKeys, add_one) != Status::ok) throw std::runtime_error("not updated");
        if (i == 500) link.say(1);
      }
    };
    for (int round = 0; round < 10; ++round) {
      Child victim{work};
      BOOST_TEST(victim.hear() == 1U);
      others += 501;
      for (int i = 0; i < 200; ++i, ++own) BOOST_TEST((writer.update(own % kKeys, add_one) == Status::ok));
      victim.kill();
      for (int i = 0; i < 20; ++i, ++own) BOOST_TEST((writer.update(own % kKeys, add_one) == Status::ok));
    }
  }
  recover(fixture.segment);
  MapReader reader{fixture.map};
  std::uint64_t sum = 0;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    const MapValue value = reader.read(key);
    BOOST_TEST(is_whole(value.bytes()));
    BOOST_TEST(value.version() == number_in(value.bytes()) + 1);
    sum += number_in(value.bytes());
  }
  BOOST_TEST(sum >= own + others);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
