// Watchdogs die as well, and sometimes there are two: neither does harm, and every death is told once.
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <optional>

#include "support/skip.hpp"
#include "support/stream.hpp"
#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr int kMessages = 5;
constexpr int kWriters = 3;

// A round kills some writers and a reader, all at about the same time.
struct Scene {
  void let_some_die() {
    // All are there before the first one dies: whoever attaches would recover the dead.
    std::deque<Child> children;
    for (int i = 0; i < kWriters; ++i) children.emplace_back([this](Link& link) { write_and_wait(link); });
    for (Child& child : children) child.hear();
    Child reader = holder_of(name, "reader");
    reader.hear();
    reader.kill();
    for (Child& child : children) child.kill();
    deaths += kWriters + 1;
    writers += kWriters;
  }

  void write_and_wait(Link& link) const {
    Writer writer{Segment::open(name), {.name = "writer"}};
    for (int i = 0; i < kMessages; ++i) require(writer.write("message") == Status::ok, "not accepted");
    const Reservation open = writer.reserve(100);
    link.say(1);
    link.hear();
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

// Runs `sapbuf-watchdog --once`, and kills it at the n-th place where it enters or leaves a system call. False if it
// came to its end before.
bool kill_at_system_call(const std::string& name, unsigned nth) {
  const Child traced{[&](Link&) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::close(STDERR_FILENO);
    ::execl(SAPBUF_WATCHDOG, SAPBUF_WATCHDOG, "--once", name.c_str(), nullptr);
  }};
  int status = 0;
  for (unsigned stops = 0;; ++stops) {
    BOOST_TEST_REQUIRE(::waitpid(traced.pid(), &status, 0) == traced.pid());
    if (!WIFSTOPPED(status)) return false;
    if (stops == nth) return true;
    ::ptrace(PTRACE_SYSCALL, traced.pid(), nullptr, nullptr);
  }
}

BOOST_AUTO_TEST_CASE(a_watchdog_that_is_killed_anywhere_does_no_harm) {
  Scene scene;
  int amid = 0;
  unsigned nth = 0;
  for (bool killed = true; killed; nth += kSlow ? 9 : 1) {
    const std::uint64_t deaths = scene.deaths;
    scene.let_some_die();
    killed = kill_at_system_call(scene.name, nth);
    if (!killed && nth == 0) return skip("this process may not trace another one");
    const Snapshot now = inspect(scene.segment);
    const bool some_are_told = !now.journal.empty() && now.journal.back().number > deaths;
    if (some_are_told && !now.participants.empty()) ++amid;
    while (recover(scene.segment).pending) {
    }
    BOOST_TEST_CONTEXT("killed at place " << nth) { scene.check(); }
  }
  BOOST_TEST_MESSAGE("killed at places up to the " << nth << "th, " << amid << " of them amid a recovery");
  BOOST_TEST(amid > 0);
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
