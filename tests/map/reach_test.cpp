// A process that cannot have so many addresses sees the entries that there were when it came: of the others it says that
// it does not see them, and does no harm.
#include <boost/test/unit_test.hpp>

#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "support/address_space.hpp"
#include "support/map_invariants.hpp"
#include "support/pool_invariants.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

constexpr std::uint64_t kKeys = 20;

// All entries that the map may have are 80 MiB; one page of them is there at first.
struct ReachFixture {
  ReachFixture()
      : segment(Segment::create(name, {.participants = 8, .main_stream = false})),
        pool(Pool::create(segment, "frames", {.buffer_bytes = 96, .count = 32})),
        map(Map::create(segment, "config", {.keys = 4, .max_keys = 1 << 18, .pool = "frames"})) {}

  // Another process, which maps the map while it has a page of entries, and calls `act` once it has grown.
  std::unique_ptr<Child> poor(const std::function<void(Link&, const Segment&, const Map&)>& act) const {
    auto child = std::make_unique<Child>([this, act](Link& link) {
      limit_address_space(40 << 20);
      const Segment own = Segment::open(name);
      const Map its = Map::open(own, "config");
      MapReader{its}.close();
      link.say(its.core()->reach());
      link.hear();
      act(link, own, its);
    });
    const std::uint64_t reach = child->hear();
    BOOST_TEST_REQUIRE(reach >= 4U);
    BOOST_TEST_REQUIRE(reach < kKeys);
    MapWriter writer{map};
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      BOOST_TEST_REQUIRE((writer.put(key, value_of(key)) == Status::ok));
    }
    return child;
  }

  TestName name;
  Segment segment;
  Pool pool;
  Map map;
};

BOOST_AUTO_TEST_SUITE(map_reach)

BOOST_AUTO_TEST_CASE(who_does_not_see_all_values_frees_none) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  const auto poor = fixture.poor([](Link& link, const Segment& segment, const Map&) {
    PoolUser user{Pool::open(segment, "frames")};
    std::vector<Buffer> all;
    while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
    link.say(all.size());
    link.hear();
  });
  poor->say(1);
  BOOST_TEST(poor->hear() <= 32 - kKeys);
  MapReader reader{fixture.map};
  for (std::uint64_t key = 0; key < kKeys; ++key) BOOST_TEST(reader.read(key).text() == value_of(key));
  poor->say(1);
  BOOST_TEST(poor->wait() == 0);
}

BOOST_AUTO_TEST_CASE(who_does_not_see_all_claims_leaves_the_dead_to_others) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  const auto poor = fixture.poor([](Link& link, const Segment& segment, const Map&) {
    const RecoveryReport report = recover(segment);
    link.say(report.pending && report.dead.size() == 1 ? 1 : 0);  // as a user of the pool it is settled
    link.say(find_dead(segment).dead.size());
  });
  Child victim{[&](Link&) {
    MapWriter own{Map::open(Segment::open(fixture.name), "config")};
    kill_point::arm(KillPoint::map_flipped, kill_self);
    static_cast<void>(own.put(15, value_of(99)));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  poor->say(1);
  BOOST_TEST(poor->hear() == 1U);
  BOOST_TEST(poor->hear() == 1U);
  BOOST_TEST(poor->wait() == 0);
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put(15, value_of(100)) == Status::ok));
  BOOST_TEST(MapReader{fixture.map}.read(15).version() == 3U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_CASE(who_does_not_see_a_key_does_not_insert_it_anew) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  const auto poor = fixture.poor([](Link& link, const Segment&, const Map& map) {
    MapReader reader{map};
    MapWriter writer{map, {.timeout = std::chrono::milliseconds{0}}};
    MapDraft draft = writer.prepare(15, 1);
    link.say(draft && draft.flip() == Status::exhausted ? 1 : 0);
    link.say(reader.read(15).status() == Status::exhausted ? 1 : 0);
    link.say(reader.for_each([](std::string_view, const MapValue&) {}) == Status::exhausted ? 1 : 0);
  });
  {
    MapWriter writer{fixture.map};
    for (std::uint64_t key = 0; key < 12; ++key) BOOST_TEST((writer.erase(key) == Status::ok));
  }
  BOOST_TEST(count_free_values(fixture.pool) == 24U);
  poor->say(1);
  for (int i = 0; i < 3; ++i) BOOST_TEST(poor->hear() == 1U);
  BOOST_TEST(poor->wait() == 0);
  BOOST_TEST(count_keys(fixture.map) == 8U);
  BOOST_TEST(fixture.map.size() == 8U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Of a key that it sees, whose value stands where it has no addresses.
BOOST_AUTO_TEST_CASE(a_value_that_is_out_of_reach_is_no_damage) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const TestName name;
  const Segment segment = Segment::create(name, {.participants = 8, .main_stream = false});
  Pool::create(segment, "frames", {.buffer_bytes = 4096, .count = 4, .max_count = 65536});
  const Map map = Map::create(segment, "config", {.keys = 64, .pool = "frames"});
  Child poor{[&](Link& link) {
    limit_address_space(40 << 20);
    const Map its = Map::open(Segment::open(name), "config");
    MapReader reader{its};
    MapWriter writer{its, {.timeout = std::chrono::milliseconds{0}}};
    link.say(1);
    link.hear();
    const auto leave_it = [](std::span<const std::byte>, MapDraft&) {};
    link.say(reader.read(kKeys - 1).status() == Status::exhausted ? 1 : 0);
    link.say(writer.erase(kKeys - 1) == Status::exhausted ? 1 : 0);
    link.say(writer.update(kKeys - 1, leave_it) == Status::exhausted ? 1 : 0);
  }};
  BOOST_TEST(poor.hear() == 1U);
  MapWriter writer{map};
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    BOOST_TEST_REQUIRE((writer.put(key, value_of(key)) == Status::ok));
  }
  poor.say(1);
  for (int i = 0; i < 3; ++i) BOOST_TEST(poor.hear() == 1U);
  BOOST_TEST(poor.wait() == 0);
  BOOST_TEST(count_keys(map) == kKeys);
}

// It goes on with what it sees.
BOOST_AUTO_TEST_CASE(who_cannot_see_more_lets_the_map_grow_no_further) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const ReachFixture fixture;
  Child poor{[&](Link& link) {
    limit_address_space(40 << 20);
    const Map map = Map::open(Segment::open(fixture.name), "config");
    MapWriter writer{map, {.timeout = std::chrono::milliseconds{0}}};
    std::uint64_t keys = 0;
    while (writer.insert(keys, "v") == Status::ok) ++keys;
    link.say(writer.insert(keys, "v") == Status::full && keys == map.core()->reach() ? 1 : 0);
    link.say(count_keys(map) == keys ? 1 : 0);
  }};
  for (int i = 0; i < 2; ++i) BOOST_TEST(poor.hear() == 1U);
  BOOST_TEST(poor.wait() == 0);
  BOOST_TEST((MapWriter{fixture.map}.insert("more", "v") == Status::ok));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
