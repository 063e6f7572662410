// Free buffers that users have at hand are everybody's, whatever their owners do.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstring>
#include <memory>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using layout::BufferWord;
using layout::MagazineState;

const PoolOptions kPool{.buffer_bytes = 64, .count = 256};

std::uint32_t depth_of(const Pool& pool, std::uint32_t slot) {
  return MagazineState{pool.core()->slot(slot).state.load()}.depth();
}

// Leaves some at hand.
void come_and_go(PoolUser& user, int how_many) {
  std::vector<Buffer> some;
  for (int i = 0; i < how_many; ++i) some.push_back(user.acquire());
}

// A buffer that nobody else has says 0; whoever has it says so in it.
void mark(const Buffer& buffer, std::uint64_t owner) {
  auto& word = *reinterpret_cast<layout::Word*>(buffer.bytes().data());
  const std::uint64_t before = word.exchange(owner);
  if (before != 0) throw std::runtime_error("somebody else has the buffer");
}
void unmark(const Buffer& buffer, std::uint64_t owner) {
  auto& word = *reinterpret_cast<layout::Word*>(buffer.bytes().data());
  const std::uint64_t before = word.exchange(0);
  if (before != owner) throw std::runtime_error("somebody else had the buffer");
}

BOOST_AUTO_TEST_SUITE(pool_idle)

BOOST_AUTO_TEST_CASE(what_was_freed_is_at_hand) {
  const PoolFixture fixture{kPool};
  PoolUser user{fixture.pool};
  come_and_go(user, 20);
  BOOST_TEST(depth_of(fixture.pool, user.slot()) >= 20U);
  BOOST_TEST(depth_of(fixture.pool, user.slot()) <= 256U / 8U);
  const std::uint64_t before = MagazineState{fixture.pool.core()->slot(user.slot()).state.load()}.acquired();
  come_and_go(user, 5);
  BOOST_TEST(MagazineState{fixture.pool.core()->slot(user.slot()).state.load()}.acquired() == before + 5);
}

BOOST_AUTO_TEST_CASE(an_idle_user_keeps_nothing_from_others) {
  const PoolFixture fixture{kPool};
  PoolUser idle{fixture.pool};
  PoolUser also_idle{fixture.pool};
  PoolUser user{fixture.pool};
  come_and_go(idle, 20);
  come_and_go(also_idle, 20);
  const Buffer own = idle.acquire();
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 255U);
  BOOST_TEST((idle.acquire().status() == Status::exhausted));
  all.pop_back();
  BOOST_TEST(static_cast<bool>(idle.acquire()));
}

// Its magazine names them until it looks up.
BOOST_AUTO_TEST_CASE(what_was_taken_from_an_idle_user_is_at_hand_no_more) {
  const PoolFixture fixture{kPool};
  PoolUser idle{fixture.pool};
  PoolUser user{fixture.pool};
  come_and_go(idle, 20);
  const std::vector<Buffer> all = take_all(user);
  BOOST_TEST(depth_of(fixture.pool, idle.slot()) >= 20U);
  const PoolSnapshot now = inspect(fixture.segment).facilities.back().pool.value();
  BOOST_TEST(now.in_use == 256U);
  BOOST_TEST(now.cached == 0U);
}

// Who takes finds those that still have some behind those that had some.
BOOST_AUTO_TEST_CASE(many_idle_users_keep_nothing_from_each_other) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 16384, .participants = 64});
  const Pool pool = Pool::create(segment, "frames", kPool);
  std::vector<PoolUser> users;
  for (int i = 0; i < 40; ++i) {
    BOOST_TEST_CONTEXT("user " << i) { BOOST_TEST(take_all(users.emplace_back(pool)).size() == 256U); }
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_user_keeps_what_it_uses_and_nothing_else) {
  const PoolFixture fixture{kPool};
  Child idle{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    const Buffer first = own.acquire();
    come_and_go(own, 20);
    const Buffer second = own.acquire();
    std::memcpy(first.bytes().data(), "first", 6);
    std::memcpy(second.bytes().data(), "second", 7);
    link.say(1);
    link.hear();
    if (std::memcmp(first.bytes().data(), "first", 6) != 0) throw std::runtime_error("lost");
    if (std::memcmp(second.bytes().data(), "second", 7) != 0) throw std::runtime_error("lost");
    if (own.acquire().status() != Status::exhausted) throw std::runtime_error("it acquires what others have");
  }};
  BOOST_TEST(idle.hear() == 1U);
  idle.stop();
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 254U);
  for (const Buffer& buffer : all) std::memset(buffer.bytes().data(), 7, 64);
  idle.resume();
  idle.say(1);
  BOOST_TEST(idle.wait() == 0);
  all.clear();
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
}

// One who takes is stopped in the middle of it, or killed; the owner goes on meanwhile, and has what it has.
BOOST_DATA_TEST_CASE(an_owner_goes_on_beside_one_who_takes,
                     data::make({KillPoint::idle_announced, KillPoint::idle_seen, KillPoint::idle_taken}) *
                         data::make({false, true}),
                     point, by_death) {
  const PoolFixture fixture{kPool};
  PoolUser owner{fixture.pool};
  std::vector<Buffer> all = take_all(owner);
  all.resize(all.size() - 20);
  BOOST_TEST_REQUIRE(depth_of(fixture.pool, owner.slot()) == 20U);
  Child taker{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(point, by_death ? kill_self : stop_self);
    std::vector<Buffer> taken = take_all(own);
    for (const Buffer& buffer : taken) mark(buffer, 2);
    link.say(taken.size());
    link.hear();
    for (const Buffer& buffer : taken) unmark(buffer, 2);
  }};
  if (by_death) {
    BOOST_TEST(taker.wait() == -SIGKILL);
  } else {
    BOOST_TEST(taker.wait_until_stopped());
  }
  std::vector<Buffer> owned;
  for (int i = 0; i < 10; ++i) owned.push_back(owner.acquire());
  for (const Buffer& buffer : owned) {
    if (buffer) mark(buffer, 1);
  }
  if (!by_death) {
    taker.resume();
    taker.hear();
    // What the owner has at hand by now was not taken behind its back.
    for (Buffer more = owner.acquire(); more; more = owner.acquire()) {
      mark(more, 1);
      owned.push_back(std::move(more));
    }
  }
  for (const Buffer& buffer : owned) {
    if (buffer) unmark(buffer, 1);
  }
  if (!by_death) {
    taker.say(1);
    BOOST_TEST(taker.wait() == 0);
  }
  owned.clear();
  all.clear();
  recover(fixture.segment);
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
}

// Each buffer is at hand before the next one is taken.
BOOST_AUTO_TEST_CASE(who_is_stopped_while_it_refills_keeps_one_from_others) {
  const PoolFixture fixture{kPool};
  Child refilling{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_found, stop_self, 9);
    own.acquire().release();
  }};
  BOOST_TEST_REQUIRE(refilling.wait_until_stopped());
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 255U);
  for (const Buffer& buffer : all) mark(buffer, 1);
  refilling.resume();
  for (const Buffer& buffer : all) unmark(buffer, 1);
  all.clear();
  BOOST_TEST(refilling.wait() == 0);
  BOOST_TEST(count_acquirable(fixture.pool) == 256U);
}

// Has all buffers but those that others have at hand.
std::vector<Buffer> take_what_is_free(const PoolFixture& fixture, PoolUser& user) {
  std::vector<Buffer> all;
  while (inspect(fixture.segment).facilities.back().pool->free != 0) all.push_back(user.acquire());
  while (depth_of(fixture.pool, user.slot()) != 0) all.push_back(user.acquire());
  return all;
}

// The owner says that it gives back what it has, and is stopped before it does so.
BOOST_AUTO_TEST_CASE(who_is_stopped_while_it_looks_up_keeps_nothing_from_others) {
  const PoolFixture fixture{kPool};
  Child owner{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    come_and_go(own, 10);
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::pool_acknowledged, stop_self);
    own.acquire().release();
  }};
  BOOST_TEST(owner.hear() == 1U);
  PoolUser holder{fixture.pool};
  const std::vector<Buffer> all = take_what_is_free(fixture, holder);
  Child taker{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::idle_announced, stop_self);
    link.say(own.acquire() ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(taker.wait_until_stopped());
  owner.say(1);
  BOOST_TEST_REQUIRE(owner.wait_until_stopped());
  taker.resume();
  BOOST_TEST(taker.hear() == 1U);
  BOOST_TEST(taker.wait() == 0);
  owner.resume();
  BOOST_TEST(owner.wait() == 0);
}

// The one from whom a buffer is taken has it again each time before the taker looks.
BOOST_AUTO_TEST_CASE(who_is_outrun_by_an_owner_tries_again) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 8}};
  PoolUser owner{fixture.pool};
  PoolUser holder{fixture.pool};
  owner.acquire().release();
  const std::vector<Buffer> all = take_what_is_free(fixture, holder);
  BOOST_TEST_REQUIRE(all.size() == 7U);
  PoolUser user{fixture.pool};
  int outrun = 0;
  const std::function<void()> take_and_put_back = [&] {
    owner.acquire().release();
    if (++outrun < 6) kill_point::arm(KillPoint::idle_taken, take_and_put_back);
  };
  kill_point::arm(KillPoint::idle_taken, take_and_put_back);
  const Buffer buffer = user.acquire();
  kill_point::disarm();
  BOOST_TEST(outrun == 6);
  BOOST_TEST(static_cast<bool>(buffer));
}

// One that looks for a buffer stands still behind its look; others let the pool grow to its end meanwhile, and have that at
// hand.
BOOST_AUTO_TEST_CASE(what_the_pool_grew_by_behind_a_look_is_looked_for) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1, .max_count = 2}};
  PoolUser other{fixture.pool};
  const Buffer first = other.acquire();
  Child looking{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::scan_looked, stop_self);
    link.say(own.acquire() ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(looking.wait_until_stopped());
  other.acquire().release();
  BOOST_TEST(fixture.pool.count() == 2U);
  BOOST_TEST(depth_of(fixture.pool, other.slot()) == 1U);
  looking.resume();
  BOOST_TEST(looking.hear() == 1U);
  BOOST_TEST(looking.wait() == 0);
}

// More want buffers than there are, so each takes from all others all the time; now and then one is killed.
BOOST_AUTO_TEST_CASE(nobody_ever_has_what_another_one_has) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 32}};
  const auto work = [&](std::uint64_t number, int rounds) {
    PoolUser own{fixture.open_again()};
    for (int round = 0; round < rounds; ++round) {
      std::vector<Buffer> some;
      for (std::uint64_t i = 0; i < 1 + (number * 7 + static_cast<std::uint64_t>(round)) % 13; ++i) {
        some.push_back(own.acquire());
        if (!some.back()) break;
        mark(some.back(), number);
      }
      for (const Buffer& buffer : some) {
        if (buffer) unmark(buffer, number);
      }
    }
  };
  std::vector<std::unique_ptr<Child>> children;
  for (std::uint64_t number = 1; number <= 4; ++number) {
    children.push_back(std::make_unique<Child>([&work, number](Link&) { work(number, 2000); }));
  }
  for (const auto& child : children) BOOST_TEST(child->wait() == 0);
  BOOST_TEST(count_acquirable(fixture.pool) == 32U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
