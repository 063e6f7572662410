// How processes and threads come to their end, or go on as something else, without detaching.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <thread>

#include "environment/surroundings.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order, OnFull on_full = OnFull::block) {
  return {.slab_bytes = 8192, .order = order, .on_full = on_full, .participants = 8};
}

// Waits until the dead of a segment are recovered; there is one.
DeadParticipant the_dead_of(const Segment& segment) {
  RecoveryReport report;
  BOOST_TEST_REQUIRE(eventually([&] { return !(report = recover(segment)).dead.empty(); }));
  BOOST_TEST(report.dead.size() == 1U);
  return report.dead[0];
}

BOOST_AUTO_TEST_SUITE(threads_that_end)

// A handle belongs to its process, not to the thread that made it: leaked, it stays attached as long as the process.
BOOST_DATA_TEST_CASE(what_a_thread_leaks_stays_attached_until_the_process_ends, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child leaker{[&](Link& link) {
    std::thread{[&] {
      auto* const leaked = new Writer{Segment::open(name), {.name = "leaked"}};
      require(leaked->write("committed") == Status::ok, "not accepted");
      static_cast<void>(new Reservation{leaked->reserve(5)});
    }}.join();
    link.say(1);
    link.hear();
  }};
  leaker.hear();
  BOOST_TEST(recover(segment).dead.empty());
  const ParticipantSnapshot it = inspect(segment, {.hung_after = 1ms}).participants[0];
  BOOST_TEST(it.in_operation);
  BOOST_TEST(it.state != Liveness::dead);
  leaker.kill();
  BOOST_TEST(the_dead_of(segment).name == "leaked");
  BOOST_TEST(inspect(segment).departed.committed == 1U);
  BOOST_TEST(inspect(segment).departed.abandoned == 1U);
}

BOOST_DATA_TEST_CASE(another_thread_may_go_on_with_a_handle_whose_maker_has_ended, data::make(kOrders), order) {
  const HeapSegment segment{small(order)};
  std::optional<Writer> writer;
  std::thread{[&] {
    writer.emplace(segment);
    BOOST_TEST(writer->write("first") == Status::ok);
  }}.join();
  std::thread{[&] {
    BOOST_TEST(writer->write("second") == Status::ok);
    writer.reset();
  }}.join();
  BOOST_TEST(inspect(segment).participants.empty());
  BOOST_TEST(inspect(segment).departed.committed == 2U);
}

// The process then is a zombie with live threads.
BOOST_DATA_TEST_CASE(a_process_lives_on_when_its_first_thread_has_ended, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child child{[&](Link& link) {
    std::thread{[&, link] {
      Writer writer{Segment::open(name), {.name = "survivor"}};
      link.say(1);
      link.hear();
      link.say(writer.write("still here") == Status::ok ? 1 : 0);
      link.hear();
    }}.detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }};
  child.hear();
  BOOST_TEST(recover(segment).dead.empty());
  child.say(1);
  BOOST_TEST(child.hear() == 1U);
  BOOST_TEST(recover(segment).dead.empty());
  child.kill();
  BOOST_TEST(the_dead_of(segment).name == "survivor");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(without_detaching)

BOOST_DATA_TEST_CASE(exit_in_the_middle_of_a_reservation_is_a_death, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child child{[&](Link&) {
    Writer writer{Segment::open(name), {.name = "quitter"}};
    require(writer.write("committed") == Status::ok, "not accepted");
    const Reservation open = writer.reserve(100);
    ::_exit(0);
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(the_dead_of(segment).name == "quitter");
  BOOST_TEST(inspect(segment).departed.committed == 1U);
  BOOST_TEST(inspect(segment).departed.abandoned == 1U);
  Reader reader{segment};
  BOOST_TEST(texts(reader).size() == 1U);
}

// The pid lives on, but nobody is left who could write or read: exec closed the liveness locks.
BOOST_DATA_TEST_CASE(exec_is_a_death_although_the_pid_lives, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child child{[&](Link& link) {
    Writer writer{Segment::open(name), {.name = "changeling"}};
    const Reader reader{Segment::open(name), {.name = "reader"}};
    require(writer.write("committed") == Status::ok, "not accepted");
    const Reservation open = writer.reserve(100);
    link.say(1);
    link.hear();
    ::execlp("sleep", "sleep", "60", nullptr);
  }};
  child.hear();
  BOOST_TEST(recover(segment).dead.empty());
  child.say(1);
  std::vector<DeadParticipant> dead;
  BOOST_TEST(eventually([&] {
    for (DeadParticipant& one : recover(segment).dead) dead.push_back(std::move(one));
    return dead.size() == 2;
  }));
  BOOST_TEST(child.running());
  BOOST_TEST(dead[0].pid == child.pid());
  BOOST_TEST(inspect(segment).participants.empty());
  BOOST_TEST(inspect(segment).departed.abandoned == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fork_anywhere)

// Forks, as a signal handler or another thread could; the child goes on with what the parent was doing, and ends.
void fork_here(std::vector<pid_t>& children) {
  const pid_t pid = ::fork();
  if (pid != 0) {
    children.push_back(pid);
    return;
  }
  kill_point::disarm();
  ::alarm(20);  // a child that hangs is killed, and the parent finds out
}

// What the child of a fork comes to, if it goes on writing with the handle that it inherited.
[[noreturn]] void end_as_child(Writer& writer) {
  const Status status = writer.write("from the child");
  writer.close();
  ::_exit(status == Status::forked ? 0 : 1);
}

// Writes through `writer`, with a fork at the n-th kill point. Returns whether there was such a point.
bool write_with_fork(Writer& writer, std::uint32_t messages, unsigned nth, std::vector<pid_t>& children) {
  const pid_t parent = ::getpid();
  kill_point::arm(
      KillPoint::any, [&] { fork_here(children); }, nth);
  for (std::uint32_t number = 0; number < messages; ++number) {
    Reservation reservation = writer.reserve(size_of({1, number}, 900));
    if (reservation) fill(reservation.bytes(), {1, number});
    reservation.commit();
    if (::getpid() != parent) {
      { const Reservation gone = std::move(reservation); }
      end_as_child(writer);
    }
    BOOST_TEST_REQUIRE(reservation.status() == Status::ok);
  }
  kill_point::disarm();
  return !children.empty();
}

BOOST_DATA_TEST_CASE(a_fork_in_the_middle_of_a_call_changes_nothing_for_the_parent_and_ends_in_the_child,
                     data::make(kOrders) * data::make({OnFull::block, OnFull::overwrite}), order, on_full) {
  constexpr std::uint32_t kMessages = 60;  // some flips
  unsigned points = 0;
  for (unsigned nth = 1;; ++nth) {
    const TestName name;
    SegmentOptions options = small(order, on_full);
    options.slabs = 6;
    const Segment segment = Segment::create(name, options);
    Reader reader{segment};
    std::vector<pid_t> children;
    bool forked = false;
    {
      Writer writer{segment, {.timeout = 0ms}};
      forked = write_with_fork(writer, kMessages, nth, children);
    }
    BOOST_TEST_CONTEXT("fork at kill point " << nth) {
      for (const pid_t child : children) {
        int status = -1;
        BOOST_TEST(::waitpid(child, &status, 0) == child);
        BOOST_TEST(status == 0);
      }
      Log log;
      log.read(reader);
      BOOST_TEST(log.is_complete(1, kMessages));
      BOOST_TEST(recover(segment).dead.empty());
      BOOST_TEST(inspect(segment).departed.committed == kMessages);
    }
    if (!forked) break;
    ++points;
  }
  BOOST_TEST_MESSAGE("forked at " << points << " places");
  BOOST_TEST(points > 20U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
