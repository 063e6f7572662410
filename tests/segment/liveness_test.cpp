// A verdict on a process comes from that process: who takes over its slot says nothing of it.
#include <boost/test/unit_test.hpp>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLookIntervalNs = 10'000'000;  // of find_ended()

// A stream that has flipped once behind a reader that did not read: the first one, in another process, holds its old slab.
// Slot 0 is the writer's.
struct Scene {
  Scene()
      : segment(Segment::create(name, {.slab_bytes = 4096, .participants = 3})), writer(segment, {.timeout = 0ms}) {}

  void fill_up() {
    while (writer.write(std::string(200, 'x')) == Status::ok) {
    }
  }
  // Looks for the dead for long enough that each slot was the first one of a search, once everybody has been quiet for a while.
  std::size_t count_dead() const {
    std::size_t dead = 0;
    for (int i = 0; i < 20; ++i) {
      ::usleep(kLookIntervalNs / 1000);
      dead += recover(segment).dead.size();
    }
    return dead;
  }

  TestName name;
  Segment segment;
  Writer writer;
};

BOOST_AUTO_TEST_SUITE(liveness)

BOOST_AUTO_TEST_CASE(who_attaches_where_somebody_has_ended_is_not_taken_for_him) {
  Scene scene;
  Pool::create(scene.segment, "frames", {.buffer_bytes = 64, .count = 4});
  Child before{[&](Link& link) {
    const PoolUser user{Pool::open(Segment::open(scene.name), "frames")};
    link.say(user.slot());
    link.hear();
  }};
  const std::uint64_t slot = before.hear();
  Child lives{[&](Link& link) {
    const Segment own = Segment::open(scene.name);
    Reader reader{own};
    link.say(reader.slot());
    link.hear();
    kill_point::arm(KillPoint::attach_begun, stop_self);
    const Writer second{own};  // a reader would have the stream's lock there
    link.say(second.slot());
    link.say(texts(reader).size());
  }};
  BOOST_TEST(lives.hear() > slot);
  before.say(1);
  BOOST_TEST(before.wait() == 0);
  scene.fill_up();
  lives.say(1);
  BOOST_TEST_REQUIRE(lives.wait_until_stopped());
  BOOST_TEST(scene.count_dead() == 0U);
  lives.resume();
  BOOST_TEST(lives.hear() == slot);
  BOOST_TEST(lives.hear() > 0U);
  BOOST_TEST(lives.wait() == 0);
}

// Between the look at the slot and the look at the process.
BOOST_AUTO_TEST_CASE(the_end_of_who_takes_over_a_slot_is_not_its_last_owners) {
  Scene scene;
  Child lives{[&](Link& link) {
    const Segment own = Segment::open(scene.name);
    std::optional<Reader> first{std::in_place, own};
    Reader reader{own};
    link.say(first->slot());
    link.hear();
    first.reset();
    link.say(1);
    link.hear();
    link.say(texts(reader).size());
  }};
  const std::uint64_t slot = lives.hear();
  Child ends{[&](Link& link) {
    link.hear();
    const Reader successor{Segment::open(scene.name)};
    link.say(successor.slot());
  }};
  scene.fill_up();
  ::usleep(kLookIntervalNs / 1000);
  kill_point::arm(KillPoint::ended_suspected, [&] {
    lives.say(1);
    lives.hear();
    ends.say(1);
    BOOST_TEST(ends.hear() == slot);
    BOOST_TEST(ends.wait() == 0);
  });
  // A search that begins with that slot, early in the interval that says so.
  BOOST_TEST(eventually([] {
    const std::uint64_t now = platform::coarse_monotonic_ns();
    return now / kLookIntervalNs % 3 == 1 && now % kLookIntervalNs < kLookIntervalNs / 2;
  }));
  BOOST_TEST(recover(scene.segment).dead.empty());
  BOOST_TEST(scene.count_dead() == 0U);
  lives.say(1);
  BOOST_TEST(lives.hear() > 0U);
  BOOST_TEST(lives.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
