// Several keys that are flipped together: all of them or none, whoever dies.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "support/map_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr std::uint64_t kKeys = 4;

void put_all(MapWriter& writer, std::uint64_t number) {
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    if (writer.put(key, value_of(number)) != Status::ok) throw std::runtime_error("not put");
  }
}

Status flip_all(MapWriter& writer, std::uint64_t number) {
  Transaction change{writer};
  for (std::uint64_t key = kKeys; key > 0; --key) {
    if (const Status status = change.put(key - 1, value_of(number)); status != Status::ok) return status;
  }
  return change.commit();
}

// What all keys say; nothing if they do not say the same.
std::optional<std::uint64_t> number_in_all(const Map& map) {
  MapReader reader{map};
  std::optional<std::uint64_t> number;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    const MapValue value = reader.read(key);
    if (!value || !is_whole(value.bytes())) return std::nullopt;
    if (number && *number != number_in(value.bytes())) return std::nullopt;
    number = number_in(value.bytes());
  }
  return number;
}

BOOST_AUTO_TEST_SUITE(map_transaction)

BOOST_AUTO_TEST_CASE(all_are_flipped_or_none) {
  const MapFixture fixture;
  MapWriter writer{fixture.map, {.timeout = 20ms}};
  put_all(writer, 1);
  BOOST_TEST((flip_all(writer, 2) == Status::ok));
  BOOST_TEST((number_in_all(fixture.map) == std::optional<std::uint64_t>{2}));
  Transaction change{writer};
  BOOST_TEST((change.commit() == Status::ok));  // of nothing
  BOOST_TEST((change.put(0, value_of(3)) == Status::ok));
  BOOST_TEST((change.put(0, value_of(4)) == Status::ok));  // instead of the other one
  MapDraft draft = writer.prepare(1, 1);
  draft.bytes()[0] = std::byte{'x'};
  BOOST_TEST((change.add(std::move(draft)) == Status::ok));
  BOOST_TEST(change.size() == 2U);
  BOOST_TEST((change.commit() == Status::ok));
  BOOST_TEST(change.size() == 0U);
  MapReader reader{fixture.map};
  BOOST_TEST(number_in(reader.read(0).bytes()) == 4U);
  BOOST_TEST(reader.read(1).text() == "x");
  BOOST_TEST(reader.read(1).version() == 3U);
  BOOST_TEST(number_in(reader.read(2).bytes()) == 2U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Keys that are there and keys that are not, in any order.
BOOST_AUTO_TEST_CASE(keys_that_are_not_there_are_inserted) {
  const MapFixture fixture;
  MapWriter writer{fixture.map, {.timeout = 20ms}};
  MapReader reader{fixture.map};
  put_all(writer, 1);
  Transaction change{writer};
  for (const MapKey& key : {MapKey{"new"}, MapKey{1}, MapKey{"newer"}, MapKey{0}}) {
    BOOST_TEST((change.put(key, value_of(2)) == Status::ok));
  }
  BOOST_TEST((change.commit() == Status::ok));
  for (const MapKey& key : {MapKey{"new"}, MapKey{1}, MapKey{"newer"}, MapKey{0}}) {
    BOOST_TEST(number_in(reader.read(key).bytes()) == 2U);
  }
  BOOST_TEST(reader.read("new").version() == 1U);
  BOOST_TEST(reader.read(0).version() == 2U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST((writer.erase("new") == Status::ok));
  BOOST_TEST((change.put("new", value_of(3)) == Status::ok));
  BOOST_TEST((change.commit() == Status::ok));
  BOOST_TEST(reader.read("new").version() == 2U);  // versions never go back
  BOOST_TEST((writer.insert("new", value_of(4)) == Status::exists));
}

BOOST_AUTO_TEST_CASE(where_a_key_has_no_room_none_is_flipped) {
  const MapFixture fixture{{.keys = 3, .max_keys = 3, .value_bytes = 16, .values = 64}};
  MapWriter writer{fixture.map, {.timeout = 20ms}};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("a", "old") == Status::ok));
  Transaction change{writer};
  for (const char* key : {"a", "b", "c", "d"}) BOOST_TEST((change.put(key, "new") == Status::ok));
  BOOST_TEST((change.commit() == Status::full));
  BOOST_TEST(change.size() == 4U);  // to be tried again, once there is room
  BOOST_TEST(reader.read("a").text() == "old");
  for (const char* key : {"b", "c", "d"}) BOOST_TEST((reader.read(key).status() == Status::not_found));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  for (const char* key : {"b", "c"}) BOOST_TEST((writer.insert(key, "alone") == Status::ok));
  BOOST_TEST((writer.put("d", "alone") == Status::full));
}

BOOST_AUTO_TEST_CASE(the_map_grows_for_its_new_keys) {
  const MapFixture fixture{{.keys = 2, .max_keys = 64, .value_bytes = 16, .values = 128}};
  MapWriter writer{fixture.map, {.timeout = 20ms}};
  Transaction change{writer};
  for (int key = 0; key < 16; ++key) BOOST_TEST((change.put(key, "new") == Status::ok));
  BOOST_TEST((change.commit() == Status::ok));
  MapReader reader{fixture.map};
  for (int key = 0; key < 16; ++key) BOOST_TEST(reader.read(key).text() == "new");
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Whoever inserts the key that a transaction was about to insert hears that it is there only if it is.
BOOST_AUTO_TEST_CASE(a_key_without_a_value_is_not_there) {
  const MapFixture fixture;
  MapReader reader{fixture.map};
  MapWriter writer{fixture.map, {.timeout = 5s}};
  Child victim{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_alive, kill_self);
    Transaction change{own};
    static_cast<void>(change.put("new", "lost"));
    static_cast<void>(change.commit());
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  BOOST_TEST((reader.read("new").status() == Status::not_found));
  BOOST_TEST((writer.insert("new", "here") == Status::ok));
  BOOST_TEST(reader.read("new").text() == "here");
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Between the transaction's look at the index and its insertion somebody else inserts the key.
BOOST_AUTO_TEST_CASE(a_key_that_was_inserted_meanwhile_is_flipped) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("old", "1") == Status::ok));
  Child stopped{[&](Link& link) {
    MapWriter own{fixture.open_again()};
    Transaction change{own};
    const bool added = change.put("old", "2") == Status::ok && change.put("new", "2") == Status::ok;
    kill_point::arm(KillPoint::map_announced, stop_self);
    link.say(added && change.commit() == Status::ok ? 1 : 0);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST((writer.insert("new", "1") == Status::ok));
  stopped.resume();
  BOOST_TEST(stopped.hear() == 1U);
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(reader.read("old").text() == "2");
  BOOST_TEST(reader.read("new").text() == "2");
  BOOST_TEST(reader.read("new").version() == 2U);
  BOOST_TEST(count_keys(fixture.map) == 2U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_CASE(sixteen_keys_are_the_most) {
  const MapFixture fixture{{.keys = 20, .value_bytes = 16, .values = 64}};
  MapWriter writer{fixture.map};
  for (int key = 0; key < 20; ++key) BOOST_TEST((writer.put(key, "old") == Status::ok));
  Transaction change{writer};
  for (int key = 0; key < 16; ++key) BOOST_TEST((change.put(key, "new") == Status::ok));
  BOOST_TEST((change.put(16, "new") == Status::over_budget));
  BOOST_TEST((change.commit() == Status::ok));
  MapReader reader{fixture.map};
  for (int key = 0; key < 20; ++key) BOOST_TEST(reader.read(key).text() == (key < 16 ? "new" : "old"));
}

// At every passage through every point: of the writer, and of who recovers behind it.
BOOST_AUTO_TEST_CASE(a_writer_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const MapFixture fixture;
    {
      MapWriter writer{fixture.map};
      put_all(writer, 1);
    }
    const bool died = is_killed_at(nth, fixture, [](const Map& map, const std::function<void()>& arm) {
      MapWriter writer{map};
      arm();
      if (flip_all(writer, 2) != Status::ok) throw std::runtime_error("not flipped");
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
      const std::optional<std::uint64_t> number = number_in_all(fixture.map);
      BOOST_TEST(number.has_value());
      BOOST_TEST((number == 1U || number == 2U));
      MapWriter writer{fixture.map, {.timeout = 0ms}};
      BOOST_TEST((flip_all(writer, 3) == Status::ok));
      writer.close();
      BOOST_TEST(count_free_values(fixture.pool()) == fixture.pool().options().max_count - kKeys);
    }
    if (!died) {
      BOOST_TEST(nth > 40U);
      return;
    }
  }
}

BOOST_AUTO_TEST_CASE(one_who_also_inserts_may_be_killed_anywhere) {
  constexpr std::uint64_t kNew = kKeys - 1;
  for (unsigned nth = 1;; ++nth) {
    const MapFixture fixture;
    {
      MapWriter writer{fixture.map};
      for (std::uint64_t key = 0; key < kNew; ++key) BOOST_TEST((writer.put(key, value_of(1)) == Status::ok));
    }
    const bool died = is_killed_at(nth, fixture, [](const Map& map, const std::function<void()>& arm) {
      MapWriter writer{map};
      arm();
      if (flip_all(writer, 2) != Status::ok) throw std::runtime_error("not flipped");
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
      MapReader reader{fixture.map};
      const bool was_inserted = reader.read(kNew).status() == Status::ok;
      for (std::uint64_t key = 0; key < kNew; ++key) {
        BOOST_TEST(number_in(reader.read(key).bytes()) == (was_inserted ? 2U : 1U));
      }
      MapWriter writer{fixture.map, {.timeout = 0ms}};
      BOOST_TEST((flip_all(writer, 3) == Status::ok));
      BOOST_TEST((number_in_all(fixture.map) == std::optional<std::uint64_t>{3}));
    }
    if (!died) {
      BOOST_TEST(nth > 44U);
      return;
    }
  }
}

BOOST_AUTO_TEST_CASE(who_rolls_it_forward_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const MapFixture fixture;
    {
      MapWriter writer{fixture.map};
      put_all(writer, 1);
      Child victim{[&](Link&) {
        MapWriter own{fixture.open_again()};
        kill_point::arm(KillPoint::map_committed, kill_self);
        static_cast<void>(flip_all(own, 2));
      }};
      BOOST_TEST(victim.wait() == -SIGKILL);
    }
    const bool died = is_killed_at(nth, fixture, [](const Map& map, const std::function<void()>& arm) {
      arm();
      recover(map.segment());
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      // Somebody who does not wait for a watchdog comes first, and what he wrote stays.
      MapWriter writer{fixture.map};
      BOOST_TEST((writer.put(0, value_of(3)) == Status::ok));
      recover(fixture.segment);
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
      MapReader reader{fixture.map};
      for (std::uint64_t key = 0; key < kKeys; ++key) {
        BOOST_TEST(number_in(reader.read(key).bytes()) == (key == 0 ? 3U : 2U));
      }
    }
    if (!died) {
      BOOST_TEST(nth > 8U);
      return;
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
