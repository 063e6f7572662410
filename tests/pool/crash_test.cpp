// Users of a pool are killed, at every step: what they had comes back, what others have stays.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using layout::BufferState;
using layout::BufferWord;

constexpr std::uint64_t kCount = 16;

void send(Link& link, const BufferReference& reference) {
  link.say(reference.where);
  link.say(std::uint64_t{reference.index} << 32 | reference.incarnation);
}

template <typename From>
BufferReference hear_reference(From& from) {
  BufferReference reference;
  reference.where = from.hear();
  const std::uint64_t word = from.hear();
  reference.index = static_cast<std::uint32_t>(word >> 32);
  reference.incarnation = static_cast<std::uint32_t>(word);
  return reference;
}

// Does everything that a user does, again and again.
void live(const Pool& pool) {
  PoolUser user{pool};
  PoolUser other{pool};
  for (int round = 0; round < 3; ++round) {
    {
      Buffer at_hand = other.acquire();
      const Buffer given_back = user.acquire();
    }
    std::vector<Buffer> all = take_all(user);
    if (other.acquire_for(1us).status() != Status::timeout) throw std::runtime_error("there was one more");
    for (std::size_t i = 0; i < all.size(); i += 2) {
      Buffer adopted = other.adopt(all[i].share());
      if (!adopted) throw std::runtime_error("not adopted");
      all[i].release();
      if (i % 4 == 0) adopted.release();
    }
  }
}

BOOST_AUTO_TEST_SUITE(pool_crash)

// At every passage through every point.
BOOST_AUTO_TEST_CASE(a_user_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture;
    const bool died = is_killed_at(nth, fixture, live);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(count_acquirable(fixture.pool) == kCount);
      BOOST_TEST(inspect(fixture.segment).participants.empty());
    }
    if (!died) {
      BOOST_TEST(nth > 50U);
      return;
    }
  }
}

BOOST_AUTO_TEST_CASE(what_the_dead_had_is_told) {
  const PoolFixture fixture;
  Child victim{[&](Link& link) {
    PoolUser user{fixture.open_again(), {.name = "victim"}};
    std::vector<Buffer> all;
    for (int i = 0; i < 5; ++i) all.push_back(user.acquire());
    for (int i = 0; i < 2; ++i) all[static_cast<std::size_t>(i)].share();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  const Snapshot before = inspect(fixture.segment);
  BOOST_TEST_REQUIRE(before.participants.size() == 1U);
  BOOST_TEST(before.participants[0].held_generations.size() == 5U);
  BOOST_TEST((before.participants[0].role == Role::user));
  victim.kill();
  BOOST_TEST(find_dead(fixture.segment).released == 5U);
  const RecoveryReport report = recover(fixture.segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].facility == "frames");
  BOOST_TEST(report.dead[0].held_generations.size() == 5U);
  BOOST_TEST(report.dead[0].repairs == 3U);
  BOOST_TEST(report.dead[0].repaired_bytes == 3U * 64U);
  BOOST_TEST(report.released == 5U);
}

// What somebody adopted is his, whatever becomes of whom he had it from.
BOOST_AUTO_TEST_CASE(a_death_takes_nothing_from_others) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  Child victim{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    Buffer buffer = own.acquire();
    std::memcpy(buffer.bytes().data(), "kept", 5);
    send(link, buffer.share());
    link.hear();
  }};
  Buffer adopted = user.adopt(hear_reference(victim));
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  victim.kill();
  BOOST_TEST(recover(fixture.segment).released == 0U);
  BOOST_TEST(count_acquirable(fixture.pool) == kCount - 1);
  BOOST_TEST(std::memcmp(adopted.bytes().data(), "kept", 5) == 0);
  adopted.release();
  BOOST_TEST(count_acquirable(fixture.pool) == kCount);
}

// Whoever needs a buffer does not wait for a watchdog.
BOOST_AUTO_TEST_CASE(who_waits_gets_what_the_dead_had) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  Child victim{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    std::vector<Buffer> all;
    for (std::uint64_t i = 0; i < kCount; ++i) all.push_back(own.acquire());
    for (Buffer& buffer : all) buffer.share();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  victim.kill();
  const Buffer buffer = user.acquire_for(kPatience);
  BOOST_TEST(static_cast<bool>(buffer));
}

// A scan is stopped between its steps while somebody adopts, or is killed there.
BOOST_DATA_TEST_CASE(who_adopts_beside_a_scan_has_the_buffer,
                     data::make({KillPoint::scan_looked, KillPoint::scan_dying, KillPoint::scan_fenced}) *
                         data::make({false, true}),
                     point, by_death) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  std::vector<BufferReference> references;
  for (std::uint64_t i = 0; i < kCount; ++i) references.push_back(user.acquire().share());
  Child scanner{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(point, by_death ? kill_self : stop_self);
    static_cast<void>(own.acquire());
  }};
  if (by_death) {
    BOOST_TEST(scanner.wait() == -SIGKILL);
  } else {
    BOOST_TEST(scanner.wait_until_stopped());
  }
  const BufferState expected = point == KillPoint::scan_looked ? BufferState::shared : BufferState::dying;
  BOOST_TEST((BufferWord{fixture.pool.core()->word(references[3].index).load()}.state() == expected));
  Buffer adopted = user.adopt(references[3]);
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  std::memcpy(adopted.bytes().data(), "mine", 5);
  if (!by_death) {
    scanner.resume();
    BOOST_TEST(scanner.wait() == 0);
  }
  recover(fixture.segment);
  BOOST_TEST(count_acquirable(fixture.pool) == kCount - 1);
  BOOST_TEST(std::memcmp(adopted.bytes().data(), "mine", 5) == 0);
  adopted.release();
  BOOST_TEST(count_acquirable(fixture.pool) == kCount);
}

// One who recovers a pool's dead is killed at each of its own steps.
BOOST_AUTO_TEST_CASE(a_recoverer_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture;
    {
      Child victim{[&](Link&) {
        PoolUser own{fixture.open_again()};
        std::vector<Buffer> all;
        for (int i = 0; i < 6; ++i) all.push_back(own.acquire());
        for (std::size_t i = 0; i < 3; ++i) all[i].share();
        kill_self();
      }};
      victim.wait();
    }
    const bool died = is_killed_at(nth, fixture, recover_segment_of);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(count_acquirable(fixture.pool) == kCount);
      BOOST_TEST_REQUIRE(inspect(fixture.segment).facilities[1].journal.size() == 1U);
    }
    if (!died) {
      BOOST_TEST(nth > 5U);
      return;
    }
  }
}

// Growth that is cut off is made by the next one who needs it.
BOOST_DATA_TEST_CASE(whoever_lets_it_grow_may_die,
                     data::make({KillPoint::growth_allocated, KillPoint::growth_published, KillPoint::pool_grown,
                                 KillPoint::pool_counted}),
                     point) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 4, .max_count = 20}};
  Child victim{[&](Link&) {
    PoolUser own{fixture.open_again()};
    std::vector<Buffer> all;
    for (int i = 0; i < 4; ++i) all.push_back(own.acquire());
    kill_point::arm(point, kill_self);
    static_cast<void>(own.acquire());
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  BOOST_TEST(count_acquirable(fixture.pool) == 20U);
}

// Or be stopped: whoever needs a buffer waits for it no longer than asked, and has one when it goes on.
BOOST_AUTO_TEST_CASE(whoever_lets_it_grow_may_be_stopped) {
  const PoolFixture fixture{{.buffer_bytes = 4096, .count = 1, .max_count = 8}};
  PoolUser user{fixture.pool};
  Child grower{[&](Link&) {
    PoolUser own{fixture.open_again()};
    const Buffer first = own.acquire();
    kill_point::arm(KillPoint::growth_allocated, stop_self);
    const Buffer second = own.acquire();
  }};
  BOOST_TEST(grower.wait_until_stopped());
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  BOOST_TEST((user.acquire_for(5ms).status() == Status::timeout));
  grower.resume();
  BOOST_TEST(static_cast<bool>(user.acquire_for(kPatience)));
  BOOST_TEST(grower.wait() == 0);
  BOOST_TEST(count_acquirable(fixture.pool) == 8U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
