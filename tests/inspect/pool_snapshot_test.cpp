// Pools from outside: by name, whoever lives, and whatever stands in the figures.
#include <boost/test/unit_test.hpp>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "pool/pool_core.hpp"
#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

struct Fixture {
  PoolSnapshot look() const { return *inspect(name.str()).facilities.at(1).pool; }

  TestName name;
  Segment segment = Segment::create(name, {.slab_bytes = 4096, .participants = 8});
  Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 4096, .count = 8, .max_count = 16});
};

BOOST_AUTO_TEST_SUITE(pool_snapshot)

BOOST_AUTO_TEST_CASE(a_fresh_pool_has_no_holders_and_no_figures) {
  const Fixture fixture;
  const PoolSnapshot seen = fixture.look();
  BOOST_TEST(seen.holders.empty());
  BOOST_TEST(seen.peak == 0U);
  BOOST_TEST(seen.grown == 0U);
  BOOST_TEST(seen.departed_users == 0U);
  BOOST_TEST(seen.departed.acquired == 0U);
  BOOST_TEST(seen.present.held == 0U);
}

BOOST_AUTO_TEST_CASE(the_dead_are_holders_until_somebody_recovers_them) {
  const Fixture fixture;
  Child victim{[&](Link& link) {
    PoolUser user{Pool::open(Segment::open(fixture.name), "frames"), {.name = "victim"}};
    const Buffer one = user.acquire();
    const Buffer other = user.acquire();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  const PoolSnapshot dead = fixture.look();
  BOOST_TEST_REQUIRE(dead.holders.size() == 1U);
  BOOST_TEST(dead.holders[0].name == "victim");
  BOOST_TEST(dead.holders[0].buffers == 2U);
  BOOST_TEST(dead.holders[0].bytes == 8192U);
  recover(fixture.segment);
  const PoolSnapshot seen = fixture.look();
  BOOST_TEST(seen.holders.empty());
  BOOST_TEST(seen.departed.reclaimed == 2U);
  const JournalRecord record = inspect(fixture.name.str()).facilities.at(1).journal.at(0);
  BOOST_TEST(record.held_count == 2U);
  BOOST_TEST(record.held_bytes == 8192U);
}

BOOST_AUTO_TEST_CASE(a_pool_that_grows_meanwhile_has_those_that_are_seen) {
  const Fixture fixture;
  PoolUser user{fixture.pool};
  std::vector<Buffer> all;
  kill_point::arm(KillPoint::pool_inspecting, [&] {
    for (int i = 0; i < 16; ++i) all.push_back(user.acquire());
  });
  const PoolSnapshot seen = fixture.look();
  BOOST_TEST(all.size() == 16U);
  BOOST_TEST(seen.count == 16U);
  BOOST_TEST(seen.peak == 16U);
}

// The pool's clock goes around within 50 days.
BOOST_AUTO_TEST_CASE(a_block_is_as_old_as_it_is_when_the_clock_has_gone_around) {
  const Fixture fixture;
  const Queue queue = Queue::create(fixture.segment, "jobs", {.pool = "frames"});
  const auto oldest_ms = [&] { return inspect(fixture.name.str()).facilities.at(2).queue->oldest_ms; };
  detail::PoolCore& pool = *fixture.pool.core();
  pool.control().made_ms += pool.now_ms() + 50;  // before it goes around
  Producer producer{queue};
  BOOST_TEST(producer.push(std::as_bytes(std::span{"x"})) == Status::ok);
  BOOST_TEST(eventually([&] { return oldest_ms() >= 200; }));
  BOOST_TEST(oldest_ms() < 60'000U);
}

// A figure that is nonsense is shown as one; nothing else depends on it.
BOOST_AUTO_TEST_CASE(nonsense_in_figures_hurts_nobody) {
  const Fixture fixture;
  PoolUser user{fixture.pool, {.name = "user"}};
  const Buffer held = user.acquire();
  layout::PoolSlot& slot = fixture.pool.core()->slot(user.slot());
  layout::PoolControl& control = fixture.pool.core()->control();
  for (layout::Word* word : {&slot.has, &slot.next_has, &slot.next_state, &slot.elsewhere, &slot.misses, &slot.adopted,
                             &control.out, &control.peak, &control.departed_selector, &control.departed[1].misses,
                             &control.departed[1].last_departed, &control.departed[1].participants}) {
    word->store(~std::uint64_t{0});
  }
  const PoolSnapshot seen = fixture.look();
  BOOST_TEST_REQUIRE(seen.holders.size() == 1U);
  BOOST_TEST(seen.holders[0].buffers == 1U);
  BOOST_TEST(seen.peak <= seen.count);
  BOOST_TEST(seen.departed.hits <= seen.departed.acquired);
  BOOST_TEST(seen.present.hits <= seen.present.acquired);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
