// A map's entries as they stand: while it lives, while it changes, when all of its processes are dead, and when its words
// make no sense.
#include <boost/test/unit_test.hpp>

#include <map>
#include <string>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "map/map_core.hpp"
#include "map/map_fixture.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

// By their keys, "" for those that have none.
std::map<std::string, EntryRecord> dump_of(const MapFixture& fixture, std::size_t content_bytes = 100) {
  std::map<std::string, EntryRecord> all;
  const auto note = [&](const EntryRecord& entry) { BOOST_TEST(all.emplace(entry.key, entry).second); };
  dump(fixture.name.str(), "config", note, content_bytes);
  return all;
}

std::string text_of(const EntryRecord& entry) {
  return {reinterpret_cast<const char*>(entry.content.data()), entry.content.size()};
}

BOOST_AUTO_TEST_SUITE(map_dump)

BOOST_AUTO_TEST_CASE(every_key_is_shown_with_its_value) {
  const MapFixture fixture;
  BOOST_TEST(dump_of(fixture).empty());
  {
    MapWriter writer{fixture.map};
    for (const char* value : {"first", "second"}) BOOST_TEST(writer.put("k", value) == Status::ok);
    BOOST_TEST(writer.put("gone", "v") == Status::ok);
    BOOST_TEST(writer.put(7, "of a number") == Status::ok);
    BOOST_TEST(writer.erase("gone") == Status::ok);
  }
  const auto all = dump_of(fixture, 4);
  BOOST_TEST(inspect(fixture.segment).participants.empty());  // who looks is none
  BOOST_TEST_REQUIRE(all.size() == 2U);
  const EntryRecord& entry = all.at("k");
  BOOST_TEST(entry.state == "used");
  BOOST_TEST(entry.incarnation == 1U);
  BOOST_TEST(!entry.claimer.has_value());
  BOOST_TEST(entry.version == 2U);
  BOOST_TEST(entry.bytes == 6U);
  BOOST_TEST(text_of(entry) == "seco");
  BOOST_TEST(entry.flipped_ns == MapReader{fixture.map}.read("k").flipped_ns());
  BOOST_TEST(entry.buffer >= 1U);
  BOOST_TEST(entry.buffer <= fixture.pool().count());
  BOOST_TEST(text_of(all.at(std::string("\7\0\0\0\0\0\0\0", 8))) == "of a");
  std::size_t seen = 0;
  dump(fixture.map, [&](const EntryRecord& record) { seen += record.content.empty() ? 1 : 0; });
  BOOST_TEST(seen == 2U);
}

// Also when that one is dead, until somebody recovers.
BOOST_AUTO_TEST_CASE(who_has_an_entry_claimed_is_shown) {
  for (const KillPoint point : {KillPoint::map_claimed, KillPoint::map_handed_over}) {
    const MapFixture fixture;
    BOOST_TEST((MapWriter{fixture.map}.put("k", "value") == Status::ok));
    Child other{[&](Link&) {
      MapWriter own{fixture.open_again(), {.name = "admin"}};
      kill_point::arm(point, stop_self);
      static_cast<void>(own.put("k", "another"));
    }};
    BOOST_TEST(other.wait_until_stopped());
    const std::uint32_t slot = layout::EntryClaim{fixture.map.core()->entry(0).claim.load()}.slot();
    for (const bool dies : {false, true}) {
      if (dies) other.kill();
      const EntryRecord entry = dump_of(fixture).at("k");
      BOOST_TEST((entry.claimer == slot));
      BOOST_TEST(entry.claimer_name == "admin");
      BOOST_TEST(text_of(entry) == "value");
    }
    recover(fixture.segment);
    BOOST_TEST(!dump_of(fixture).at("k").claimer.has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_is_half_inserted_says_so) {
  struct Step {
    KillPoint point;
    const char* key;
    const char* state;
    bool has_value;
  };
  for (const Step& step :
       {Step{KillPoint::map_claimed, "", "free", false}, Step{KillPoint::map_coming, "k", "coming", false},
        Step{KillPoint::map_alive, "k", "used", false}, Step{KillPoint::map_flipped, "k", "used", true}}) {
    const MapFixture fixture;
    Child victim{[&](Link&) {
      MapWriter own{fixture.open_again(), {.name = "inserter"}};
      kill_point::arm(step.point, kill_self);
      static_cast<void>(own.insert("k", "value"));
    }};
    BOOST_TEST(victim.wait() == -SIGKILL);
    BOOST_TEST_CONTEXT(to_string(step.point)) {
      const auto all = dump_of(fixture);
      BOOST_TEST_REQUIRE(all.size() == 1U);
      const EntryRecord& entry = all.begin()->second;
      BOOST_TEST(entry.key == step.key);
      BOOST_TEST(entry.state == step.state);
      BOOST_TEST((entry.buffer != 0) == step.has_value);
      BOOST_TEST(text_of(entry) == (step.has_value ? "value" : ""));
      BOOST_TEST(entry.claimer_name == "inserter");
    }
  }
}

// Each value is one that its key had, whole.
BOOST_AUTO_TEST_CASE(what_changes_meanwhile_is_shown_whole) {
  const MapFixture fixture{{.keys = 4, .max_keys = 64, .value_bytes = 64, .key_bytes = 8, .values = 12}};
  Child writing{[&](Link& link) {
    MapWriter own{fixture.open_again()};
    link.say(1);
    for (std::uint64_t number = 1;; ++number) {
      if (own.put(number % 8, value_of(number * 8 + number % 8)) != Status::ok) ::_exit(1);
      if (number % 3 == 0) static_cast<void>(own.erase((number + 3) % 8));
    }
  }};
  BOOST_TEST(writing.hear() == 1U);
  std::size_t shown = 0;
  for (int round = 0; shown < 1'000 || round < 200; ++round) {
    dump(
        fixture.map,
        [&](const EntryRecord& entry) {
          if (entry.version == 0) return;
          ++shown;
          BOOST_TEST_REQUIRE(entry.key.size() == 8U);
          BOOST_TEST_REQUIRE(is_whole(entry.content));
          BOOST_TEST_REQUIRE(number_in(entry.content) % 8 == number_in(std::as_bytes(std::span{entry.key})));
        },
        64);
  }
  BOOST_TEST(writing.running());
  writing.kill();
}

BOOST_AUTO_TEST_CASE(words_that_make_no_sense_hurt_nobody) {
  const MapFixture fixture{{.keys = 4, .max_keys = 16, .value_bytes = 64, .key_bytes = 24, .values = 12}};
  {
    MapWriter writer{fixture.map};
    for (int key = 0; key < 4; ++key) BOOST_TEST((writer.put(key, "value") == Status::ok));
  }
  detail::MapCore& core = *fixture.map.core();
  Dice dice{base_seed()};
  const auto nonsense = [&]() -> std::uint64_t {
    return dice.one_in(2) ? dice.below(40) << dice.below(64) : dice.word();
  };
  const std::shared_ptr<detail::PoolCore> pool = core.pool();
  const auto places = core.places_in(*pool);
  for (int round = 0; round < 2'000; ++round) {
    core.control().used.store(4);
    core.control().entries.store(4);
    layout::MapEntry& entry = core.entry(static_cast<std::uint32_t>(dice.below(4)));
    layout::Word* const words[] = {
        &entry.value,         &entry.claim,           &entry.life, &entry.hash, &entry.key_bytes,
        &core.control().used, &core.control().entries};
    words[dice.below(std::size(words))]->store(nonsense());
    auto& about = *reinterpret_cast<layout::AboutValue*>(
        pool->buffers() + dice.below(pool->count()) * pool->geometry().stride_bytes + places.about_at);
    (dice.one_in(2) ? about.where : about.key).store(nonsense());
    std::size_t entries = 0;
    const auto look = [&](const EntryRecord& seen) {
      ++entries;
      if (seen.key.size() > 24 || seen.content.size() > 64 || seen.state.empty()) throw std::logic_error("nonsense");
    };
    BOOST_CHECK_NO_THROW(try { dump(fixture.map, look, 1000); } catch (const Error&){});
    BOOST_TEST_REQUIRE(entries <= 16U);
  }
  core.control().used.store(4);
  core.control().entries.store(4);
  core.entry(0).life.store(layout::KeyLife::make(1, layout::KeyState::used).word);
  core.entry(0).key_bytes.store(25);
  std::vector<std::string> states;
  dump(fixture.map, [&](const EntryRecord& seen) { states.emplace_back(seen.state); });
  BOOST_TEST_REQUIRE(!states.empty());
  BOOST_TEST(states.front() == "corrupt");
}

BOOST_AUTO_TEST_CASE(a_walk_ends_by_what_its_visitor_throws) {
  struct Enough {};
  const MapFixture fixture;
  {
    MapWriter writer{fixture.map};
    for (int key = 0; key < 3; ++key) BOOST_TEST((writer.put(key, "value") == Status::ok));
  }
  int seen = 0;
  BOOST_CHECK_THROW(dump(fixture.map, [&](const EntryRecord&) { ++seen == 2 ? throw Enough{} : void(); }), Enough);
  BOOST_TEST(seen == 2);
  BOOST_TEST(error_of([&] { dump(fixture.name.str(), "none", [](const EntryRecord&) {}); }) == Errc::not_found);
  BOOST_TEST(error_of([&] { dump(fixture.name.str(), "config.values", [](const EntryRecord&) {}); }) ==
             Errc::not_found);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
