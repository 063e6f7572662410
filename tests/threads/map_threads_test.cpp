// Maps, many threads at once: what is read is whole, versions never go back, and no update is lost.
#include <boost/test/unit_test.hpp>

#include <thread>

#include "map/map_core.hpp"
#include "map/map_fixture.hpp"
#include "support/map_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kUpdates = kSlow ? 2'000 : 20'000;  // of each writer
constexpr std::uint64_t kKeys = 3;

void add_one(std::span<const std::byte> old, MapDraft& fresh) {
  const std::string next = value_of(number_in(old) + 1, old.size());
  std::memcpy(fresh.bytes().data(), next.data(), next.size());
}

// Reads all keys again and again; how many things were wrong.
std::uint64_t read_until(const Map& map, const std::atomic<bool>& done) {
  MapReader reader{map};
  std::vector<MapEntry> entries;
  for (std::uint64_t key = 0; key <= kKeys; ++key) entries.push_back(reader.entry(key));
  std::vector<std::uint64_t> newest(entries.size());
  std::uint64_t wrong = 0;
  MapValue kept;
  for (std::uint64_t round = 0; !done.load(); ++round) {
    for (std::size_t key = 0; key < entries.size(); ++key) {
      MapValue value = entries[key].read();
      if (value.status() == Status::not_found && key == kKeys) continue;  // that one comes and goes
      if (!value || !is_whole(value.bytes()) || value.version() < newest[key]) {
        ++wrong;
        continue;
      }
      newest[key] = value.version();
      if (round % 7 != 0) continue;
      if (kept && !is_whole(kept.bytes())) ++wrong;
      kept = std::move(value);
    }
    const auto look = [&](std::string_view, const MapValue& value) { wrong += is_whole(value.bytes()) ? 0 : 1; };
    if (reader.for_each(look) != Status::ok) ++wrong;
  }
  return wrong;
}

BOOST_AUTO_TEST_SUITE(map_threads)

BOOST_AUTO_TEST_CASE(nobodys_update_is_lost_and_nothing_is_read_torn) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 48, .key_bytes = 8, .values = 24}};
  {
    MapWriter writer{fixture.map};
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      BOOST_TEST_REQUIRE((writer.put(key, value_of(0)) == Status::ok));
    }
  }
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back([&] { wrong += read_until(fixture.map, done); });
  std::vector<std::thread> writers;
  for (std::uint64_t who = 0; who < 2; ++who) {
    writers.emplace_back([&, who] {
      MapWriter writer{fixture.map};
      for (std::uint64_t i = 0; i < kUpdates; ++i) {
        if (writer.update((i + who) % kKeys, add_one) != Status::ok) ++wrong;
        if (i % 16 == who) static_cast<void>(writer.put(kKeys, value_of(i)));
        if (i % 16 == who + 8) static_cast<void>(writer.erase(kKeys));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  BOOST_TEST(wrong.load() == 0U);
  MapReader reader{fixture.map};
  std::uint64_t sum = 0;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    const MapValue value = reader.read(key);
    sum += number_in(value.bytes());
    BOOST_TEST(value.version() == number_in(value.bytes()) + 1);
  }
  BOOST_TEST(sum == 2 * kUpdates);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Places of the index become unused, and used again, all around it.
BOOST_AUTO_TEST_CASE(a_key_that_is_there_is_found_while_others_come_and_go) {
  constexpr std::uint64_t kAtOnce = 8;
  const MapFixture fixture{{.keys = kAtOnce, .value_bytes = 16, .key_bytes = 8}};
  MapWriter writer{fixture.map};
  for (std::uint64_t key = 0; key < kAtOnce; ++key) BOOST_TEST_REQUIRE((writer.insert(key, "v") == Status::ok));
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> looked{0};
  std::uint64_t missed = 0;
  std::thread looks{[&] {
    MapReader reader{fixture.map};
    for (; !done.load(); ++looked) missed += reader.read(0) && reader.read(1) ? 0 : 1;
  }};
  std::uint64_t oldest = 2;
  std::uint64_t failed = 0;
  for (std::uint64_t fresh = kAtOnce; fresh < kUpdates || looked == 0; ++fresh, ++oldest) {
    failed += writer.erase(oldest) == Status::ok && writer.insert(fresh, "v") == Status::ok ? 0 : 1;
  }
  done = true;
  looks.join();
  BOOST_TEST(failed == 0U);
  BOOST_TEST(missed == 0U);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// Entries, places of the index and buffers come while somebody looks at what there was.
BOOST_AUTO_TEST_CASE(a_map_grows_beside_one_who_reads_it_and_goes_through_it) {
  constexpr std::uint64_t kMost = kSlow ? 2'000 : 20'000;
  const MapFixture fixture{{.keys = 4, .max_keys = kMost, .value_bytes = 16, .key_bytes = 8, .values = 16}};
  MapWriter writer{fixture.map};
  BOOST_TEST_REQUIRE((writer.insert(0, "v") == Status::ok));
  const std::size_t bytes = fixture.map.bytes();
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> looked{0};
  std::uint64_t wrong = 0;
  std::thread reads{[&] {
    MapReader reader{fixture.map};
    MapEntry first = reader.entry(0);
    std::uint64_t before = 0;
    for (; !done.load(); ++looked) {
      std::uint64_t keys = 0;
      const Status all = reader.for_each([&](std::string_view, const MapValue& value) {
        ++keys;
        wrong += value.text() == "v" && first.read().text() == "v" ? 0 : 1;
      });
      wrong += all == Status::ok && keys >= before ? 0 : 1;  // none goes
      before = keys;
    }
  }};
  while (looked == 0) std::this_thread::yield();
  std::uint64_t failed = 0;
  for (std::uint64_t key = 1; key < kMost; ++key) failed += writer.insert(key, "v") == Status::ok ? 0 : 1;
  done = true;
  reads.join();
  BOOST_TEST(failed == 0U);
  BOOST_TEST(wrong == 0U);
  BOOST_TEST(fixture.map.bytes() > bytes);
  BOOST_TEST(count_keys(fixture.map) == kMost);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

// They want the same keys, in any order.
BOOST_AUTO_TEST_CASE(transactions_of_several_writers_never_mix) {
  const MapFixture fixture{{.keys = 8, .value_bytes = 48, .key_bytes = 8, .values = 48}};
  {
    MapWriter writer{fixture.map};
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      BOOST_TEST_REQUIRE((writer.put(key, value_of(0)) == Status::ok));
    }
  }
  std::vector<std::thread> writers;
  std::atomic<std::uint64_t> wrong{0};
  for (std::uint64_t who = 1; who <= 3; ++who) {
    writers.emplace_back([&, who] {
      MapWriter writer{fixture.map, {.timeout = kPatience}};
      for (std::uint64_t i = 0; i < (kSlow ? 200 : 3000); ++i) {
        Transaction change{writer};
        for (std::uint64_t key = 0; key < kKeys; ++key) {
          if (change.put((key + i + who) % kKeys, value_of(who)) != Status::ok) ++wrong;
        }
        if (change.commit() != Status::ok) ++wrong;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  BOOST_TEST(wrong.load() == 0U);
  MapReader reader{fixture.map};
  const std::uint64_t last = number_in(reader.read(0).bytes());
  for (std::uint64_t key = 0; key < kKeys; ++key) BOOST_TEST(number_in(reader.read(key).bytes()) == last);
  BOOST_TEST(broken_map_invariant(fixture.map) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
