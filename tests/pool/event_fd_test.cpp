// Descriptors of a pool's users.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "pool/pool_core.hpp"
#include "pool/pool_fixture.hpp"
#include "segment/maintenance_lock.hpp"
#include "support/readable.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

struct Kind {
  const char* name;
  PoolOptions options;
  std::size_t count;  // of the smallest buffers
};
std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

const PoolOptions kUniform{.buffer_bytes = 64, .count = 16};
const PoolOptions kOfSizes{.min_bytes = 64, .max_bytes = 1024, .count = 128};
const auto both_kinds = boost::unit_test::data::make({Kind{"uniform", kUniform, 16}, Kind{"of sizes", kOfSizes, 128}});

// Has all buffers, and releases them one by one as it is told to: 0 ends it.
Child have_all(const PoolFixture& fixture) {
  return Child{[&](Link& link) {
    PoolUser other{fixture.open_again()};
    std::vector<Buffer> all = take_all(other);
    link.say(all.size());
    while (link.hear() != 0) {
      all.pop_back();
      link.say(all.size());
    }
  }};
}

layout::Request request_of(const Pool& pool, std::uint32_t slot) { return {pool.core()->slot(slot).request.load()}; }

BOOST_AUTO_TEST_SUITE(pool_event_fd)

BOOST_DATA_TEST_CASE(it_is_readable_when_there_may_be_a_buffer, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  BOOST_TEST(is_readable(descriptor));
  Child having = have_all(fixture);
  BOOST_TEST(having.hear() == kind.count);
  std::vector<Buffer> own;
  for (int round = 0; round < 10; ++round) {
    BOOST_TEST((user.acquire().status() == Status::exhausted));
    BOOST_TEST((user.acquire().status() == Status::exhausted));
    BOOST_TEST(!is_readable(descriptor));
    having.say(1);
    BOOST_TEST(becomes_readable(descriptor));
    own.push_back(user.acquire());
    BOOST_TEST(!!own.back());
    having.hear();
  }
  having.say(0);
  BOOST_TEST(having.wait() == 0);
  own.clear();
  user.close();
  BOOST_TEST(eventually([&] { return count_acquirable(fixture.pool) == kind.count; }));
}

BOOST_DATA_TEST_CASE(what_the_dead_had_makes_it_readable, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  Child victim = have_all(fixture);
  BOOST_TEST(victim.hear() == kind.count);
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  victim.kill();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!!user.acquire());
}

BOOST_DATA_TEST_CASE(what_the_pool_grows_by_makes_it_readable, both_kinds, kind) {
  PoolOptions options = kind.options;
  options.max_count = 2 * options.count;
  options.grow = Grow::nobody;
  PoolFixture fixture{options};
  Child having = have_all(fixture);
  BOOST_TEST(having.hear() == kind.count);
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  BOOST_TEST(!is_readable(descriptor));
  fixture.pool.grow_to(options.max_count);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!!user.acquire());
}

// Nobody tells of it: the descriptor makes its user look.
BOOST_DATA_TEST_CASE(what_streams_keep_for_want_of_need_makes_it_readable, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  PoolUser other{fixture.pool};
  std::vector<Buffer> all = take_all(other);
  all.resize(all.size() - 4);  // there is not so much room in the stream
  const std::vector<Buffer> kept = std::move(all);
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  std::size_t attached = 0;
  while (Buffer buffer = user.acquire()) {
    auto slot = writer.reserve(8, 1);
    BOOST_TEST_REQUIRE((slot.attach(std::move(buffer)) == Status::ok));
    slot.commit();
    ++attached;
  }
  BOOST_TEST(attached == 4U);
  std::size_t seen = 0;
  while (seen < attached) {
    for (const Frame& frame : reader.pin()) {
      for ([[maybe_unused]] const BufferReference& reference : frame.attachments()) ++seen;
    }
  }
  BOOST_TEST(eventually([&] { return becomes_readable(descriptor) && !!user.acquire(); }));
}

BOOST_DATA_TEST_CASE(one_that_comes_to_nothing_is_given_back, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  PoolUser other{fixture.pool};
  {
    std::vector<Buffer> all = take_all(other);
    PoolUser user{fixture.pool};
    const int descriptor = user.event_fd();
    BOOST_TEST((user.acquire().status() == Status::exhausted));
    all.clear();
    BOOST_TEST(becomes_readable(descriptor));
  }  // its user goes, with what it was given
  other.close();
  BOOST_TEST(count_acquirable(fixture.pool) == kind.count);
}

// Its buffers may be kept for longer than its user, who waits for no more of them.
BOOST_DATA_TEST_CASE(a_user_that_is_closed_waits_no_more, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  PoolUser other{fixture.pool};
  PoolUser user{fixture.pool};
  static_cast<void>(user.event_fd());
  const Buffer kept = user.acquire();
  std::vector<Buffer> all = take_all(other);
  BOOST_TEST(all.size() == kind.count - 1);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  user.close();
  all.clear();
  other.close();
  BOOST_TEST(count_acquirable(fixture.pool) == kind.count - 1);
}

// What it was given already is the next one's.
BOOST_AUTO_TEST_CASE(a_user_that_is_closed_lets_go_of_what_it_was_given) {
  PoolFixture fixture{kUniform};
  PoolUser other{fixture.pool};
  PoolUser user{fixture.pool};
  static_cast<void>(user.event_fd());
  const Buffer kept = user.acquire();
  std::vector<Buffer> all = take_all(other);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  all.clear();
  user.close();
  other.close();
  BOOST_TEST(count_acquirable(fixture.pool) == 15U);
}

// Nor does a user that has others at hand keep it for good: it has that first.
BOOST_AUTO_TEST_CASE(what_a_user_was_given_comes_before_what_it_has_at_hand) {
  PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  static_cast<void>(user.event_fd());
  PoolUser other{fixture.pool};
  Buffer own = user.acquire();
  other.acquire().release();
  BOOST_TEST_REQUIRE((user.acquire().status() == Status::ok));
  Buffer others = other.acquire();
  BOOST_TEST_REQUIRE(static_cast<bool>(others));
  BOOST_TEST_REQUIRE((user.acquire().status() == Status::exhausted));
  others.release();
  BOOST_TEST_REQUIRE(request_of(fixture.pool, user.slot()).is_given());
  own.release();
  user.acquire().release();
  const Buffer first = other.acquire();
  const Buffer second = other.acquire();
  BOOST_TEST(static_cast<bool>(first));
  BOOST_TEST(static_cast<bool>(second));
}

// Nor one that it cannot have, for it has as many as it may by now.
BOOST_AUTO_TEST_CASE(what_is_beyond_its_budget_a_user_leaves_to_others) {
  PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool, {.budget = 1}};
  static_cast<void>(user.event_fd());
  PoolUser other{fixture.pool};
  Buffer kept = other.acquire();
  Buffer others = other.acquire();
  BOOST_TEST_REQUIRE((user.acquire().status() == Status::exhausted));
  const BufferReference reference = kept.share();
  const Buffer adopted = user.adopt(reference);
  BOOST_TEST_REQUIRE(static_cast<bool>(adopted));
  others.release();
  BOOST_TEST_REQUIRE(request_of(fixture.pool, user.slot()).is_given());
  BOOST_TEST((user.acquire().status() == Status::over_budget));
  BOOST_TEST(static_cast<bool>(other.acquire()));
}

// Its request goes while it looks, and those that came behind it do not pass it by.
BOOST_AUTO_TEST_CASE(who_looks_again_keeps_its_place) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser holder{fixture.pool};
  Buffer only = holder.acquire();
  PoolUser user{fixture.pool};
  user.event_fd();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  Child behind_it{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_waiting, stop_self);
    if (!own.acquire_for(kPatience)) throw std::runtime_error("it was not served");
  }};
  BOOST_TEST(behind_it.wait_until_stopped());
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  only.release();
  BOOST_TEST(request_of(fixture.pool, user.slot()).is_given());
  BOOST_TEST(!!user.acquire());
  behind_it.resume();
  BOOST_TEST(behind_it.wait() == 0);
}

// What it asked for is taken back by an attempt that waits, or that is for a run: behind that it asks again.
BOOST_AUTO_TEST_CASE(it_tells_also_behind_a_wait_that_ended_and_a_run) {
  PoolFixture fixture{kUniform};
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  PoolUser other{fixture.pool};
  std::vector<Buffer> all = take_all(other);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  BOOST_TEST((user.acquire_for(std::chrono::milliseconds{1}).status() == Status::timeout));
  BOOST_TEST(!is_readable(descriptor));
  BOOST_TEST(request_of(fixture.pool, user.slot()).is_waiting());
  BOOST_TEST((user.acquire_run(2).status() == Status::exhausted));
  BOOST_TEST(request_of(fixture.pool, user.slot()).is_waiting());
  all.pop_back();
  BOOST_TEST(becomes_readable(descriptor));
  Buffer own = user.acquire_for(kPatience);
  BOOST_TEST(static_cast<bool>(own));
  BOOST_TEST(is_readable(descriptor));  // for the next one
}

BOOST_AUTO_TEST_CASE(it_is_told_until_a_large_one_is_there) {
  PoolFixture fixture{kOfSizes};
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  Child having = have_all(fixture);
  std::uint64_t left = having.hear();
  Buffer large = user.acquire(1024);
  for (; left != 0; left = having.hear()) {
    if (large) break;
    having.say(1);
    BOOST_TEST(becomes_readable(descriptor));
    large = user.acquire(1024);
  }
  BOOST_TEST(!!large);
  having.kill();
}

BOOST_AUTO_TEST_CASE(who_takes_his_time_keeps_nobody_from_a_buffer) {
  PoolFixture fixture{kOfSizes};
  Child having = have_all(fixture);
  having.hear();
  PoolUser slow{fixture.pool};
  const int descriptor = slow.event_fd();
  BOOST_TEST((slow.acquire().status() == Status::exhausted));
  PoolUser waiting{fixture.pool};
  having.say(1);
  BOOST_TEST(!!waiting.acquire_for(kPatience));
  BOOST_TEST(becomes_readable(descriptor));
  // Told, it asks for nothing any more: nobody goes the long way because of it.
  BOOST_TEST(eventually([&] { return inspect(fixture.segment).facilities.back().pool->waiting == 0; }));
  having.kill();
}

BOOST_AUTO_TEST_CASE(what_comes_while_it_asks_is_told) {
  PoolFixture fixture{kOfSizes};
  Child having = have_all(fixture);
  std::uint64_t left = having.hear();
  PoolUser listening{fixture.pool};  // so that who releases looks for those who listen
  static_cast<void>(listening.event_fd());
  BOOST_TEST((listening.acquire().status() == Status::exhausted));
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  kill_point::arm(KillPoint::pool_asked, [&] {
    having.say(1);
    left = having.hear();
  });
  BOOST_TEST((user.acquire(1024).status() == Status::exhausted));
  BOOST_TEST(left == 127U);
  BOOST_TEST(becomes_readable(descriptor));
  having.kill();
}

BOOST_DATA_TEST_CASE(one_that_is_stopped_with_the_pools_lock_keeps_nobody_from_being_told, both_kinds, kind) {
  PoolFixture fixture{kind.options};
  Child having = have_all(fixture);
  BOOST_TEST(having.hear() == kind.count);
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  Child holder{[&](Link& link) {
    const Pool own = fixture.open_again();
    const detail::MaintenanceLock lock{*own.core()};
    link.say(lock ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1U);
  holder.stop();
  having.say(1);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!!user.acquire());
  holder.kill();
  having.kill();
}

// The waker dies, or stops, before it has struck out what it tells of.
BOOST_DATA_TEST_CASE(a_waker_that_goes_no_further_has_told, boost::unit_test::data::make({SIGKILL, SIGSTOP}), signal) {
  PoolFixture fixture{kOfSizes};
  Child waker{[&](Link& link) {
    PoolUser other{fixture.open_again()};
    std::vector<Buffer> all = take_all(other);
    kill_point::arm(KillPoint::pool_told, [&] { std::raise(signal); });
    link.say(all.size());
    link.hear();
    all.clear();
  }};
  BOOST_TEST(waker.hear() == 128U);
  PoolUser user{fixture.pool};
  const int descriptor = user.event_fd();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  waker.say(1);
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!!user.acquire());
  waker.kill();
}

BOOST_AUTO_TEST_CASE(one_that_is_killed_leaves_nobody_the_long_way) {
  PoolFixture fixture{kOfSizes};
  PoolUser other{fixture.pool};
  std::vector<Buffer> all = take_all(other);
  Child victim{[&](Link& link) {
    PoolUser user{fixture.open_again()};
    static_cast<void>(user.event_fd());
    link.say(user.acquire().status() == Status::exhausted);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  recover(fixture.segment);
  BOOST_TEST(inspect(fixture.segment).facilities.back().pool->waiting == 0U);
  all.clear();
  all = take_all(other);
  BOOST_TEST(all.size() == 128U);
  // What it has at hand says that it looks after nobody.
  all.clear();
  BOOST_TEST(!!other.acquire());
  BOOST_TEST(inspect(fixture.segment).facilities.back().pool->cached > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
