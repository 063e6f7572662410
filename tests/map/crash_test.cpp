// Readers and writers of maps are killed, at every step: a key has the old value or the new one, whole, and can be
// written again.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <thread>

#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "support/map_invariants.hpp"
#include "support/pool_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr std::uint64_t kRounds = 3;

// Flips, inserts, erases, updates, reads and lets it grow, from the beginning of what the caller arms.
void live(const Map& map, const std::function<void()>& arm) {
  MapWriter writer{map};
  MapReader reader{map};
  arm();
  std::vector<MapValue> kept;
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    if (writer.put("flipped", value_of(round)) != Status::ok) throw std::runtime_error("not put");
    kept.push_back(reader.read("flipped"));
    if (writer.insert(round, value_of(round)) != Status::ok) throw std::runtime_error("not inserted");
    const auto next = [](std::span<const std::byte> old, MapDraft& fresh) {
      const std::string value = value_of(number_in(old) + 1);
      std::memcpy(fresh.resize(value.size()).data(), value.data(), value.size());
    };
    if (writer.update("updated", next) != Status::ok) throw std::runtime_error("not updated");
    if (round == 2 && writer.erase("erased") != Status::ok) throw std::runtime_error("not erased");
  }
}

BOOST_AUTO_TEST_SUITE(map_crash)

// Each with another size than the one before, from a pool with size classes; and one that grows under its claim.
BOOST_AUTO_TEST_CASE(one_who_writes_values_of_all_sizes_may_be_killed_anywhere) {
  const auto size_of = [](std::uint64_t number) { return std::size_t{16} << 2 * (number % 4); };
  for (unsigned nth = 1;; ++nth) {
    const TestName name;
    const Segment segment = Segment::create(name, {.participants = 8, .main_stream = false});
    const Pool pool = Pool::create(segment, "heap", PoolOptions::for_sizes(16, 4096, 64 << 10));
    const Map map = Map::create(segment, "config", {.keys = 8, .pool = "heap"});
    {
      MapWriter writer{map};
      for (const char* key : {"flipped", "updated"}) {
        BOOST_TEST_REQUIRE((writer.put(key, value_of(0, size_of(0))) == Status::ok));
      }
    }
    Child victim{[&](Link&) {
      MapWriter writer{Map::open(Segment::open(name), "config")};
      kill_point::arm(KillPoint::any, kill_self, nth);
      for (std::uint64_t round = 1; round <= kRounds; ++round) {
        if (writer.put("flipped", value_of(round, size_of(round))) != Status::ok) throw std::runtime_error("not put");
        const auto next = [&](std::span<const std::byte> old, MapDraft& fresh) {
          const std::uint64_t number = number_in(old) + 1;
          const std::string value = value_of(number, size_of(number));
          std::memcpy(fresh.resize(value.size()).data(), value.data(), value.size());
        };
        if (writer.update("updated", next) != Status::ok) throw std::runtime_error("not updated");
      }
      kill_point::disarm();
    }};
    const bool died = victim.wait() == -SIGKILL;
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      MapReader reader{map};
      for (const char* key : {"flipped", "updated"}) {
        const MapValue value = reader.read(key);
        BOOST_TEST_REQUIRE(static_cast<bool>(value));
        BOOST_TEST(value.text() == value_of(number_in(value.bytes()), size_of(number_in(value.bytes()))));
        BOOST_TEST(value.version() == number_in(value.bytes()) + 1);
      }
      recover(segment);
      BOOST_TEST(broken_map_invariant(map) == "");
      BOOST_TEST(broken_pool_invariant(pool) == "");
      MapWriter writer{map, {.timeout = 0ms}};
      for (const char* key : {"flipped", "updated"}) {
        BOOST_TEST((writer.put(key, value_of(99, 4000)) == Status::ok));
        BOOST_TEST((writer.erase(key) == Status::ok));
      }
      writer.close();
      reader.close();
      // All of it is there: as one run.
      PoolUser user{pool};
      BOOST_TEST(static_cast<bool>(user.acquire_run(static_cast<std::uint32_t>(pool.count()))));
    }
    if (!died) break;
    BOOST_TEST_REQUIRE(nth < 2000U);
  }
}

// At every passage through every point.
BOOST_AUTO_TEST_CASE(a_participant_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const MapFixture fixture{{.keys = 4, .max_keys = 8, .value_bytes = 64, .key_bytes = 24, .values = 12}};
    {
      MapWriter writer{fixture.map};
      for (const char* key : {"flipped", "updated", "erased"}) {
        BOOST_TEST_REQUIRE((writer.put(key, value_of(0)) == Status::ok));
      }
    }
    const bool died = is_killed_at(nth, fixture, live);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      // Who looks before anybody recovers has one or the other.
      MapReader reader{fixture.map};
      for (const char* key : {"flipped", "updated"}) {
        const MapValue value = reader.read(key);
        BOOST_TEST_REQUIRE(static_cast<bool>(value));
        BOOST_TEST(is_whole(value.bytes()));
        BOOST_TEST(value.version() == number_in(value.bytes()) + (key[0] == 'f' ? 1 : 1));
      }
      const std::uint64_t updated = number_in(reader.read("updated").bytes());
      recover(fixture.segment);
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
      BOOST_TEST(number_in(reader.read("updated").bytes()) == updated);
      // All can be written again.
      MapWriter writer{fixture.map, {.timeout = 0ms}};
      for (const char* key : {"flipped", "updated", "erased"}) {
        BOOST_TEST((writer.put(key, value_of(99)) == Status::ok));
        BOOST_TEST(number_in(reader.read(key).bytes()) == 99U);
      }
      for (std::uint64_t key = 1; key <= kRounds; ++key) {
        const Status status = writer.erase(key);
        BOOST_TEST((status == Status::ok || status == Status::not_found));
      }
      BOOST_TEST(fixture.map.size() == 3U);
      BOOST_TEST(count_keys(fixture.map) == 3U);
      writer.close();
      reader.close();
      const Pool pool = fixture.pool();
      BOOST_TEST(count_free_values(pool) == pool.options().max_count - 3);
      BOOST_TEST(inspect(fixture.segment).participants.empty());
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
    }
    if (!died) {
      BOOST_TEST(nth > 80U);
      return;
    }
  }
}

// What recovers a map's dead is killed at each of its own steps.
BOOST_DATA_TEST_CASE(a_recoverer_may_be_killed_anywhere,
                     data::make({KillPoint::map_flipped, KillPoint::map_indexed, KillPoint::map_emptied}), point) {
  for (unsigned nth = 1;; ++nth) {
    const MapFixture fixture;
    {
      MapWriter writer{fixture.map};
      BOOST_TEST_REQUIRE((writer.put("k", value_of(0)) == Status::ok));
      Child victim{[&](Link&) {
        MapWriter own{fixture.open_again()};
        MapReader reader{fixture.open_again()};
        const MapValue kept = reader.read("k");
        kill_point::arm(point, kill_self);
        static_cast<void>(point == KillPoint::map_emptied   ? own.erase("k")
                          : point == KillPoint::map_indexed ? own.insert("new", value_of(1))
                                                            : own.put("k", value_of(1)));
      }};
      BOOST_TEST(victim.wait() == -SIGKILL);
    }
    const bool died = is_killed_at(nth, fixture, [](const Map& map, const std::function<void()>& arm) {
      arm();
      recover(map.segment());
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      // The one that put the first value, and the victim's two, each once.
      BOOST_TEST(inspect(fixture.segment).facilities.back().map.value().departed_participants == 3U);
      BOOST_TEST(broken_map_invariant(fixture.map) == "");
      BOOST_TEST(fixture.map.size() == (point == KillPoint::map_emptied ? 0U : 1U));
      BOOST_TEST(count_keys(fixture.map) == fixture.map.size());
      BOOST_TEST(count_free_values(fixture.pool()) == fixture.pool().options().max_count - fixture.map.size());
    }
    if (!died) {
      BOOST_TEST(nth > 5U);
      break;
    }
  }
}

// Whoever needs the key does not wait for a watchdog.
BOOST_DATA_TEST_CASE(who_waits_for_a_dead_ones_key_goes_on,
                     data::make({KillPoint::map_claimed, KillPoint::map_handed_over, KillPoint::map_flipped}), point) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("k", value_of(1)) == Status::ok));
  const std::uint64_t changes = reader.version();
  Child victim{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(point, kill_self);
    static_cast<void>(own.put("k", value_of(2)));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  const MapValue left = reader.read("k");
  BOOST_TEST(number_in(left.bytes()) == (point == KillPoint::map_flipped ? 2U : 1U));
  BOOST_TEST((writer.put("k", value_of(3)) == Status::ok));
  BOOST_TEST(reader.version() == changes + 2);  // the dead one's change counts
  BOOST_TEST(reader.read("k").version() == left.version() + 1);
  BOOST_TEST(number_in(left.bytes()) != 3U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// A writer that is stopped with a claim keeps that key from other writers, and nothing else from anybody.
BOOST_AUTO_TEST_CASE(a_stopped_writer_keeps_one_key) {
  const MapFixture fixture;
  MapWriter writer{fixture.map, {.timeout = 20ms}};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("k", value_of(1)) == Status::ok));
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_handed_over, stop_self);
    if (own.put("k", value_of(2)) != Status::ok) throw std::runtime_error("not put");
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST((writer.put("k", value_of(3)) == Status::timeout));
  BOOST_TEST((writer.erase("k") == Status::timeout));
  for (int i = 0; i < 100; ++i) BOOST_TEST((writer.put("other", value_of(1)) == Status::ok));
  BOOST_TEST((writer.erase("other") == Status::ok));
  BOOST_TEST(number_in(reader.read("k").bytes()) == 1U);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(number_in(reader.read("k").bytes()) == 2U);
  BOOST_TEST((writer.put("k", value_of(3)) == Status::ok));
}

// What it was about to keep is flipped, and perhaps freed and used again, before its guard stands, or behind that: it
// has a whole version, and goes on to have that one.
BOOST_DATA_TEST_CASE(a_reader_that_is_stopped_between_its_looks_reads_right,
                     data::make({KillPoint::map_seen, KillPoint::map_guarded}) * data::make({1, 1000}), point, flips) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  std::uint64_t number = 0;
  const auto flip_again = [&] {
    for (int i = 0; i < flips; ++i) {
      BOOST_TEST_REQUIRE((writer.put("k", value_of(++number)) == Status::ok));
    }
  };
  BOOST_TEST((writer.put("k", value_of(0)) == Status::ok));
  Child reading{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    MapEntry entry = reader.entry("k");
    kill_point::arm(point, stop_self);
    const MapValue value = entry.read();
    const std::uint64_t version = value.version();
    link.say(value && is_whole(value.bytes()) ? version : 0);
    link.hear();
    link.say(is_whole(value.bytes()) && value.version() == version && number_in(value.bytes()) + 1 == version ? 1 : 0);
  }};
  BOOST_TEST(reading.wait_until_stopped());
  flip_again();
  reading.resume();
  const std::uint64_t version = reading.hear();
  const bool was_freed = flips == 1000 && point == KillPoint::map_seen;
  BOOST_TEST(version == (was_freed ? number + 1 : 1));
  flip_again();
  reading.say(1);
  BOOST_TEST(reading.hear() == 1U);
}

// Between the writer's look at the index and its claim the entry becomes another key's.
BOOST_AUTO_TEST_CASE(a_writer_that_is_stopped_before_its_claim_writes_no_other_key) {
  const MapFixture fixture{{.keys = 1, .value_bytes = 64, .key_bytes = 8, .values = 8}};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("a", value_of(1)) == Status::ok));
  Child stopped{[&](Link& link) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_announced, stop_self);
    link.say(own.put("a", value_of(2)) == Status::full ? 1 : 0);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST((writer.erase("a") == Status::ok));
  BOOST_TEST((writer.put("b", value_of(3)) == Status::ok));
  stopped.resume();
  BOOST_TEST(stopped.hear() == 1U);
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(number_in(reader.read("b").bytes()) == 3U);
  BOOST_TEST((reader.read("a").status() == Status::not_found));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Also beside one that is stopped in the middle of another key.
BOOST_AUTO_TEST_CASE(keys_of_the_dead_are_counted_as_there_are) {
  const auto at = [](const MapFixture& fixture, KillPoint point, void (*act)(), auto change) {
    return [&fixture, point, act, change](Link&) {
      MapWriter own{fixture.open_again()};
      kill_point::arm(point, act);
      change(own);
    };
  };
  const auto inserts = [](MapWriter& own) { static_cast<void>(own.insert("new", "v")); };
  const auto erases = [](MapWriter& own) { static_cast<void>(own.erase("k")); };
  const auto commits = [](MapWriter& own) {
    Transaction change{own};
    for (const char* key : {"k", "x", "y"}) static_cast<void>(change.put(key, "v"));
    static_cast<void>(change.commit());
  };
  for (const KillPoint point :
       {KillPoint::map_used, KillPoint::map_keyed, KillPoint::map_coming, KillPoint::map_taking, KillPoint::map_indexed,
        KillPoint::map_compared, KillPoint::map_alive, KillPoint::map_handed_over, KillPoint::map_flipped,
        KillPoint::map_changed, KillPoint::map_counted, KillPoint::map_emptied, KillPoint::map_gone,
        KillPoint::map_entry_freed, KillPoint::map_committed, KillPoint::map_unclaimed, KillPoint::map_released}) {
    for (const auto& change : {std::function<void(MapWriter&)>{inserts}, std::function<void(MapWriter&)>{erases},
                               std::function<void(MapWriter&)>{commits}}) {
      const MapFixture fixture{{.keys = 8, .value_bytes = 64}};
      for (const char* key : {"k", "other"}) BOOST_TEST((MapWriter{fixture.map}.insert(key, "v") == Status::ok));
      Child stopped{at(fixture, KillPoint::map_coming, stop_self,
                       [](MapWriter& own) { static_cast<void>(own.insert("stopped", "v")); })};
      BOOST_TEST(stopped.wait_until_stopped());
      Child victim{at(fixture, point, kill_self, change)};
      static_cast<void>(victim.wait());
      recover(fixture.segment);
      BOOST_TEST_CONTEXT(to_string(point)) {
        BOOST_TEST(fixture.map.size() == count_keys(fixture.map));
        stopped.resume();
        BOOST_TEST(stopped.wait() == 0);
        BOOST_TEST(broken_map_invariant(fixture.map) == "");
      }
    }
  }
}

// While somebody makes room for a key of his own, others have all of that.
struct RoomForOthers {
  RoomForOthers() {
    BOOST_TEST(is_taken);
    BOOST_TEST(stopped.wait_until_stopped());
    for (int key = 2; key < 17; ++key) BOOST_TEST((writer.insert(key, "v") == Status::ok));
  }

  // One of them is free by now: he has it.
  void go_on() {
    stopped.resume();
    BOOST_TEST(stopped.hear() == 1U);
    BOOST_TEST(stopped.wait() == 0);
    BOOST_TEST(map.map.size() == 16U);
    BOOST_TEST(broken_map_invariant(map.map) == "");
  }

  const MapFixture map{{.keys = 1, .max_keys = 16, .value_bytes = 64, .key_bytes = 8, .values = 32}};
  MapWriter writer{map.map};
  const bool is_taken = writer.insert(0, "v") == Status::ok;  // what there is without growth
  Child stopped{[this](Link& link) {
    MapWriter own{map.open_again()};
    kill_point::arm(KillPoint::map_grown, stop_self);
    link.say(own.insert(1, "v") == Status::ok ? 1 : 0);
  }};
};

// He is told of no map that is full.
BOOST_AUTO_TEST_CASE(a_writer_that_is_stopped_while_it_makes_room_gets_what_is_free) {
  RoomForOthers others;
  BOOST_TEST((others.writer.insert(17, "v") == Status::full));
  BOOST_TEST((others.writer.erase(2) == Status::ok));
  others.go_on();
}

// Nor while somebody dead has one that is half erased, of which it did not know at its first look.
BOOST_AUTO_TEST_CASE(a_writer_that_makes_room_gets_what_the_dead_half_erased) {
  RoomForOthers others;
  Child victim{[&](Link&) {
    MapWriter own{others.map.open_again()};
    kill_point::arm(KillPoint::map_emptied, kill_self);
    static_cast<void>(own.erase(2));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  others.go_on();
}

// Who erased a key is stopped before he lets go of its entry: whoever needs one has the next that becomes free.
BOOST_AUTO_TEST_CASE(who_waits_for_an_entry_takes_another_one_that_is_free_before) {
  const MapFixture fixture{{.keys = 2, .value_bytes = 64, .key_bytes = 8, .values = 32}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.insert(0, "v") == Status::ok));
  BOOST_TEST((writer.insert(1, "v") == Status::ok));
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_unclaimed, stop_self);
    if (own.erase(0) != Status::ok) throw std::runtime_error("not erased");
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  Child waiting{[&](Link& link) {
    MapWriter own{fixture.open_again(), {.timeout = kForever}};
    kill_point::arm(KillPoint::map_waiting, [&] { link.say(7); });
    link.say(own.insert(2, "v") == Status::ok ? 1 : 0);
  }};
  BOOST_TEST(waiting.hear() == 7U);
  BOOST_TEST((writer.erase(1) == Status::ok));
  BOOST_TEST(waiting.hear() == 1U);
  stopped.resume();
  for (Child* const child : {&waiting, &stopped}) BOOST_TEST(child->wait() == 0);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// The key that somebody waits for is another entry's by now.
BOOST_AUTO_TEST_CASE(who_waits_for_a_keys_claim_goes_where_the_key_went) {
  const MapFixture fixture{{.keys = 4, .value_bytes = 64, .key_bytes = 8, .values = 32}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.insert(0, "v") == Status::ok));
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_claimed, [] {
      kill_point::arm(KillPoint::map_unclaimed, stop_self);
      stop_self();
    });
    if (own.erase(0) != Status::ok) throw std::runtime_error("not erased");
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  Child waiting{[&](Link& link) {
    MapWriter own{fixture.open_again(), {.timeout = kForever}};
    kill_point::arm(KillPoint::map_waiting, [&] { link.say(7); });
    link.say(own.put(0, "w") == Status::ok ? 1 : 0);
  }};
  BOOST_TEST(waiting.hear() == 7U);
  stopped.resume();
  BOOST_TEST(stopped.wait_until_stopped());
  BOOST_TEST((writer.put(0, "x") == Status::ok));
  BOOST_TEST(waiting.hear() == 1U);
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(MapReader{fixture.map}.read(0).text() == "w");
}

constexpr KillPoint kPointsOfKeys[] = {KillPoint::map_used,        KillPoint::map_announced, KillPoint::map_claimed,
                                       KillPoint::map_keyed,       KillPoint::map_coming,    KillPoint::map_taking,
                                       KillPoint::map_indexed,     KillPoint::map_compared,  KillPoint::map_alive,
                                       KillPoint::map_handed_over, KillPoint::map_flipped,   KillPoint::map_changed,
                                       KillPoint::map_counted,     KillPoint::map_emptied,   KillPoint::map_gone,
                                       KillPoint::map_entry_freed, KillPoint::map_committed, KillPoint::map_unclaimed};

// Wherever in inserting, erasing or both at once somebody is stopped: others insert, erase, flip and commit all other keys
// meanwhile, and have not to wait for that.
BOOST_DATA_TEST_CASE(who_is_stopped_keeps_nobody_from_other_keys, data::make(kPointsOfKeys) * data::xrange(3), point,
                     act) {
  const MapFixture fixture{{.keys = 64, .value_bytes = 64, .key_bytes = 8, .values = 256}};
  MapWriter writer{fixture.map, {.timeout = 0ms}};
  for (const int key : {0, 1}) BOOST_TEST((writer.insert(key, "v") == Status::ok));
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    Transaction both{own};
    static_cast<void>(both.put(0, "w"));
    static_cast<void>(both.put(2, "w"));
    kill_point::arm(point, stop_self);
    const Status status = act == 0 ? own.insert(2, "w") : act == 1 ? own.erase(0) : both.commit();
    if (status != Status::ok) throw std::runtime_error("not done");
  }};
  BOOST_TEST(eventually([&] { return stopped.has_stopped() || stopped.has_ended(); }));
  for (int round = 0; round < 20; ++round) {
    for (int key = 10; key < 40; ++key) BOOST_TEST((writer.insert(key, "v") == Status::ok));
    BOOST_TEST((writer.put(1, "x") == Status::ok));
    Transaction more{writer};
    for (int key = 40; key < 48; ++key) BOOST_TEST((more.put(key, "v") == Status::ok));
    BOOST_TEST((more.commit() == Status::ok));
    for (int key = 10; key < 48; ++key) BOOST_TEST((writer.erase(key) == Status::ok));
  }
  stopped.resume();
  BOOST_TEST(stopped.wait() == 0);
  const bool erased = act == 1;
  BOOST_TEST(fixture.map.size() == (erased ? 1U : 3U));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// A key that a visit has shown is there, also if who inserted it dies.
BOOST_AUTO_TEST_CASE(what_a_visit_shows_of_a_dead_ones_insertion_stays) {
  for (const KillPoint point : {KillPoint::map_handed_over, KillPoint::map_flipped, KillPoint::map_indexed,
                                KillPoint::map_alive, KillPoint::map_counted}) {
    const MapFixture fixture;
    Child victim{[&](Link&) {
      MapWriter own{fixture.open_again()};
      kill_point::arm(point, kill_self);
      static_cast<void>(own.insert("new", value_of(1)));
    }};
    BOOST_TEST(victim.wait() == -SIGKILL);
    const std::uint64_t shown = count_keys(fixture.map);
    recover(fixture.segment);
    BOOST_TEST_CONTEXT(to_string(point)) {
      BOOST_TEST(count_keys(fixture.map) == shown);
      BOOST_TEST(MapReader{fixture.map}.read("new").status() == (shown == 1 ? Status::ok : Status::not_found));
    }
  }
}

// Its last entry is said to be used by one who is gone, or stands still, before he has it claimed.
BOOST_DATA_TEST_CASE(a_map_whose_last_entry_nobody_claimed_is_not_full, data::make({false, true}), dies) {
  const MapFixture fixture{{.keys = 2, .max_keys = 3, .value_bytes = 64, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  for (int key = 0; key < 2; ++key) BOOST_TEST((writer.insert(key, "v") == Status::ok));
  Child other{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_used, stop_self);
    if (own.insert(2, "v") != Status::full) throw std::runtime_error("not full");
  }};
  BOOST_TEST(other.wait_until_stopped());
  if (dies) other.kill();
  BOOST_TEST((writer.insert(3, "v") == Status::ok));
  if (!dies) other.resume();
  BOOST_TEST((dies || other.wait() == 0));
  BOOST_TEST(fixture.map.size() == 3U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// An entry that never had a key, claimed by who died before it got one, is in nobody's way.
BOOST_AUTO_TEST_CASE(who_dies_with_a_fresh_entry_makes_no_map_grow) {
  const MapFixture fixture{{.keys = 4, .max_keys = 64, .value_bytes = 64, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  const std::size_t bytes = fixture.map.bytes();
  Child victim{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_claimed, kill_self);
    static_cast<void>(own.insert("dead", "v"));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  for (int key = 0; key < 4; ++key) BOOST_TEST((writer.insert(key, "v") == Status::ok));
  BOOST_TEST(fixture.map.bytes() == bytes);
  BOOST_TEST(fixture.map.size() == 4U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Who erased the only key has its entry claimed still.
BOOST_DATA_TEST_CASE(a_map_whose_free_entry_is_claimed_is_not_full,
                     data::make({KillPoint::map_emptied, KillPoint::map_entry_freed, KillPoint::map_unclaimed}) *
                         data::make({false, true}),
                     point, in_transaction) {
  const MapFixture fixture{{.keys = 1, .value_bytes = 64, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("a", "v") == Status::ok));
  Child victim{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(point, kill_self);
    static_cast<void>(own.erase("a"));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  if (in_transaction) {
    Transaction one{writer};
    BOOST_TEST((one.put("b", "v") == Status::ok));
    BOOST_TEST((one.commit() == Status::ok));
  } else {
    BOOST_TEST((writer.insert("b", "v") == Status::ok));
  }
  BOOST_TEST((writer.insert("c", "v") == Status::full));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_CASE(an_entry_that_is_about_to_be_free_is_waited_for) {
  const MapFixture fixture{{.keys = 1, .value_bytes = 64, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("a", "v") == Status::ok));
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::map_unclaimed, stop_self);
    if (own.erase("a") != Status::ok) throw std::runtime_error("not erased");
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  MapWriter hasty{fixture.map, {.timeout = 0ms}};
  BOOST_TEST((hasty.insert("b", "v") == Status::timeout));
  std::thread resumes{[&] {
    const auto waits = [&] { return inspect(fixture.segment).facilities.at(1).map.value().present.waits > 1; };
    static_cast<void>(eventually(waits));
    stopped.resume();
  }};
  BOOST_TEST((writer.insert("b", "v") == Status::ok));
  resumes.join();
  BOOST_TEST(stopped.wait() == 0);
}

// Who is stopped while the map grows holds up its growth, and nobody longer than he wants to wait.
BOOST_AUTO_TEST_CASE(growth_is_waited_for_as_long_as_the_writer_says) {
  const MapFixture fixture{{.keys = 4, .max_keys = 64, .value_bytes = 16}};
  std::atomic<bool> stop{false};
  MapWriter patient{fixture.map, {.stop = &stop}};
  std::uint64_t keys = 0;
  for (; keys < fixture.map.core()->geometry().entries_in(fixture.map.bytes()); ++keys) {
    BOOST_TEST_REQUIRE((patient.insert(keys, "v") == Status::ok));
  }
  Child stopped{[&](Link&) {
    MapWriter own{fixture.open_again()};
    kill_point::arm(KillPoint::growth_allocated, stop_self);
    if (own.insert("grows", "v") != Status::ok) throw std::runtime_error("not inserted");
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  MapWriter hasty{fixture.map, {.timeout = 0ms}};
  BOOST_TEST((hasty.insert("hasty", "v") == Status::timeout));
  stop = true;
  BOOST_TEST((patient.insert("patient", "v") == Status::stopped));
  stop = false;
  stopped.resume();
  BOOST_TEST((patient.insert("patient", "v") == Status::ok));
  BOOST_TEST(stopped.wait() == 0);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// A writer is a user of the pool, too, and has its drafts in buffers of that one's.
BOOST_DATA_TEST_CASE(a_draft_whose_buffer_is_anothers_is_not_flipped, data::make({"flip", "insert", "transaction"}),
                     how) {
  const std::string_view call{how};
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", "old") == Status::ok));
  MapDraft draft = writer.prepare(call == "insert" ? "new" : "k", 16);
  MapDraft second = writer.prepare("second", 16);
  for (const ParticipantSnapshot& seen : inspect(fixture.segment).participants) {
    if (seen.role == Role::user) declare_dead(fixture.segment, seen.slot);
  }
  PoolUser user{fixture.pool()};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
  for (const Buffer& buffer : all) std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{'o'});
  Status status = Status::ok;
  if (call == "transaction") {
    Transaction both{writer};
    BOOST_TEST((both.add(std::move(draft)) == Status::ok));
    BOOST_TEST((both.add(std::move(second)) == Status::ok));
    status = both.commit();
    BOOST_TEST(both.size() == 2U);
  } else {
    status = draft.flip();
  }
  BOOST_TEST((status == Status::declared_dead));
  const std::byte others{'o'};
  for (const Buffer& buffer : all) {
    const auto bytes = buffer.bytes();
    BOOST_TEST(std::count(bytes.begin(), bytes.end(), others) == static_cast<std::ptrdiff_t>(bytes.size()));
  }
  BOOST_TEST(MapReader{fixture.map}.read("k").text() == "old");
  BOOST_TEST(fixture.map.size() == 1U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(broken_pool_invariant(fixture.pool()) == "");
}

// Its slot, and the key, are another writer's by the time that it gives up its claim.
BOOST_AUTO_TEST_CASE(who_was_taken_for_dead_leaves_anothers_claim_alone) {
  const TestName name;
  const Segment segment = Segment::create(name, {.participants = 3, .main_stream = false});
  const Map map = Map::create(segment, "config", {.keys = 4, .value_bytes = 64});
  MapWriter writer{map};
  BOOST_TEST((writer.put("k", "1") == Status::ok));
  std::unique_ptr<Child> other;
  const auto is_late = [&](std::span<const std::byte>, MapDraft&) {
    declare_dead(segment, writer.slot());
    other = std::make_unique<Child>([&](Link& link) {
      MapWriter own{Map::open(Segment::open(name), "config")};
      link.say(own.slot());
      kill_point::arm(KillPoint::map_claimed, stop_self);
      if (own.put("k", "2") != Status::ok) throw std::runtime_error("not put");
    });
    BOOST_TEST_REQUIRE(other->hear() == writer.slot());
    BOOST_TEST_REQUIRE(other->wait_until_stopped());
  };
  BOOST_TEST((writer.update("k", is_late) == Status::declared_dead));
  const auto& core = *map.core();
  const std::uint64_t incarnation = core.registration_of(writer.slot()).incarnation();
  BOOST_TEST(core.entry(0).claim.load() == layout::EntryClaim::make(writer.slot(), incarnation).word);
  BOOST_TEST(core.slot(writer.slot()).claiming[0].load() == 1U);
  other->resume();
  BOOST_TEST(other->wait() == 0);
  writer.close();
  BOOST_TEST(MapReader{map}.read("k").text() == "2");
  BOOST_TEST(broken_map_invariant(map) == "");
}

BOOST_AUTO_TEST_CASE(what_the_dead_kept_is_told) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", value_of(1)) == Status::ok));
  Child victim{[&](Link& link) {
    MapReader reader{fixture.open_again(), {.name = "victim"}};
    const MapValue value = reader.read("k");
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST((writer.put("k", value_of(2)) == Status::ok));
  const Snapshot before = inspect(fixture.segment);
  const auto kept = std::find_if(before.participants.begin(), before.participants.end(),
                                 [](const ParticipantSnapshot& seen) { return seen.name == "victim"; });
  BOOST_TEST_REQUIRE((kept != before.participants.end()));
  BOOST_TEST((kept->role == Role::viewer));
  BOOST_TEST(kept->held_generations.size() == 1U);
  BOOST_TEST(kept->held_bytes == 96U);
  victim.kill();
  BOOST_TEST(find_dead(fixture.segment).released == 1U);
  const RecoveryReport report = recover(fixture.segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].facility == "config");
  BOOST_TEST(report.dead[0].held_bytes == 96U);
  BOOST_TEST(report.released == 1U);
}

// One of the pair is left by a kill: it does not stand in the way of the next one.
BOOST_DATA_TEST_CASE(whoever_makes_or_removes_a_map_may_die,
                     data::make({KillPoint::map_pool_made, KillPoint::map_made, KillPoint::map_removed}), point) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  if (point == KillPoint::map_removed) Map::create(segment, "config");
  Child victim{[&](Link&) {
    const Segment own = Segment::open(name);
    kill_point::arm(point, kill_self);
    if (point == KillPoint::map_removed) {
      Map::remove(own, "config");
    } else {
      Map::create(own, "config", {.keys = 8});
    }
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  const Map map = Map::open_or_create(segment, "config", {.keys = 8, .values = 10});
  BOOST_TEST(map.created() == (point != KillPoint::map_made));
  MapWriter writer{map};
  BOOST_TEST((writer.put("k", "v") == Status::ok));
  writer.close();
  BOOST_TEST(Map::remove(segment, "config"));
  BOOST_TEST(segment.facilities().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
