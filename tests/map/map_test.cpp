// Maps as their users see them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "map/map_core.hpp"
#include "map_fixture.hpp"
#include "pool/pool_core.hpp"
#include "support/map_invariants.hpp"
#include "support/stream.hpp"
#include "support/system_calls.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr Fences kFences[] = {Fences::membarrier, Fences::full};

BOOST_AUTO_TEST_SUITE(map)

BOOST_DATA_TEST_CASE(what_was_put_is_read_in_place, data::make(kFences), fences) {
  const MapFixture fixture{{.keys = 16, .value_bytes = 64}, fences};
  MapWriter writer{fixture.map, {.name = "admin"}};
  MapReader reader{fixture.map, {.name = "risk"}};
  MapEntry limits = reader.entry("limits");
  BOOST_TEST((limits.read().status() == Status::not_found));
  BOOST_TEST((writer.put("limits", "one") == Status::ok));
  MapValue first = limits.read();
  BOOST_TEST_REQUIRE(static_cast<bool>(first));
  BOOST_TEST(first.text() == "one");
  BOOST_TEST(first.version() == 1U);
  BOOST_TEST(first.flipped_ns() != 0U);
  BOOST_TEST((writer.put("limits", "two, and longer") == Status::ok));
  BOOST_TEST(limits.read().text() == "two, and longer");
  BOOST_TEST(limits.read().version() == 2U);
  BOOST_TEST(first.text() == "one");
  BOOST_TEST(reader.read("limits").version() == 2U);
  BOOST_TEST((writer.put("empty", "") == Status::ok));
  const MapValue empty = reader.read("empty");
  BOOST_TEST(static_cast<bool>(empty));
  BOOST_TEST(empty.bytes().empty());
  BOOST_TEST(fixture.map.size() == 2U);
}

BOOST_AUTO_TEST_CASE(keys_are_bytes_or_numbers) {
  const MapFixture fixture{{.keys = 16, .value_bytes = 64}};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  const std::string longest(255, 'k');
  const std::string zeros("a\0b", 3);
  BOOST_TEST((writer.put(longest, "longest") == Status::ok));
  BOOST_TEST((writer.put(zeros, "zeros") == Status::ok));
  BOOST_TEST((writer.put(7, "seven") == Status::ok));
  BOOST_TEST((writer.put("", "none") == Status::too_large));
  BOOST_TEST((writer.put(longest + "k", "too long") == Status::too_large));
  BOOST_TEST((writer.put("k", std::string(65, 'v')) == Status::too_large));
  BOOST_TEST(reader.read(longest).text() == "longest");
  BOOST_TEST(reader.read(zeros).text() == "zeros");
  BOOST_TEST(reader.read(std::uint64_t{7}).text() == "seven");
  BOOST_TEST((reader.read("a").status() == Status::not_found));
  BOOST_TEST((reader.read(longest + "k").status() == Status::not_found));
  BOOST_TEST((reader.read("").status() == Status::not_found));
}

BOOST_AUTO_TEST_CASE(insert_erase_and_flip_if_say_what_was_there) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.erase("k") == Status::not_found));
  BOOST_TEST((writer.insert("k", "1") == Status::ok));
  BOOST_TEST((writer.insert("k", "2") == Status::exists));
  MapEntry entry = reader.entry("k");
  const std::uint64_t version = entry.read().version();
  MapDraft draft = writer.prepare("k", 1);
  draft.bytes()[0] = std::byte{'3'};
  BOOST_TEST((draft.flip_if(version + 1) == Status::version_changed));
  BOOST_TEST((draft.flip_if(0) == Status::version_changed));
  BOOST_TEST(entry.read().text() == "1");
  BOOST_TEST((draft.flip_if(version) == Status::ok));
  BOOST_TEST((draft.flip() == Status::closed));
  BOOST_TEST(entry.read().text() == "3");
  BOOST_TEST((writer.erase("k") == Status::ok));
  BOOST_TEST((entry.read().status() == Status::not_found));
  BOOST_TEST(fixture.map.size() == 0U);
  MapDraft anew = writer.prepare("k", 0);
  BOOST_TEST((anew.flip_if(version + 1) == Status::version_changed));
  BOOST_TEST((anew.flip_if(0) == Status::ok));
  BOOST_TEST(entry.read().version() > version + 1);  // it never goes back
}

// Its buffer is of another pool, and may be smaller than a value of this map's.
BOOST_AUTO_TEST_CASE(update_takes_no_draft_of_another_map) {
  const MapFixture fixture;
  const Map others = Map::create(fixture.segment, "others", {.keys = 4, .value_bytes = 16});
  MapWriter writer{fixture.map};
  MapWriter other{others};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("k", "own") == Status::ok));
  MapDraft foreign = other.prepare("k", 8);
  BOOST_TEST((writer.update("k", [&](auto, MapDraft& fresh) { fresh = std::move(foreign); }) == Status::closed));
  BOOST_TEST(reader.read("k").text() == "own");
  BOOST_TEST((writer.put("k", "again") == Status::ok));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(broken_map_invariant(others) == "");
}

BOOST_AUTO_TEST_CASE(update_sees_the_old_value) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  const auto add = [](std::span<const std::byte> old, MapDraft& fresh) {
    const std::string next = value_of(number_in(old) + 1, old.size());
    std::memcpy(fresh.resize(next.size()).data(), next.data(), next.size());
  };
  BOOST_TEST((writer.update("count", add) == Status::not_found));
  BOOST_TEST((writer.put("count", value_of(41)) == Status::ok));
  BOOST_TEST((writer.update("count", add) == Status::ok));
  BOOST_TEST(number_in(reader.read("count").bytes()) == 42U);
  BOOST_CHECK_THROW(static_cast<void>(writer.update("count", [](auto, MapDraft&) { throw std::runtime_error("no"); })),
                    std::runtime_error);
  MapDraft before = writer.prepare("not there", 1);
  BOOST_TEST((writer.update("count", [&](auto old, MapDraft& fresh) {
    BOOST_TEST((writer.put("other", "1") == Status::already_reserved));
    BOOST_TEST((before.flip() == Status::already_reserved));
    BOOST_TEST((writer.erase("count") == Status::already_reserved));
    BOOST_TEST((writer.erase("not there") == Status::already_reserved));
    BOOST_TEST((writer.update("count", [](auto, MapDraft&) {}) == Status::already_reserved));
    std::memcpy(fresh.bytes().data(), old.data(), old.size());
  }) == Status::ok));
  BOOST_TEST((reader.read("not there").status() == Status::not_found));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  BOOST_TEST(number_in(reader.read("count").bytes()) == 42U);
  BOOST_TEST(reader.read("count").version() == 3U);
  BOOST_TEST((writer.put("count", "free again") == Status::ok));
}

BOOST_AUTO_TEST_CASE(what_is_prepared_and_dropped_changes_nothing) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", "1") == Status::ok));
  for (int i = 0; i < 100; ++i) {
    const MapDraft draft = writer.prepare("k", 64);
    BOOST_TEST_REQUIRE(static_cast<bool>(draft));
  }
  MapReader reader{fixture.map};
  BOOST_TEST(reader.read("k").version() == 1U);
  MapDraft moved_from = writer.prepare("k", 1);
  const MapDraft moved_to = std::move(moved_from);
  BOOST_TEST((moved_from.status() == Status::closed));
  BOOST_TEST(static_cast<bool>(moved_to));
}

// An entry may be given to another key between two reads.
BOOST_AUTO_TEST_CASE(an_entry_is_never_another_keys) {
  const MapFixture fixture{{.keys = 1, .value_bytes = 16, .key_bytes = 8, .values = 8}};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  MapEntry a = reader.entry("a");
  MapEntry b = reader.entry("b");
  for (int round = 0; round < 50; ++round) {
    BOOST_TEST((writer.insert("a", "of a") == Status::ok));
    BOOST_TEST((writer.insert("b", "of b") == Status::full));
    BOOST_TEST(a.read().text() == "of a");
    BOOST_TEST((b.read().status() == Status::not_found));
    BOOST_TEST((writer.erase("a") == Status::ok));
    BOOST_TEST((writer.insert("b", "of b") == Status::ok));
    BOOST_TEST((a.read().status() == Status::not_found));
    BOOST_TEST(b.read().text() == "of b");
    BOOST_TEST((writer.erase("b") == Status::ok));
  }
}

BOOST_AUTO_TEST_CASE(a_reader_keeps_as_many_as_it_can_and_no_more) {
  const MapFixture fixture{{.keys = 4, .value_bytes = 16, .values = 64}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", "first") == Status::ok));
  std::vector<MapValue> kept;
  {
    MapReader reader{fixture.map};
    MapEntry entry = reader.entry("k");
    for (int i = 0; i < 31; ++i) {
      kept.push_back(entry.read());
      BOOST_TEST_REQUIRE(static_cast<bool>(kept.back()));
    }
    BOOST_TEST((entry.read().status() == Status::over_budget));
    BOOST_TEST((reader.for_each([](std::string_view, const MapValue&) {}) == Status::over_budget));
    BOOST_TEST(!entry.wait_changed(1, 1ms));
    BOOST_TEST(entry.wait_changed(0, 1ms));
    kept.pop_back();
    BOOST_TEST(entry.read().text() == "first");
  }
  // They outlive their reader.
  for (int i = 0; i < 200; ++i) BOOST_TEST((writer.put("k", "later") == Status::ok));
  for (const MapValue& value : kept) BOOST_TEST(value.text() == "first");
  kept.clear();
  BOOST_TEST(inspect(fixture.segment).participants.size() == 2U);  // the writer, and as a user of the pool
}

BOOST_AUTO_TEST_CASE(a_closed_reader_leaves_with_its_last_value) {
  const MapFixture fixture;
  BOOST_TEST((MapWriter{fixture.map}.put("k", "value") == Status::ok));
  MapReader reader{fixture.map};
  MapEntry entry = reader.entry("k");
  MapValue kept = entry.read();
  reader.close();
  BOOST_TEST((entry.read().status() == Status::closed));
  BOOST_TEST((MapEntry{entry}.read().status() == Status::closed));
  BOOST_TEST(!entry.wait_changed(0, 1ms));
  BOOST_TEST(error_of([&] { Map::remove(fixture.segment, "config"); }) == Errc::busy);
  BOOST_TEST(kept.text() == "value");
  kept.release();
  BOOST_TEST(inspect(fixture.segment).participants.empty());
  BOOST_TEST((entry.read().status() == Status::closed));
  BOOST_TEST(Map::remove(fixture.segment, "config"));
}

BOOST_AUTO_TEST_CASE(entries_outlive_their_reader_and_read_no_more) {
  const MapFixture fixture;
  BOOST_TEST((MapWriter{fixture.map}.put("k", "value") == Status::ok));
  std::optional<MapReader> reader{fixture.map};
  MapEntry entry = reader->entry("k");
  MapReader other{fixture.map};
  MapEntry its = other.entry("k");
  *reader = std::move(other);  // closes the first one
  BOOST_TEST((entry.read().status() == Status::closed));
  BOOST_TEST(its.read().text() == "value");
  reader.reset();
  BOOST_TEST((its.read().status() == Status::closed));
  BOOST_TEST(Map::remove(fixture.segment, "config"));
}

// A reader that looks at one version while the key is flipped for ever keeps that one, and nothing else.
BOOST_AUTO_TEST_CASE(ten_million_flips_beside_a_reader_that_stands_still_show_no_growth) {
  const MapFixture fixture{{.keys = 4, .value_bytes = 48, .key_bytes = 24, .values = 64}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", value_of(0)) == Status::ok));
  Child stopped{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    const MapValue value = reader.read("k");
    link.say(number_in(value.bytes()));
    link.hear();
    link.say(number_in(value.bytes()) + (is_whole(value.bytes()) ? 100 : 0));
  }};
  BOOST_TEST(stopped.hear() == 0U);
  stopped.stop();
  const std::size_t bytes = fixture.segment.bytes();
  for (std::uint64_t number = 1; number <= (kSlow ? 100'000U : 10'000'000U); ++number) {
    if (writer.put("k", value_of(number)) != Status::ok) BOOST_FAIL("not put");
  }
  BOOST_TEST(fixture.segment.bytes() == bytes);
  BOOST_TEST(fixture.pool().count() == 64U);
  stopped.resume();
  stopped.say(1);
  BOOST_TEST(stopped.hear() == 100U);
  stopped.wait();
}

BOOST_AUTO_TEST_CASE(who_writes_into_what_it_reads_is_ended) {
  const MapFixture fixture;
  BOOST_TEST((MapWriter{fixture.map}.put("k", "value") == Status::ok));
  Child reading{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    const MapValue value = reader.read("k");
    link.say(value.text() == "value" ? 1 : 0);
    link.hear();
    std::signal(SIGSEGV, SIG_DFL);  // the test framework's own
    const_cast<std::byte&>(value.bytes()[0]) = std::byte{0};
  }};
  BOOST_TEST(reading.hear() == 1U);
  reading.say(1);
  BOOST_TEST(reading.wait() == -SIGSEGV);
  BOOST_TEST(MapReader{fixture.map}.read("k").text() == "value");
}

BOOST_AUTO_TEST_CASE(values_are_buffers_of_a_pool_that_others_use_too) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 128, .count = 8});
  BOOST_TEST(error_of([&] { Map::create(segment, "config", {.pool = "none"}); }) == Errc::not_found);
  const Map map = Map::create(segment, "config", {.keys = 4, .pool = "frames"});
  BOOST_TEST(map.max_value_bytes() == 96U);
  BOOST_TEST(map.options().pool == "frames");
  BOOST_TEST(error_of([&] { Pool::remove(segment, "frames"); }) == Errc::busy);
  PoolUser user{pool};
  {
    MapWriter writer{map, {.timeout = 0ms}};
    for (int key = 0; key < 4; ++key) BOOST_TEST((writer.put(key, "v") == Status::ok));
    std::vector<Buffer> all;
    while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
    BOOST_TEST(all.size() == 4U);
    BOOST_TEST((writer.put(0, "w") == Status::exhausted));
    all.clear();
    BOOST_TEST((writer.put(0, "w") == Status::ok));
  }
  BOOST_TEST(Map::remove(segment, "config"));
  BOOST_TEST(user.acquire().status() == Status::ok);
  user.close();
  BOOST_TEST(count_free_values(pool) == 8U);
  BOOST_TEST(Pool::remove(segment, "frames"));
}

// A map whose values come from a pool with size classes.
struct SizesFixture {
  explicit SizesFixture(std::uint64_t pool_bytes)
      : segment(Segment::create(name, {.main_stream = false})),
        pool(Pool::create(segment, "heap", PoolOptions::for_sizes(16, 64 << 10, pool_bytes))),
        map(Map::create(segment, "config", {.keys = 64, .pool = "heap"})) {}

  TestName name;
  Segment segment;
  Pool pool;
  Map map;
};

BOOST_AUTO_TEST_CASE(values_of_all_sizes_come_from_a_pool_with_size_classes) {
  const SizesFixture fixture{1 << 20};
  const std::size_t most = (64 << 10) - 32;
  BOOST_TEST(fixture.map.max_value_bytes() == most);
  BOOST_TEST(fixture.map.differences({.keys = 64, .pool = "heap"}).empty());
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  std::uint64_t needed = 0;
  std::vector<std::size_t> sizes{0, 1, 8, 16, 17, 300, 4096, 5000, most};
  for (const std::size_t size : sizes) {
    BOOST_TEST((writer.put(size, value_of(size, size)) == Status::ok));
    needed += size + 32;
  }
  BOOST_TEST((writer.put("more", std::string(most + 1, 'm')) == Status::too_large));
  std::vector<MapValue> kept;
  for (const std::size_t size : sizes) {
    MapValue value = reader.read(size);
    BOOST_TEST(value.text() == value_of(size, size));
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(value.bytes().data()) % 16 == 0U);
    kept.push_back(std::move(value));
  }
  for (const std::size_t size : sizes) BOOST_TEST((writer.put(size, value_of(7, 40)) == Status::ok));
  for (std::size_t i = 0; i < sizes.size(); ++i) BOOST_TEST(kept[i].text() == value_of(sizes[i], sizes[i]));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  for (const ParticipantSnapshot& seen : inspect(fixture.segment).participants) {
    if (seen.role != Role::viewer) continue;
    BOOST_TEST(seen.held_bytes >= needed);
    BOOST_TEST(seen.held_bytes <= needed + needed / 8 + 16 * sizes.size());
  }
  kept.clear();
  std::uint64_t visited = 0;
  const auto count = [&](std::string_view, const MapValue& value) {
    visited += value.text() == value_of(7, 40) ? 1 : 0;
  };
  BOOST_TEST((reader.for_each(count) == Status::ok));
  BOOST_TEST(visited == sizes.size());
}

BOOST_AUTO_TEST_CASE(a_value_may_grow_while_it_is_updated) {
  const SizesFixture fixture{1 << 20};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("log", "") == Status::ok));
  std::string expected;
  for (int step = 0; step < 200; ++step) {
    const std::string more(1 + static_cast<std::size_t>(step), static_cast<char>('a' + step % 26));
    const auto append = [&](std::span<const std::byte> old, MapDraft& fresh) {
      const std::span<std::byte> room = fresh.resize(old.size() + more.size());
      BOOST_TEST_REQUIRE(room.size() == old.size() + more.size());
      std::copy(old.begin(), old.end(), room.begin());
      std::memcpy(room.data() + old.size(), more.data(), more.size());
    };
    BOOST_TEST_REQUIRE((writer.update("log", append) == Status::ok));
    expected += more;
    BOOST_TEST_REQUIRE(reader.read("log").text() == expected);
  }
  // What stands in a draft goes with it.
  MapDraft draft = writer.prepare("draft", 5);
  std::memcpy(draft.bytes().data(), "draft", 5);
  BOOST_TEST(draft.resize(50'000).size() == 50'000U);
  BOOST_TEST(std::memcmp(draft.bytes().data(), "draft", 5) == 0);
  BOOST_TEST(draft.resize(70'000).size() == 50'000U);
  draft.resize(5);
  BOOST_TEST((draft.flip() == Status::ok));
  BOOST_TEST(reader.read("draft").text() == "draft");
}

// The buffer that the update began with would be in the way of the one that it needs.
BOOST_AUTO_TEST_CASE(an_update_gets_what_a_put_would_get) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  Pool::create(segment, "heap", PoolOptions::for_sizes(16, 4096, 8192));
  const Map map = Map::create(segment, "config", {.keys = 4, .pool = "heap"});
  BOOST_TEST((MapWriter{map}.put("k", value_of(1, 4064)) == Status::ok));
  MapWriter writer{map, {.timeout = 10s}};
  const auto next = [](std::span<const std::byte>, MapDraft& fresh) {
    const std::string value = value_of(2, fresh.bytes().size());
    std::memcpy(fresh.bytes().data(), value.data(), value.size());
  };
  BOOST_TEST((writer.update("k", next) == Status::ok));
  BOOST_TEST(MapReader{map}.read("k").text() == value_of(2, 4064));
}

// No class of smaller buffers has room: they would need a chunk of their own.
BOOST_AUTO_TEST_CASE(an_update_needs_no_buffer_of_another_size) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  Pool::create(segment, "heap", PoolOptions::for_sizes(16, 4096, 8192));
  const Map map = Map::create(segment, "config", {.keys = 32, .pool = "heap"});
  MapWriter writer{map, {.timeout = 0ms}};
  for (int key = 0; key < 29; ++key) BOOST_TEST((writer.put(key, value_of(1, 224)) == Status::ok));
  const auto same = [](std::span<const std::byte> old, MapDraft& fresh) {
    std::copy(old.begin(), old.end(), fresh.bytes().begin());
  };
  for (int key = 0; key < 29; ++key) BOOST_TEST((writer.update(key, same) == Status::ok));
  BOOST_TEST((writer.update(99, same) == Status::not_found));
}

BOOST_AUTO_TEST_CASE(an_update_that_found_no_room_waits_for_it_the_next_time) {
  const SizesFixture fixture{256 << 10};
  std::atomic<bool> stop{true};
  MapWriter writer{fixture.map, {.timeout = 10s, .stop = &stop}};
  BOOST_TEST((writer.put("k", "small") == Status::ok));
  PoolUser user{fixture.pool};
  std::vector<Buffer> all;
  for (const std::uint64_t bytes : {64 << 10, 4 << 10}) {
    while (Buffer buffer = user.acquire(bytes)) all.push_back(std::move(buffer));
  }
  int calls = 0;
  const auto grow = [&](std::span<const std::byte>, MapDraft& fresh) {
    ++calls;
    if (!fresh.resize(60'000).empty()) std::fill(fresh.bytes().begin(), fresh.bytes().end(), std::byte{'v'});
  };
  BOOST_TEST((writer.update("k", grow) == Status::exhausted));
  BOOST_TEST((writer.update("k", grow) == Status::stopped));
  BOOST_TEST(calls == 1);
  stop = false;
  std::thread releases{[&] {
    const auto waits = [&] { return inspect(fixture.segment).facilities.at(0).pool->waits != 0; };
    while (!waits()) std::this_thread::yield();
    all.clear();
  }};
  BOOST_TEST((writer.update("k", grow) == Status::ok));
  releases.join();
  BOOST_TEST(calls == 2);
  BOOST_TEST(MapReader{fixture.map}.read("k").bytes().size() == 60'000U);
}

BOOST_AUTO_TEST_CASE(a_small_value_behind_a_large_one_is_small) {
  const SizesFixture fixture{1 << 20};
  MapWriter writer{fixture.map};
  const auto same = [](std::span<const std::byte> old, MapDraft& fresh) {
    std::copy(old.begin(), old.end(), fresh.bytes().begin());
  };
  for (const auto& [key, bytes] : {std::pair{"large", 60'000}, {"small", 8}}) {
    BOOST_TEST((writer.put(key, value_of(1, static_cast<std::size_t>(bytes))) == Status::ok));
    BOOST_TEST((writer.update(key, same) == Status::ok));
  }
  MapReader reader{fixture.map};
  const MapValue kept = reader.read("small");
  for (const ParticipantSnapshot& seen : inspect(fixture.segment).participants) {
    if (seen.role == Role::viewer) BOOST_TEST(seen.held_bytes <= 48U);
  }
}

BOOST_AUTO_TEST_CASE(a_draft_that_was_flipped_is_nobodys) {
  const SizesFixture fixture{1 << 20};
  MapWriter writer{fixture.map};
  MapDraft draft = writer.prepare("k", 5);
  std::memcpy(draft.bytes().data(), "value", 5);
  BOOST_TEST((draft.flip() == Status::ok));
  BOOST_TEST(draft.resize(5000).empty());
  BOOST_TEST((draft.flip() == Status::closed));
  BOOST_TEST(MapReader{fixture.map}.read("k").text() == "value");
}

// Words that others wrote over lead nobody out of the pool.
BOOST_AUTO_TEST_CASE(what_is_corrupt_is_told) {
  const SizesFixture fixture{64 << 10};
  const auto core = fixture.map.core();
  MapWriter writer{fixture.map, {.timeout = 0ms}};
  MapReader reader{fixture.map};
  BOOST_TEST((writer.put("k", "value") == Status::ok));
  layout::MapEntry& entry = core->entry(0);
  const std::uint64_t good = entry.value.load();

  core->slot(reader.slot()).guards[3].store(layout::Root::make(0xffff'fff0u, 1).word);
  BOOST_TEST(inspect(fixture.segment).participants.size() == 3U);
  core->slot(reader.slot()).guards[3].store(0);

  const auto pieces = static_cast<std::uint32_t>(fixture.pool.count());
  fixture.pool.core()->word(pieces - 1).store(layout::BufferWord::make(1, layout::BufferState::shared).word);
  entry.value.store(layout::Root::make(pieces - 1, 1).word);
  BOOST_TEST((reader.read("k").status() == Status::corrupt));
  BOOST_TEST((writer.put("k", "other") == Status::corrupt));
  entry.value.store(good);

  const layout::Root root{good};
  auto& about = *reinterpret_cast<layout::AboutValue*>(fixture.pool.core()->buffers() +
                                                       root.index() * fixture.pool.core()->geometry().stride_bytes);
  about.where.store(layout::ValueWhere::make(0, 70'000).word);
  BOOST_TEST((reader.read("k").status() == Status::corrupt));
  const auto count = [](std::span<const std::byte>, MapDraft&) { BOOST_TEST(false, "there is nothing to count from"); };
  BOOST_TEST((writer.update("k", count) == Status::corrupt));
  BOOST_TEST((writer.put("k", "anew") == Status::ok));
  BOOST_TEST(reader.read("k").text() == "anew");
}

BOOST_AUTO_TEST_CASE(values_may_be_empty_all_of_them) {
  const MapFixture fixture{{.keys = 4, .value_bytes = 0, .key_bytes = 8, .values = 8}};
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", "") == Status::ok));
  BOOST_TEST((writer.put("k", "v") == Status::too_large));
  MapReader reader{fixture.map};
  MapEntry entry = reader.entry("k");
  BOOST_TEST((entry.read().status() == Status::ok));
  // What would be the buffer behind the last one.
  const auto core = fixture.map.core();
  const std::uint64_t good = core->entry(0).value.load();
  core->entry(0).value.store(layout::Root::make(static_cast<std::uint32_t>(fixture.pool().count()), 0).word);
  BOOST_TEST((entry.read().status() != Status::ok));
  core->entry(0).value.store(good);
}

// No value goes beyond its buffer, into the next one.
BOOST_AUTO_TEST_CASE(what_is_made_larger_in_place_has_room_there) {
  const SizesFixture fixture{1 << 20};
  MapWriter writer{fixture.map};
  for (std::size_t key = 0; key < 64; ++key) {
    MapDraft draft = writer.prepare(key, 1);
    const std::string value = value_of(key, 3 * key);
    std::memcpy(draft.resize(value.size()).data(), value.data(), value.size());
    BOOST_TEST_REQUIRE((draft.flip() == Status::ok));
  }
  const MapReader reader{fixture.map};
  for (std::size_t key = 0; key < 64; ++key) BOOST_TEST(reader.read(key).text() == value_of(key, 3 * key));
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_CASE(without_room_for_a_larger_value_the_old_one_stays) {
  const SizesFixture fixture{256 << 10};
  MapWriter writer{fixture.map, {.timeout = 0ms}};
  BOOST_TEST((writer.put("k", "small") == Status::ok));
  PoolUser user{fixture.pool};
  std::vector<Buffer> all;
  for (const std::uint64_t bytes : {64 << 10, 4 << 10}) {
    while (Buffer buffer = user.acquire(bytes)) all.push_back(std::move(buffer));
  }
  const auto grow = [](std::span<const std::byte>, MapDraft& fresh) {
    BOOST_TEST(fresh.resize(60'000).data() == nullptr);
    BOOST_TEST((fresh.status() == Status::exhausted));
    fresh.resize(1);
  };
  BOOST_TEST((writer.update("k", grow) == Status::exhausted));
  BOOST_TEST(MapReader{fixture.map}.read("k").text() == "small");
  all.clear();
  const auto grown = [](std::span<const std::byte>, MapDraft& fresh) {
    BOOST_TEST(fresh.resize(60'000).size() == 60'000U);
  };
  BOOST_TEST((writer.update("k", grown) == Status::ok));
  BOOST_TEST(MapReader{fixture.map}.read("k").bytes().size() == 60'000U);
}

BOOST_AUTO_TEST_CASE(its_own_pool_comes_and_goes_with_it) {
  const MapFixture fixture;
  BOOST_TEST(fixture.map.created());
  BOOST_TEST(!fixture.open_again().created());
  BOOST_TEST(error_of([&] { Pool::remove(fixture.segment, "config.values"); }) == Errc::busy);
  BOOST_TEST(error_of([&] { Map::create(fixture.segment, "config"); }) == Errc::exists);
  BOOST_TEST(Map::open_or_create(fixture.segment, "config", {.keys = 8}).differences({.keys = 8}).size() != 0U);
  BOOST_TEST(fixture.map.differences(fixture.map.options()).empty());
  {
    const MapReader reader{fixture.map};
    BOOST_TEST(error_of([&] { Map::remove(fixture.segment, "config"); }) == Errc::busy);
  }
  BOOST_TEST(Map::remove(fixture.segment, "config"));
  BOOST_TEST(!fixture.map.is_current());
  BOOST_TEST(fixture.segment.facilities().empty());
  BOOST_TEST(!Map::remove(fixture.segment, "config"));
  BOOST_TEST(error_of([&] { MapReader{fixture.map}; }) == Errc::not_found);
  BOOST_TEST(error_of([&] { Map::open(fixture.segment, "config"); }) == Errc::not_found);
  const Map anew = Map::open_or_create(fixture.segment, "config");
  BOOST_TEST(anew.created());
  BOOST_TEST(anew.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_pool_that_others_use_outlives_its_map) {
  const MapFixture fixture;
  PoolUser user{fixture.pool()};
  BOOST_TEST(Map::remove(fixture.segment, "config"));
  BOOST_TEST(static_cast<bool>(user.acquire()));
  user.close();
  // The next map is made on it, or on another one.
  BOOST_TEST(Map::create(fixture.segment, "config", {.keys = 4}).created());
  BOOST_TEST(Map::remove(fixture.segment, "config"));
  BOOST_TEST(fixture.segment.facilities().empty());
}

// Somebody takes the pool away before the map needs it.
BOOST_AUTO_TEST_CASE(a_map_whose_pool_was_removed_is_made_on_another_one) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  Child maker{[&](Link&) {
    kill_point::arm(KillPoint::map_pool_made, stop_self);
    Map::create(Segment::open(name), "config");
  }};
  BOOST_TEST(maker.wait_until_stopped());
  BOOST_TEST(Pool::remove(segment, "config.values"));
  maker.resume();
  BOOST_TEST(maker.wait() == 0);
  BOOST_TEST(Map::open(segment, "config").options().pool.empty());
}

// The pool that it made stays where somebody uses it by then.
BOOST_AUTO_TEST_CASE(a_map_that_cannot_be_made_says_why) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  Child maker{[&](Link& link) {
    const Segment own = Segment::open(name);
    kill_point::arm(KillPoint::map_pool_made, stop_self);
    link.say(error_of([&] { Map::create(own, "config"); }) == Errc::registry_full ? 1 : 0);
  }};
  BOOST_TEST(maker.wait_until_stopped());
  const PoolUser user{Pool::open(segment, "config.values")};
  for (std::uint32_t made = 1; made < layout::kMaxFacilities; ++made) {
    Pool::create(segment, "other-" + std::to_string(made), {.buffer_bytes = 64, .count = 1});
  }
  maker.resume();
  BOOST_TEST(maker.hear() == 1U);
}

BOOST_AUTO_TEST_CASE(options_that_cannot_work_are_refused) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  for (const MapOptions& options :
       {MapOptions{.keys = 0}, MapOptions{.keys = 8, .max_keys = 4}, MapOptions{.key_bytes = 0},
        MapOptions{.key_bytes = 256}, MapOptions{.value_bytes = std::uint64_t{1} << 31}}) {
    BOOST_TEST(error_of([&] { Map::create(segment, "config", options); }) == Errc::invalid_argument);
  }
  for (const PoolOptions& too_small : {PoolOptions{.buffer_bytes = 31}, PoolOptions::for_sizes(8, 24, 1 << 16)}) {
    Pool::create(segment, "small", too_small);
    BOOST_TEST(error_of([&] { Map::create(segment, "config", {.pool = "small"}); }) == Errc::invalid_argument);
    Pool::remove(segment, "small");
  }
  BOOST_TEST(error_of([&] { Map::create(segment, "con/fig"); }) == Errc::invalid_argument);
  BOOST_TEST(error_of([&] { Map::create(segment, std::string(60, 'm')); }) == Errc::invalid_argument);
  BOOST_TEST(segment.facilities().empty());
}

// It grows, and its index holds, while keys come and go: compared with a std::map.
BOOST_AUTO_TEST_CASE(keys_come_and_go_and_the_map_grows) {
  const MapFixture fixture{{.keys = 4, .max_keys = 600, .value_bytes = 16, .key_bytes = 16, .values = 16}};
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  std::map<std::string, std::string> expected;
  std::mt19937_64 random{7};
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "key-" + std::to_string(random() % 800);
    if (random() % 3 == 0) {
      BOOST_TEST_REQUIRE((writer.erase(key) == (expected.erase(key) != 0 ? Status::ok : Status::not_found)));
      continue;
    }
    const std::string value = std::to_string(random());
    const Status status = writer.put(key, std::string_view{value}.substr(0, 16));
    if (status == Status::full) {
      BOOST_TEST_REQUIRE(expected.size() == 600U);
    } else {
      BOOST_TEST_REQUIRE((status == Status::ok));
      expected[key] = value.substr(0, 16);
    }
  }
  std::map<std::string, std::string> found;
  const Status all = reader.for_each(
      [&](std::string_view key, const MapValue& value) { BOOST_TEST(found.emplace(key, value.text()).second); });
  BOOST_TEST((all == Status::ok));
  BOOST_TEST((found == expected));
  BOOST_TEST(fixture.map.size() == expected.size());
  for (int number = 0; number < 800; ++number) {
    const std::string key = "key-" + std::to_string(number);
    const auto there = expected.find(key);
    const MapValue value = reader.read(key);
    BOOST_TEST((value.status() == (there == expected.end() ? Status::not_found : Status::ok)));
    if (value) BOOST_TEST(value.text() == there->second);
  }
  std::size_t ones = 0;
  const auto count = [&](std::string_view key, const MapValue&) { ones += key.starts_with("key-1") ? 1 : 1000; };
  BOOST_TEST((reader.for_each(count, "key-1") == Status::ok));
  BOOST_TEST(ones < 1000U);
  BOOST_TEST(ones > 0U);
}

// What a look for a key that is not there passes depends on how many keys there are, not on how many there were.
BOOST_AUTO_TEST_CASE(keys_that_come_and_go_leave_the_index_as_it_was) {
  constexpr std::uint64_t kAtOnce = 256;
  const MapFixture fixture{{.keys = kAtOnce, .value_bytes = 16, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  for (std::uint64_t key = 0; key < kAtOnce; ++key) BOOST_TEST_REQUIRE((writer.insert(key, "v") == Status::ok));
  std::mt19937_64 chance{1};
  std::vector<std::uint64_t> keys(kAtOnce);
  std::iota(keys.begin(), keys.end(), 0);
  for (std::uint64_t fresh = kAtOnce; fresh < (kSlow ? 5'000 : 50'000); ++fresh) {
    std::uint64_t& key = keys[chance() % kAtOnce];
    BOOST_TEST_REQUIRE((writer.erase(key) == Status::ok));
    key = fresh;
    BOOST_TEST_REQUIRE((writer.insert(key, "v") == Status::ok));
  }
  const auto& core = *fixture.map.core();
  const auto count_places = [&](auto is_one) {
    std::uint64_t count = 0;
    for (std::uint64_t at = 0; at < core.geometry().places; ++at) {
      count += is_one(layout::IndexPlace{core.place(at).load()}) ? 1 : 0;
    }
    return count;
  };
  BOOST_TEST(count_places([](layout::IndexPlace place) { return place.is_gone(); }) < kAtOnce / 2);
  MapReader reader{fixture.map};
  for (const std::uint64_t key : keys) BOOST_TEST(reader.read(key).text() == "v");
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
  for (const std::uint64_t key : keys) BOOST_TEST_REQUIRE((writer.erase(key) == Status::ok));
  BOOST_TEST(count_places([](layout::IndexPlace place) { return place.is_unused(); }) == core.geometry().places);
}

BOOST_AUTO_TEST_CASE(a_full_map_says_so_and_goes_on) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 16, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  for (int key = 0; key < 8; ++key) BOOST_TEST((writer.put(key, "v") == Status::ok));
  BOOST_TEST((writer.put(8, "v") == Status::full));
  BOOST_TEST((writer.put(3, "w") == Status::ok));
  BOOST_TEST((writer.erase(5) == Status::ok));
  BOOST_TEST((writer.put(8, "v") == Status::ok));
  BOOST_TEST((writer.put(5, "v") == Status::full));
}

BOOST_AUTO_TEST_CASE(a_read_and_a_flip_make_no_system_call) {
  const std::string reason = why_calls_cannot_be_seen();
  if (!reason.empty()) {
    BOOST_TEST_MESSAGE("not tried: " << reason);
    return;
  }
  struct Scene {
    explicit Scene(const MapFixture& fixture) : map(fixture.open_again()) {}
    Map map;
    MapWriter writer{map};
    MapReader reader{map};
    MapEntry entry = reader.entry("k");
  };
  const MapFixture fixture;
  const auto calls = system_calls_of([&fixture]() -> std::function<void()> {
    const auto scene = std::make_shared<Scene>(fixture);
    if (scene->writer.put("k", "v") != Status::ok || !scene->entry.read()) ::_exit(1);
    return [scene] {
      for (int i = 0; i < 8; ++i) {
        const MapValue in_place = scene->entry.read();
        if (scene->writer.put("k", scene->reader.read("k").text()) != Status::ok || !in_place) ::_exit(1);
      }
    };
  });
  BOOST_TEST_REQUIRE(calls.has_value());
  BOOST_TEST(*calls == std::vector<long>{}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(in_a_child_of_fork_handles_say_so) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  MapEntry entry = reader.entry("k");
  BOOST_TEST((writer.put("k", "v") == Status::ok));
  const MapValue value = entry.read();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool right = entry.read().status() == Status::forked && writer.put("k", "w") == Status::forked &&
                       reader.read("k").status() == Status::forked && !reader.wait_changed(0, 0ms) &&
                       writer.erase("k") == Status::forked;
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  BOOST_TEST(value.text() == "v");
  BOOST_TEST((writer.put("k", "w") == Status::ok));
}

BOOST_AUTO_TEST_CASE(who_was_taken_for_dead_lets_go_of_nobodys_value) {
  const TestName name;
  const Segment segment = Segment::create(name, {.participants = 3, .main_stream = false});
  const Map map = Map::create(segment, "config", {.keys = 1, .value_bytes = 64, .key_bytes = 8, .values = 8});
  MapWriter writer{map};
  BOOST_TEST((writer.put("k", "old") == Status::ok));
  MapReader dead{map};
  MapValue left = dead.read("k");
  MapEntry entry = dead.entry("k");
  declare_dead(segment, dead.slot());
  BOOST_TEST(!entry.wait_changed(1, 0ms));
  MapReader reader{map};
  BOOST_TEST_REQUIRE(reader.slot() == dead.slot());
  const MapValue value = reader.read("k");
  left.release();
  for (int i = 0; i < 100; ++i) BOOST_TEST((writer.put("k", "new") == Status::ok));
  BOOST_TEST(value.text() == "old");
}

BOOST_AUTO_TEST_CASE(in_a_child_of_fork_no_entry_is_claimed) {
  const SizesFixture fixture{1 << 20};
  MapWriter writer{fixture.map, {.timeout = 0ms}};
  BOOST_TEST((writer.put("k", "v") == Status::ok));
  const auto same = [](std::span<const std::byte> old, MapDraft& fresh) {
    std::copy(old.begin(), old.end(), fresh.bytes().begin());
  };
  const pid_t child = ::fork();
  if (child == 0) ::_exit(writer.update("k", same) == Status::forked ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  BOOST_TEST(fixture.map.core()->entry(0).claim.load() == 0U);
  BOOST_TEST((writer.update("k", same) == Status::ok));
}

// As if something had unmapped what proves that they live.
BOOST_AUTO_TEST_CASE(who_was_taken_for_dead_is_told) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  MapReader reader{fixture.map};
  MapEntry entry = reader.entry("k");
  BOOST_TEST((writer.put("k", "v") == Status::ok));
  BOOST_TEST(static_cast<bool>(entry.read()));
  for (const std::uint32_t slot : {writer.slot(), reader.slot()}) {
    layout::Word& registration = fixture.segment.core()->participant(slot).registration;
    const std::uint64_t incarnation = layout::SlotRegistration{registration.load()}.incarnation();
    fixture.map.core()->mark_settled(slot);
    registration.store(
        layout::SlotRegistration::make(incarnation, layout::SlotRole::none, layout::SlotState::free).word);
  }
  BOOST_TEST((entry.read().status() == Status::declared_dead));
  BOOST_TEST((reader.read("k").status() == Status::declared_dead));
  BOOST_TEST((writer.put("k", "w") == Status::declared_dead));
  BOOST_TEST((writer.erase("k") == Status::declared_dead));
  MapReader other{fixture.map};
  BOOST_TEST(other.read("k").text() == "v");
}

BOOST_AUTO_TEST_CASE(who_waits_is_told_of_a_change) {
  const MapFixture fixture;
  MapWriter writer{fixture.map};
  BOOST_TEST((writer.put("k", value_of(1)) == Status::ok));
  Child waiter{[&](Link& link) {
    MapReader reader{fixture.open_again()};
    MapEntry entry = reader.entry("k");
    MapEntry later = reader.entry("later");
    link.say(1);
    bool right = entry.wait_changed(0, kPatience) && entry.wait_changed(1, kPatience);
    right = right && entry.read().version() == 2;
    link.say(right ? 2 : 0);
    right = later.wait_changed(0, kPatience) && later.read().text() == "there";
    const std::uint64_t version = reader.version();
    link.say(right ? 3 : 0);
    link.say(reader.wait_changed(version, kPatience) ? 4 : 0);
  }};
  BOOST_TEST(waiter.hear() == 1U);
  const auto wait_until_asleep = [&](const layout::Event& event) {
    return eventually([&] { return event.is_awaited(); });
  };
  layout::MapControl& control = fixture.map.core()->control();
  const auto anybody_asleep = [&] {
    return eventually([&] {
      for (const layout::Event& event : control.events) {
        if (event.is_awaited()) return true;
      }
      return false;
    });
  };
  const auto count_wakes = [&] {
    std::uint64_t wakes = 0;
    for (const layout::Event& event : control.events) wakes += event.wakes();
    return wakes;
  };
  BOOST_TEST(anybody_asleep());
  const std::uint64_t wakes = count_wakes();
  BOOST_TEST((writer.put("k", value_of(2)) == Status::ok));
  BOOST_TEST(count_wakes() == wakes + 1);  // it need not look by itself
  BOOST_TEST(waiter.hear() == 2U);
  BOOST_TEST(anybody_asleep());
  BOOST_TEST((writer.put("later", "there") == Status::ok));
  BOOST_TEST(waiter.hear() == 3U);
  BOOST_TEST(wait_until_asleep(control.changed));
  BOOST_TEST((writer.erase("k") == Status::ok));
  BOOST_TEST(waiter.hear() == 4U);
  BOOST_TEST(waiter.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_snapshot_shows_what_is_in_it) {
  const MapFixture fixture;
  MapWriter writer{fixture.map, {.name = "admin"}};
  const MapReader reader{fixture.map, {.name = "risk"}};
  BOOST_TEST((writer.put("k", "1") == Status::ok));
  BOOST_TEST((writer.put("k", "2") == Status::ok));
  BOOST_TEST((writer.put("gone", "1") == Status::ok));
  BOOST_TEST((writer.erase("gone") == Status::ok));
  const MapValue kept = reader.read("k");
  const Snapshot now = inspect(fixture.segment);
  BOOST_TEST_REQUIRE(now.facilities.size() == 2U);
  BOOST_TEST(now.facilities[1].info.kind == "map");
  BOOST_TEST_REQUIRE(now.facilities[1].map.has_value());
  const MapSnapshot& map = *now.facilities[1].map;
  BOOST_TEST((map.keys == 1 && map.room == 16 && map.changes == 4 && map.pool == "config.values"));
  BOOST_TEST((map.present.inserted == 2 && map.present.flipped == 1 && map.present.erased == 1));
  for (const ParticipantSnapshot& seen : now.participants) {
    if (seen.facility != "config") continue;
    BOOST_TEST((seen.role == (seen.name == "admin" ? Role::editor : Role::viewer)));
    BOOST_TEST(seen.held_generations.size() == (seen.name == "admin" ? 0U : 1U));
  }
  const std::vector<SegmentPart> parts = layout_of(fixture.segment);
  BOOST_TEST(
      std::any_of(parts.begin(), parts.end(), [](const SegmentPart& part) { return part.what == "16 entries"; }));
}

BOOST_AUTO_TEST_CASE(a_wait_ends_by_time_or_by_its_flag) {
  const MapFixture fixture;
  std::atomic<bool> stop{true};
  MapReader reader{fixture.map, {.stop = &stop}};
  BOOST_TEST(!reader.entry("k").wait_changed(0, kForever));
  stop = false;
  BOOST_TEST(!reader.entry("k").wait_changed(0, 5ms));
  BOOST_TEST(!reader.wait_changed(reader.version(), 5ms));
}

// Of those who are there, who left, and who were killed.
BOOST_AUTO_TEST_CASE(the_figures_of_all_writers_add_up) {
  const MapFixture fixture;
  const auto change = [](const Map& map, std::uint64_t key) {
    MapWriter writer{map};
    BOOST_TEST_REQUIRE((writer.put(key, "one") == Status::ok));
    BOOST_TEST_REQUIRE((writer.put(key, "two") == Status::ok));
    BOOST_TEST_REQUIRE((writer.put(key + 1, "one") == Status::ok));
    BOOST_TEST_REQUIRE((writer.erase(key + 1) == Status::ok));
    return writer;
  };
  const MapWriter here = change(fixture.map, 0);
  change(fixture.map, 10).close();
  Child killed{[&](Link&) {
    const MapWriter own = change(fixture.open_again(), 20);
    kill_self();
  }};
  BOOST_TEST(killed.wait() == -SIGKILL);
  recover(fixture.segment);
  const Snapshot snapshot = inspect(fixture.segment);
  const MapSnapshot& seen = snapshot.facilities.back().map.value();
  BOOST_TEST(seen.departed_participants == 2U);
  BOOST_TEST(seen.departed.inserted == 4U);
  BOOST_TEST(seen.departed.flipped == 2U);
  BOOST_TEST(seen.departed.erased == 2U);
  BOOST_TEST(seen.present.inserted == 2U);
  BOOST_TEST(seen.present.flipped == 1U);
  BOOST_TEST(seen.present.inserted + seen.departed.inserted - seen.present.erased - seen.departed.erased == seen.keys);
}

// Each of them makes the pool first, or finds that of another one.
BOOST_AUTO_TEST_CASE(several_may_make_the_same_map_at_once) {
  const MapFixture fixture;
  for (int round = 0; round < 20; ++round) {
    const std::string name = "at-once-" + std::to_string(round);
    std::vector<std::unique_ptr<Child>> makers;
    for (int i = 0; i < 4; ++i) {
      makers.push_back(std::make_unique<Child>([&](Link& link) {
        const Segment segment = Segment::open(fixture.name);
        link.say(1);
        link.hear();
        MapWriter writer{Map::open_or_create(segment, name, {.keys = 4, .value_bytes = 16})};
        if (writer.put("key", "value") != Status::ok) throw std::runtime_error("not put");
      }));
      BOOST_TEST_REQUIRE(makers.back()->hear() == 1U);
    }
    for (const auto& maker : makers) maker->say(1);
    for (const auto& maker : makers) BOOST_TEST(maker->wait() == 0);
    BOOST_TEST(Map::remove(fixture.segment, name));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
