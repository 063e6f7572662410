// Several insert and erase the same keys, and keys whose places are in each other's way.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "map/keyed_hash.hpp"
#include "map/lookup.hpp"
#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "support/map_invariants.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(map_keys)

// Key and messages are those of the published vectors, 00 01 02 and so on; the hashes, what these are with one round
// for each word, and three in the end.
BOOST_AUTO_TEST_CASE(the_keyed_hash_is_siphash_1_3) {
  const std::uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string message(63, '\0');
  std::iota(message.begin(), message.end(), '\0');
  const auto hash = [&](std::size_t bytes) {
    return detail::keyed_hash(seed, std::string_view{message}.substr(0, bytes));
  };
  BOOST_TEST(hash(0) == 0xabac0158050fc4dcU);
  BOOST_TEST(hash(1) == 0xc9f49bf37d57ca93U);
  BOOST_TEST(hash(7) == 0xd3927d989bb11140U);
  BOOST_TEST(hash(8) == 0x369095118d299a8eU);
  BOOST_TEST(hash(15) == 0xd320d86d2a519956U);
  BOOST_TEST(hash(63) == 0x9d199062b7bbb3a8U);
}

BOOST_AUTO_TEST_CASE(no_two_maps_have_one_seed) {
  const MapFixture fixture;
  const Map other = Map::create(fixture.segment, "other", {.keys = 4});
  const layout::MapControl& one = fixture.map.core()->control();
  const layout::MapControl& another = other.core()->control();
  for (const int word : {0, 1}) BOOST_TEST(one.seed[word].load() != another.seed[word].load());
  const auto hash_in = [](const Map& map) { return detail::PackedKey{*map.core(), "a key"}.hash; };
  BOOST_TEST(hash_in(fixture.map) != hash_in(other));
}

// Keys whose hashes lead to one place.
template <std::size_t kCount>
std::array<std::uint64_t, kCount> keys_of_one_place(const Map& map) {
  detail::MapCore& core = *map.core();
  std::array<std::uint64_t, kCount> keys{};
  std::optional<std::uint64_t> place;
  std::size_t found = 0;
  for (std::uint64_t number = 0; found < kCount; ++number) {
    const std::uint64_t at = detail::PackedKey{core, MapKey{number}.bytes()}.hash & (core.geometry().places - 1);
    if (!place) place = at;
    if (*place == at) keys[found++] = number;
  }
  return keys;
}

// Inserts the key, and is stopped at that point on the way.
struct StoppedInserter {
  StoppedInserter(const MapFixture& fixture, std::uint64_t key, KillPoint point, unsigned nth = 1)
      : child([&fixture, key, point, nth](Link& link) {
          MapWriter own{fixture.open_again()};
          kill_point::arm(point, stop_self, nth);
          link.say(own.insert(key, "stopped") == Status::ok ? 1 : 0);
        }) {
    BOOST_TEST_REQUIRE(child.wait_until_stopped());
  }
  bool goes_on() {
    child.resume();
    const bool inserted = child.hear() == 1U;
    BOOST_TEST(child.wait() == 0);
    return inserted;
  }

  Child child;
};

// As it would be if a place became unused that is on the way to it.
BOOST_AUTO_TEST_CASE(a_key_that_nobody_comes_to_is_noticed) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  const auto [before, key] = keys_of_one_place<2>(fixture.map);
  detail::MapCore& core = *fixture.map.core();
  MapWriter writer{fixture.map};
  for (const std::uint64_t one : {before, key}) BOOST_TEST((writer.insert(one, "v") == Status::ok));
  BOOST_TEST((writer.erase(before) == Status::ok));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  layout::Word& on_the_way = core.place(detail::PackedKey{core, MapKey{before}.bytes()}.hash);
  BOOST_TEST(layout::IndexPlace{on_the_way.load()}.is_gone());
  on_the_way.store(0);
  BOOST_TEST(broken_map_invariant(fixture.map) == "the key of entry 1 is not found there");
}

// The key before it goes between its look for a place and its having it, and nobody passes that one's any more.
BOOST_AUTO_TEST_CASE(who_is_cut_off_from_a_place_takes_another_one) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  const auto [before, key] = keys_of_one_place<2>(fixture.map);
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.insert(before, "v") == Status::ok));
  StoppedInserter stopped{fixture, key, KillPoint::map_taking};
  BOOST_TEST((writer.erase(before) == Status::ok));
  BOOST_TEST(stopped.goes_on());
  BOOST_TEST(MapReader{fixture.map}.read(key).text() == "stopped");
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Killed just there, its place is found all the same.
BOOST_AUTO_TEST_CASE(who_dies_cut_off_leaves_no_place) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  const auto [before, key] = keys_of_one_place<2>(fixture.map);
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.insert(before, "v") == Status::ok));
  Child victim{[&, key = key](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_taking, [] {
      stop_self();
      kill_point::arm(KillPoint::map_indexed, kill_self);
    });
    static_cast<void>(own.insert(key, "v"));
  }};
  BOOST_TEST_REQUIRE(victim.wait_until_stopped());
  BOOST_TEST((writer.erase(before) == Status::ok));
  victim.resume();
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(fixture.segment);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(fixture.map.size() == 0U);
  BOOST_TEST((writer.insert(key, "w") == Status::ok));
}

// He is about to have it: others wait for him, and have it if he dies.
BOOST_DATA_TEST_CASE(who_comes_first_with_a_key_has_it, data::make({false, true}), dies) {
  const MapFixture fixture;
  MapWriter hasty{fixture.map, {.timeout = 0ms}};
  StoppedInserter stopped{fixture, 5, KillPoint::map_compared};
  BOOST_TEST((hasty.insert(5, "late") == Status::timeout));
  if (dies) {
    stopped.child.kill();
    MapWriter patient{fixture.map, {.timeout = 5s}};
    BOOST_TEST((patient.insert(5, "late") == Status::ok));
  } else {
    BOOST_TEST(stopped.goes_on());
    BOOST_TEST((hasty.insert(5, "late") == Status::exists));
  }
  BOOST_TEST(count_keys(fixture.map) == 1U);
  BOOST_TEST(MapReader{fixture.map}.read(5).text() == (dies ? "late" : "stopped"));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// He has looked at all others, and has not been seen by one whose place is before his: that one refuses him.
BOOST_AUTO_TEST_CASE(of_two_with_a_key_the_one_before_has_it) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  const auto [first, second, key] = keys_of_one_place<3>(fixture.map);
  MapWriter writer{fixture.map, {.timeout = 0ms}};
  for (const std::uint64_t before : {first, second}) BOOST_TEST((writer.insert(before, "v") == Status::ok));
  Child rival{[&, key = key](Link& link) {  // has looked whether it is there
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_keyed, stop_self);
    link.say(own.insert(key, "rival") == Status::ok ? 1 : 0);
  }};
  BOOST_TEST(rival.wait_until_stopped());
  StoppedInserter stopped{fixture, key, KillPoint::map_compared};
  BOOST_TEST((writer.erase(first) == Status::ok));  // the second one passes its place
  rival.resume();
  BOOST_TEST(rival.hear() == 1U);
  BOOST_TEST(rival.wait() == 0);
  BOOST_TEST(!stopped.goes_on());
  BOOST_TEST(count_keys(fixture.map) == 2U);
  BOOST_TEST(MapReader{fixture.map}.read(key).text() == "rival");
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Or dies behind that, whichever of them, or both.
BOOST_DATA_TEST_CASE(who_dies_refused_or_refusing_is_in_nobodys_way, data::make({"refused", "refusing", "both"}),
                     dead) {
  const std::string_view dies{dead};
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  const auto [first, second, key] = keys_of_one_place<3>(fixture.map);
  MapWriter writer{fixture.map, {.timeout = 5s}};
  for (const std::uint64_t before : {first, second}) BOOST_TEST((writer.insert(before, "v") == Status::ok));
  Child refusing{[&, key = key](Link& link) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_keyed, [] {
      stop_self();
      kill_point::arm(KillPoint::map_refused, stop_self);
    });
    link.say(own.insert(key, "refusing") == Status::ok ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(refusing.wait_until_stopped());
  StoppedInserter refused{fixture, key, KillPoint::map_compared};
  BOOST_TEST((writer.erase(first) == Status::ok));
  refusing.resume();
  BOOST_TEST_REQUIRE(refusing.wait_until_stopped());
  if (dies != "refusing") refused.child.kill();
  if (dies != "refused") refusing.kill();
  if (dies == "refused") {
    refusing.resume();
    BOOST_TEST(refusing.hear() == 1U);
    BOOST_TEST(refusing.wait() == 0);
  } else if (dies == "refusing") {
    BOOST_TEST(refused.goes_on());
  } else {
    BOOST_TEST((writer.insert(key, "another") == Status::ok));
  }
  recover(fixture.segment);
  const std::string_view text = dies == "refused" ? "refusing" : dies == "refusing" ? "stopped" : "another";
  BOOST_TEST(MapReader{fixture.map}.read(key).text() == text);
  BOOST_TEST(fixture.map.size() == 2U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// As many as were inserted and not erased are there, of each key, whoever did it.
BOOST_AUTO_TEST_CASE(what_several_insert_and_erase_at_once_adds_up) {
  constexpr std::uint64_t kKeys = 6;
  constexpr int kActs = 20'000;
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8, .values = 32}};
  const std::array<std::uint64_t, kKeys> keys = keys_of_one_place<kKeys>(fixture.map);
  std::vector<std::unique_ptr<Child>> all;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    all.push_back(std::make_unique<Child>([&fixture, &keys, seed](Link& link) {
      MapWriter own{fixture.open_again()};
      std::minstd_rand random{seed};
      std::array<std::int64_t, kKeys> balance{};
      for (int act = 0; act < kActs; ++act) {
        const std::size_t at = random() / 16 % kKeys;
        if (random() / 16 % 2 == 0) {
          const Status status = own.insert(keys[at], "v");
          if (status == Status::ok) ++balance[at];
          if (status != Status::ok && status != Status::exists) throw std::runtime_error("not inserted");
        } else {
          const Status status = own.erase(keys[at]);
          if (status == Status::ok) --balance[at];
          if (status != Status::ok && status != Status::not_found) throw std::runtime_error("not erased");
        }
      }
      for (const std::int64_t change : balance) link.say(static_cast<std::uint64_t>(change + kActs));
    }));
  }
  std::array<std::int64_t, kKeys> balance{};
  for (const auto& child : all) {
    for (std::int64_t& sum : balance) sum += static_cast<std::int64_t>(child->hear()) - kActs;
    BOOST_TEST(child->wait() == 0);
  }
  MapReader reader{fixture.map};
  for (std::size_t at = 0; at < kKeys; ++at) {
    BOOST_TEST(balance[at] == (reader.read(keys[at]).status() == Status::ok ? 1 : 0));
  }
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
