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

// Who waits for a buffer of the pool is told of a version that is nobody's any more.
BOOST_AUTO_TEST_CASE(what_a_dead_reader_kept_makes_a_pool_users_descriptor_readable) {
  MapFixture fixture{{.keys = 2, .value_bytes = 16, .values = 4}};
  Pool pool = fixture.pool();
  pool.grow_to(pool.options().max_count);
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", "kept") == Status::ok));
  Child victim{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    const MapValue kept = reader.read("k");
    link.say(kept ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST((writer.put("k", "next") == Status::ok));
  PoolUser user{pool};
  const int descriptor = user.event_fd();
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
  // Where others have shared buffers, it looks by itself, too, some milliseconds later.
  BOOST_TEST(eventually([&] { return user.acquire().status() == Status::exhausted && !is_readable(descriptor); }));
  victim.kill();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(static_cast<bool>(user.acquire()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
