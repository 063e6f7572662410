// Participants of several users, where the segment's mode admits them.
#include <signal.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "environment/surroundings.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions shared(Order order) { return {.slab_bytes = 8192, .order = order, .participants = 8, .mode = 0666}; }

BOOST_AUTO_TEST_SUITE(users)

BOOST_DATA_TEST_CASE(the_dead_of_another_user_are_recovered_and_the_living_are_not, data::make(kOrders), order) {
  if (!may_change_user()) return;
  const TestName name;
  const Segment segment = Segment::create(name, shared(order));
  Child holder{[&](Link& link) {
    become_nobody();
    const Reader reader{Segment::open(name), {.name = "nobody"}};
    link.say(1);
    link.hear();
  }};
  holder.hear();
  Writer writer{segment, {.timeout = 20ms}};
  fill_up(writer);
  BOOST_TEST(recover(segment).dead.empty());
  holder.kill();
  BOOST_TEST(recover(segment).dead.size() == 1U);
  BOOST_TEST(writer.write(kLine) == Status::ok);
}

// Whoever may open the segment may take back what root's dead held, although it could never signal root's living.
BOOST_DATA_TEST_CASE(an_unprivileged_participant_goes_on_after_roots_death, data::make(kOrders), order) {
  if (!may_change_user()) return;
  const TestName name;
  const Segment segment = Segment::create(name, shared(order));
  Child dead = holder_of(name, "dead");
  dead.hear();
  Child writer{[&](Link& link) {
    become_nobody();
    Writer own{Segment::open(name), {.timeout = 20ms}};
    require(fill_up(own) != 0, "nothing fits");
    require(recover(Segment::open(name)).dead.empty(), "the living were recovered");
    link.say(1);
    link.hear();
    require(own.write(kLine) == Status::ok, "still no room");
  }};
  writer.hear();
  dead.kill();
  writer.say(1);
  BOOST_TEST(writer.wait() == 0);
  BOOST_TEST(inspect(segment).journal.size() == 1U);
}

// A group shares a stream with 0660; its members need nothing else in common.
BOOST_AUTO_TEST_CASE(a_group_shares_a_stream) {
  if (!may_change_user()) return;
  const TestName name;
  Child owner{[&](Link&) {
    require(::setgid(kNobody) == 0, "cannot change the group");
    SegmentOptions options = shared(Order::per_writer);
    options.mode = 0660;
    static_cast<void>(Segment::create(name, options));
  }};
  BOOST_TEST(owner.wait() == 0);
  Child member{[&](Link&) {
    require(::setgid(kNobody) == 0 && ::setuid(kNobody - 1) == 0, "cannot change the user");
    Writer writer{Segment::open(name)};
    require(writer.write("from a member") == Status::ok, "not accepted");
  }};
  BOOST_TEST(member.wait() == 0);
  Child stranger{[&](Link&) {
    require(::setgid(kNobody - 1) == 0 && ::setuid(kNobody - 1) == 0, "cannot change the user");
    require(error_of([&] { static_cast<void>(Segment::open(name)); }) == Errc::permission_denied, "a stranger got in");
  }};
  BOOST_TEST(stranger.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
