// Participants whose process is careless with descriptors, or has children that run no fork handlers; and processes
// that take long to die.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "environment/surroundings.hpp"
#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order) { return {.slab_bytes = 8192, .order = order, .participants = 8}; }

// As a daemonising library does it. The link's descriptors are spared, so that the child can still talk.
void close_from_3(const Link& link) {
  for (int number = 3; number < 1024; ++number) {
    if (!link.uses(number)) ::close(number);
  }
}

// The numbers under which this process has the segment's file open stand for another file from now on.
void give_numbers_away(const Segment& segment) {
  const SharedMemory stranger{4096};
  int replaced = 0;
  for (int number = 3; number < 1024; ++number) {
    if (platform::identity_of(number) != segment.core()->locks().file()) continue;
    ::dup2(stranger.descriptor(), number);
    ++replaced;
  }
  require(replaced >= 2, "nothing was replaced: the test shows nothing");
}

// One child of that process; 0 if it has none.
pid_t child_of(pid_t parent) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    std::ifstream children{task.path() / "children"};
    pid_t child = 0;
    if (children >> child) return child;
  }
  return 0;
}

BOOST_AUTO_TEST_SUITE(careless)

BOOST_DATA_TEST_CASE(who_closes_all_descriptors_stays_alive_goes_on_and_dies_in_the_end, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Reader reader{segment};
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "daemon"}};
    Reader also{own, {.name = "daemon's reader"}};
    require(writer.write("before") == Status::ok, "not accepted before");
    close_from_3(link);
    link.say(1);
    link.hear();
    require(texts(also).size() == 1, "not delivered");
    // Flips, recovery and attaching, too.
    Log log;
    for (std::uint32_t number = 0; number < 200; ++number) {
      require(put(writer, {1, number}, 300) == Status::ok, "not accepted");
      log.read(also);
      link.say(number);
      link.hear();
    }
    require(log.by_writer()[1].size() == 200, "not delivered to itself");
    require(!recover(own).pending, "it cannot ask any more");
    require(recover(own).dead.empty(), "it takes somebody for dead");
    { const Writer more{own}; }
    link.say(1);
    link.hear();
  }};
  child.hear();
  BOOST_TEST(texts(reader).size() == 1U);
  BOOST_TEST(recover(segment).dead.empty());
  child.say(1);
  Log log;
  for (int number = 0; number < 200; ++number) {
    child.hear();
    BOOST_TEST_REQUIRE(recover(segment).dead.empty());
    log.read(reader);
    child.say(1);
  }
  child.hear();
  log.read(reader);
  BOOST_TEST(log.by_writer()[1].size() == 200U);
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.torn() == 0U);
  child.kill();
  BOOST_TEST(recover(segment).dead.size() == 2U);
}

// A stray close(), and the next open() gets the number: this process must not take all others for dead, nor walk into
// the middle of their flips.
BOOST_DATA_TEST_CASE(who_lost_its_numbers_to_another_file_judges_rightly, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child healthy = holder_of(name, "healthy");
  healthy.hear();
  Child dead = holder_of(name, "dead");
  dead.hear();
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "careless", .timeout = 50ms}};
    give_numbers_away(own);
    require(recover(own).dead.empty() && find_dead(own).dead.empty(), "the living are called dead");
    require(inspect(own).participants[0].state == Liveness::alive, "the living look dead");
    fill_up(writer);  // what a live reader has not read is not overwritten
    link.say(1);
    link.hear();
    // So that nothing is known but by the lock.
    for (std::uint32_t slot = 0; slot < main_stream(own).high_slot(); ++slot) participant(own, slot).boot_id.store(0);
    const RecoveryReport report = recover(own);
    require(report.dead.size() == 1 && report.dead[0].name == "dead", "the dead one was not found");
    require(report.dead[0].proof == "ofd-lock-free", "by another proof");
  }};
  child.hear();
  dead.kill();
  child.say(1);
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(healthy.running());
  healthy.say(1);
  BOOST_TEST(healthy.wait() == 0);
}

// Nobody can open the file any more: nobody is judged, and nothing is taken.
BOOST_AUTO_TEST_CASE(who_can_reach_the_file_no_more_leaves_recovery_to_others) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Child dead = holder_of(name, "dead");
  dead.hear();
  Child child{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "careless", .timeout = 50ms}};
    link.say(1);
    link.hear();
    give_numbers_away(own);
    const RecoveryReport report = recover(own);
    require(report.dead.empty() && report.pending, "it judged");
    require(writer.write("goes on") == Status::ok, "it cannot write into its own extent");
    link.say(1);
    link.hear();
  }};
  child.hear();
  BOOST_TEST(Segment::remove(name));
  dead.kill();
  child.say(1);
  child.hear();
  BOOST_TEST(recover(segment).dead.size() == 1U);
  child.kill();
  BOOST_TEST(recover(segment).dead.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_looker_with_read_locks_keeps_no_dead_alive) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Child dead = holder_of(name, "dead");
  dead.hear();
  const int looker = ::open(("/dev/shm/sapbuf." + name.str()).c_str(), O_RDONLY | O_CLOEXEC);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_start = static_cast<off_t>(participant(segment, 0).life.load());
  lock.l_len = 1;
  dead.kill();
  BOOST_TEST(::fcntl(looker, F_OFD_SETLK, &lock) == 0);
  BOOST_TEST(recover(segment).dead.size() == 1U);
  ::close(looker);
}

// A lock for reading on the maintenance lock's byte stops everybody: they are told by whom.
BOOST_AUTO_TEST_CASE(who_is_stopped_by_a_lock_is_told_whose_it_is) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Child looker{[&](Link& link) {
    const int file = ::open(("/dev/shm/sapbuf." + name.str()).c_str(), O_RDONLY | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_start = static_cast<off_t>(layout::kMaintenanceLocks);
    lock.l_len = 1;
    require(::fcntl(file, F_OFD_SETLK, &lock) == 0, "cannot lock");
    link.say(1);
    link.hear();
  }};
  looker.hear();
  const auto attach = [&] { const Reader reader{segment}; };
  BOOST_TEST(error_of(attach) == Errc::busy);
  const std::string said = message_of(attach);
  BOOST_TEST(said.find("(pid " + std::to_string(looker.pid()) + ", ") != std::string::npos);
  BOOST_TEST(said.find("a lock for reading)") != std::string::npos);
  looker.kill();
  BOOST_TEST(error_of(attach) == nothing());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(children_without_handlers)

// A process that attaches a reader (which holds what there is) and a writer, makes a child by `make`, and stays.
void expect_death_is_seen(const std::function<pid_t(Link&)>& make) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Child parent{[&](Link& link) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "writer"}};
    const Reader reader{own, {.name = "reader"}};
    require(writer.write("last words") == Status::ok, "not accepted");
    link.say(static_cast<std::uint64_t>(make(link)));
    link.hear();
  }};
  const auto child = static_cast<pid_t>(parent.hear());
  BOOST_TEST(recover(segment).dead.empty());
  parent.kill();
  BOOST_TEST(::kill(child, 0) == 0);
  // What is spawned lets go of its parent's memory some time behind the parent's going on.
  std::size_t dead = 0;
  BOOST_TEST(eventually([&] { return (dead += recover(segment).dead.size()) == 2; }));
  ::kill(child, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_child_of_a_bare_clone_keeps_no_dead_parent_alive) {
  expect_death_is_seen([](Link&) {
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (pid == 0) {
      for (;;) ::pause();
    }
    return pid;
  });
}

BOOST_AUTO_TEST_CASE(a_child_of_under_fork_keeps_no_dead_parent_alive) {
  expect_death_is_seen([](Link&) {
    const pid_t pid = ::_Fork();
    if (pid == 0) {
      for (;;) ::pause();
    }
    return pid;
  });
}

BOOST_AUTO_TEST_CASE(a_program_that_was_spawned_keeps_no_dead_parent_alive) {
  expect_death_is_seen([](Link&) {
    pid_t pid = 0;
    char program[] = "sleep";
    char seconds[] = "60";
    char* const arguments[] = {program, seconds, nullptr};
    require(::posix_spawnp(&pid, program, nullptr, nullptr, arguments, ::environ) == 0, "cannot spawn");
    return pid;
  });
}

// Between spawn and exec the child has its parent's memory, and the lock with it. It waits there for somebody who opens
// the other end of a FIFO.
BOOST_DATA_TEST_CASE(a_child_on_its_way_to_exec_keeps_no_dead_parent_alive, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  const std::string fifo = "/dev/shm/" + name.str() + ".fifo";
  BOOST_TEST(::mkfifo(fifo.c_str(), 0600) == 0);
  Child parent{[&](Link& link) {
    const Segment own = Segment::open(name);
    const Reader reader{own, {.name = "reader"}};
    std::thread{[&] {
      posix_spawn_file_actions_t actions;
      ::posix_spawn_file_actions_init(&actions);
      ::posix_spawn_file_actions_addopen(&actions, 0, fifo.c_str(), O_RDONLY, 0);
      pid_t pid = 0;
      char program[] = "sleep";
      char seconds[] = "60";
      char* const arguments[] = {program, seconds, nullptr};
      ::posix_spawnp(&pid, program, &actions, nullptr, arguments, ::environ);
    }}.detach();
    link.say(1);
    link.hear();
  }};
  parent.hear();
  pid_t child = 0;
  BOOST_TEST_REQUIRE(eventually([&] { return (child = child_of(parent.pid())) != 0; }));
  {
    Writer filler{segment, {.timeout = 20ms}};
    fill_up(filler);
  }
  parent.kill();
  BOOST_TEST(::kill(child, 0) == 0);
  Writer writer{segment, {.timeout = kPatience}};
  BOOST_TEST(writer.write(kLine) == Status::ok);  // nobody but this writer recovers here
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.journal.size() == 1U);
  BOOST_TEST(now.journal[0].proof == "process-ended");
  BOOST_TEST(now.journal[0].name == "reader");
  ::kill(child, SIGKILL);
  ::unlink(fifo.c_str());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
