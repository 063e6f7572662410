// Participants in other pid and time namespaces: containers that share /dev/shm.
#include <sched.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "environment/surroundings.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

const SegmentOptions kSmall{.slab_bytes = 8192, .participants = 8};

SegmentOptions small(Order order) {
  SegmentOptions options = kSmall;
  options.order = order;
  return options;
}

BOOST_AUTO_TEST_SUITE(pid_namespaces)

// A reader that holds everything, as process 1 of a namespace of its own.
Child holder_in_own_namespace(const std::string& name) {
  return Child{[name](Link& link) {
    unshare(CLONE_NEWPID);
    go_on_in_child();
    const Reader reader{Segment::open(name), {.name = "elsewhere"}};
    link.say(static_cast<std::uint64_t>(::getpid()));
    link.hear();
  }};
}

BOOST_DATA_TEST_CASE(a_live_holder_in_another_namespace_keeps_what_it_holds_and_a_dead_one_does_not,
                     data::make(kOrders), order) {
  if (!may_unshare(CLONE_NEWPID)) return;
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child holder = holder_in_own_namespace(name);
  BOOST_TEST(holder.hear() == 1U);  // the pid that it has there is somebody else's here
  Writer writer{segment, {.timeout = 20ms}};
  fill_up(writer);
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST(inspect(segment).participants[0].state == Liveness::alive);
  BOOST_TEST(writer.write(kLine) == Status::timeout);
  holder.kill();
  RecoveryReport report;
  BOOST_TEST(eventually([&] { return !(report = recover(segment)).dead.empty(); }));
  BOOST_TEST(report.dead[0].name == "elsewhere");
  BOOST_TEST(report.dead[0].pid == 1);
  BOOST_TEST(report.released >= 1U);
  BOOST_TEST(writer.write(kLine) == Status::ok);
}

// The other way round: whoever lives in the inner namespace cannot see the others' processes at all.
BOOST_AUTO_TEST_CASE(recovery_from_within_a_namespace_tells_the_living_from_the_dead) {
  if (!may_unshare(CLONE_NEWPID)) return;
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Child alive = holder_of(name, "alive");
  Child dead = holder_of(name, "dead");
  alive.hear();
  dead.hear();
  dead.kill();
  Child inner{[&](Link&) {
    unshare(CLONE_NEWPID);
    go_on_in_child();
    const RecoveryReport report = recover(Segment::open(name));
    require(report.dead.size() == 1 && report.dead[0].name == "dead", "not the dead one alone was recovered");
  }};
  BOOST_TEST(inner.wait() == 0);
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.participants.size() == 1U);
  BOOST_TEST(now.participants[0].name == "alive");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(time_namespaces)

// How far a clock can be set back: not before the machine's start.
long shift_of(bool ahead) { return ahead ? 100'000 : -uptime_seconds() / 2; }
const auto kShifts = data::make({true, false});

BOOST_DATA_TEST_CASE(nobody_is_called_hung_by_a_clock_that_cannot_be_compared, kShifts, ahead) {
  if (!may_unshare(CLONE_NEWTIME)) return;
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Child holder{[&](Link& link) {
    unshare(CLONE_NEWTIME);
    set_monotonic_offset(shift_of(ahead));
    go_on_in_child();
    const Reader reader{Segment::open(name), {.name = "elsewhen"}};
    link.say(1);
    link.hear();
  }};
  holder.hear();
  Writer writer{segment, {.timeout = 20ms}};
  fill_up(writer);
  const auto it = [&] { return inspect(segment, {.hung_after = 1ms}).participants[0]; };
  BOOST_TEST(it().name == "elsewhen");
  BOOST_TEST(!it().held_generations.empty());
  BOOST_TEST(it().state == Liveness::alive);
  BOOST_TEST(it().heartbeat_age_ms == 0U);
  holder.kill();
  RecoveryReport report;
  BOOST_TEST(eventually([&] { return !(report = recover(segment)).dead.empty(); }));
  BOOST_TEST(report.dead[0].heartbeat_age_ms == 0U);
  BOOST_TEST(inspect(segment).journal[0].heartbeat_age_ms == 0U);
}

// A watchdog that is itself in a namespace must not suspect those outside.
BOOST_DATA_TEST_CASE(nobody_is_called_hung_from_within_a_time_namespace, kShifts, ahead) {
  if (!may_unshare(CLONE_NEWTIME)) return;
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Reader reader{segment, {.name = "outside"}};
  Writer writer{segment, {.timeout = 20ms}};
  fill_up(writer);
  Child onlooker{[&](Link&) {
    unshare(CLONE_NEWTIME);
    set_monotonic_offset(shift_of(ahead));
    go_on_in_child();
    for (const ParticipantSnapshot& participant : inspect(name, {.hung_after = 1ms}).participants) {
      require(participant.state == Liveness::alive, participant.name + " is called hung");
    }
  }};
  BOOST_TEST(onlooker.wait() == 0);
}

// Deadlines are each process's own: waits end when they should, and wakes reach across.
BOOST_DATA_TEST_CASE(waits_and_wakes_work_between_time_namespaces, kShifts* data::make(kOrders), ahead, order) {
  if (!may_unshare(CLONE_NEWTIME)) return;
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  constexpr std::uint32_t kMessages = 2000;
  Child consumer{[&](Link& link) {
    unshare(CLONE_NEWTIME);
    set_monotonic_offset(shift_of(ahead));
    go_on_in_child();
    Reader reader{Segment::open(name)};
    require(!reader.wait_for(5ms), "something is there");
    link.say(1);
    Log log;
    require(log.read_until(reader, kMessages), "not all came");
    require(log.is_complete(1, kMessages), "not as they were written");
    Writer writer{Segment::open(name), {.timeout = 5ms}};
    reader.close();
    const Reader holder{Segment::open(name)};
    fill_up(writer);
  }};
  consumer.hear();
  Writer writer{segment};
  put_all(writer, 0, kMessages, 200);
  BOOST_TEST(consumer.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
