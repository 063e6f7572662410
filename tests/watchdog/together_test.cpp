// Watchdogs die as well, and sometimes there are two: neither does harm, and every death is told once.
#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <random>
#include <thread>

#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr int kMessages = 5;
constexpr int kWriters = 3;

// A round kills some writers and a reader, all at about the same time.
struct Scene {
  void let_some_die() {
    Child reader = holder_of(name, "reader");
    reader.hear();
    for (int i = 0; i < kWriters; ++i) die_writing(name, "writer", kMessages);
    reader.kill();
    deaths += kWriters + 1;
    writers += kWriters;
  }

  // Once everybody has been recovered: each death stands in the journal once, and was counted once.
  void check() {
    BOOST_TEST_REQUIRE(eventually([&] { return inspect(segment).participants.empty(); }));
    const Snapshot now = inspect(segment);
    BOOST_TEST(now.journal.back().number == deaths);
    std::map<std::int32_t, int> entries;
    for (const JournalRecord& record : now.journal) {
      BOOST_TEST(record.finished_ns != 0U);
      ++entries[record.pid];
    }
    for (const auto& [pid, count] : entries) BOOST_TEST(count == 1, "process " << pid << " died " << count << " times");
    BOOST_TEST(now.departed_participants == deaths);
    BOOST_TEST(now.departed.committed == writers * kMessages);
    BOOST_TEST(now.departed.abandoned == writers);
  }

  TestName name;
  // With room for all extents that writers leave: the reader, while it lives, keeps them.
  Segment segment = Segment::create(name, {.slabs = 4, .slab_bytes = 1 << 20, .participants = 16});
  std::uint64_t deaths = 0;
  std::uint64_t writers = 0;
};

BOOST_AUTO_TEST_SUITE(together)

BOOST_AUTO_TEST_CASE(two_watchdogs_tell_and_count_each_death_once) {
  Scene scene;
  Daemon one{{scene.name, "--interval", "1"}};
  Daemon other{{scene.name, "--interval", "1"}};
  for (const Daemon* daemon : {&one, &other}) BOOST_TEST(eventually([&] { return daemon->says("watching"); }));
  for (int round = 0; round < 20; ++round) {
    scene.let_some_die();
    scene.check();
  }
  BOOST_TEST(one.end() == 0);
  BOOST_TEST(other.end() == 0);
}

BOOST_AUTO_TEST_CASE(a_watchdog_that_is_killed_at_any_moment_does_no_harm) {
  constexpr unsigned kSeed = 20;
  std::minstd_rand chance{kSeed};
  Scene scene;
  int before = 0;
  int amid = 0;
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t deaths = scene.deaths;
    scene.let_some_die();
    {
      // From its start to the end of its first recovery it takes some milliseconds.
      Daemon short_lived{{scene.name, "--interval", "1"}};
      std::this_thread::sleep_for(std::chrono::microseconds{chance() % 6000});
    }
    const Snapshot now = inspect(scene.segment);
    const std::uint64_t told = now.journal.empty() ? 0 : now.journal.back().number;
    if (told == deaths) ++before;
    if (told > deaths && !now.participants.empty()) ++amid;
    Daemon next{{scene.name, "--interval", "1"}};
    BOOST_TEST_CONTEXT("round " << round << ", seed " << kSeed) { scene.check(); }
  }
  BOOST_TEST_MESSAGE("of 60 watchdogs, " << before << " were killed before their recovery and " << amid << " amid it");
}

// Participants need none: the last one that waits takes back what a watchdog has not.
BOOST_AUTO_TEST_CASE(a_writer_goes_on_when_the_watchdog_is_killed_too) {
  Scene scene;
  std::optional<Daemon> daemon{std::in_place, std::vector<std::string>{scene.name}};
  Child reader = holder_of(scene.name, "reader");
  reader.hear();
  Writer writer{scene.segment};
  daemon.reset();
  reader.kill();
  for (int i = 0; i < 6000; ++i) BOOST_TEST_REQUIRE((writer.write(std::string(1000, 'x')) == Status::ok));
  BOOST_TEST(inspect(scene.segment).journal.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
