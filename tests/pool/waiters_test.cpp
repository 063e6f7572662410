// Those who wait for a buffer: the order in which they are served, and what a death leaves.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_core.hpp"
#include "pool_fixture.hpp"
#include "segment/maintenance_lock.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using layout::BufferState;
using layout::BufferWord;
using layout::Request;

constexpr auto kForEver = std::chrono::hours::max();

Request request_of(const Pool& pool, std::uint32_t slot) { return {pool.core()->slot(slot).request.load()}; }

std::size_t count_waiting(const Pool& pool) {
  std::size_t count = 0;
  for (std::uint32_t slot = 0; slot < 8; ++slot) count += request_of(pool, slot).is_waiting() ? 1 : 0;
  return count;
}

// The slot of the only one that waits.
std::uint32_t find_waiting(const Pool& pool) {
  std::uint32_t slot = 0;
  while (slot < 8 && !request_of(pool, slot).is_waiting()) ++slot;
  return slot;
}

BufferWord word_of(const Pool& pool, std::uint32_t buffer) { return {pool.core()->word(buffer).load()}; }

// Waits for a buffer, says `number` when it has one, and keeps it until it is told to let go.
std::unique_ptr<Child> make_waiter(const PoolFixture& fixture, std::uint64_t number, bool stopped = false) {
  const std::size_t before = count_waiting(fixture.pool);
  auto waiter = std::make_unique<Child>([&fixture, number, stopped](Link& link) {
    PoolUser own{fixture.open_again()};
    if (stopped) kill_point::arm(KillPoint::pool_waiting, stop_self);
    const Buffer buffer = own.acquire_for(kForEver);
    if (!buffer) throw std::runtime_error("it got none");
    link.say(number);
    link.hear();
  });
  BOOST_TEST_REQUIRE(eventually([&] { return count_waiting(fixture.pool) == before + 1; }));
  if (stopped) BOOST_TEST(waiter->wait_until_stopped());
  return waiter;
}

// Has the only buffer, and dies or stops at `point` when it lets go of it.
struct Holder : Child {
  Holder(const PoolFixture& fixture, KillPoint point, void (*end)() noexcept)
      : Child([&fixture, point, end](Link& link) {
          PoolUser own{fixture.open_again()};
          Buffer only = own.acquire();
          link.say(1);
          link.hear();
          kill_point::arm(point, end);
          only.release();
        }) {
    BOOST_TEST_REQUIRE(hear() == 1U);
  }
};

BOOST_AUTO_TEST_SUITE(pool_waiters)

// While nobody lets go of anything, it sleeps from one of its own looks to the next.
BOOST_DATA_TEST_CASE(who_waits_in_vain_does_not_wake_himself, data::make({false, true}), has_classes) {
  const PoolFixture fixture{has_classes ? PoolOptions::for_sizes(64, 4096, 4096)
                                        : PoolOptions{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  const std::vector<Buffer> all = take_all(user);
  PoolUser waiter{fixture.pool};
  const layout::Event& served = fixture.pool.core()->slot(waiter.slot()).served;
  const std::uint32_t before = served.wakes();
  BOOST_TEST((waiter.acquire_for(100ms).status() == Status::timeout));
  BOOST_TEST(served.wakes() == before);
}

BOOST_AUTO_TEST_CASE(they_are_served_in_the_order_in_which_they_came) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  Buffer only = user.acquire();
  std::vector<std::unique_ptr<Child>> waiters;
  for (std::uint64_t number = 1; number <= 4; ++number) waiters.push_back(make_waiter(fixture, number, true));
  only.release();
  for (std::uint64_t number = 1; number <= 4; ++number) {
    Child& waiter = *waiters[number - 1];
    waiter.resume();
    BOOST_TEST(waiter.hear() == number);
    BOOST_TEST(count_waiting(fixture.pool) == 4 - number);
    waiter.say(1);
    BOOST_TEST(waiter.wait() == 0);
  }
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

BOOST_AUTO_TEST_CASE(nobody_takes_a_buffer_past_one_who_waits) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  BOOST_TEST(all.size() == 2U);
  const auto waiter = make_waiter(fixture, 1, true);
  all[0].release();
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  all[1].release();  // nobody waits for that one
  BOOST_TEST(static_cast<bool>(user.acquire()));
  waiter->resume();
  BOOST_TEST(waiter->hear() == 1U);
}

// Also of a user that had put its buffers where only itself looks.
BOOST_AUTO_TEST_CASE(what_is_at_hand_goes_to_those_who_wait) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 64}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  std::vector<Buffer> none = take_all(other);
  const auto waiter = make_waiter(fixture, 1);
  all.pop_back();
  BOOST_TEST(waiter->hear() == 1U);
  waiter->say(1);
  BOOST_TEST(waiter->wait() == 0);
  // And then it is as it was.
  static_cast<void>(user.acquire());
  all.clear();
  static_cast<void>(user.acquire());
  BOOST_TEST(fixture.pool.core()->control().waiting.load() == 0U);
  all.push_back(user.acquire());
  all.clear();
  BOOST_TEST(layout::MagazineState{fixture.pool.core()->slot(user.slot()).state.load()}.depth() > 0U);
}

BOOST_AUTO_TEST_CASE(a_wait_that_ends_leaves_nothing_behind) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  Buffer only = user.acquire();
  BOOST_TEST((other.acquire_for(1ms).status() == Status::timeout));
  BOOST_TEST(request_of(fixture.pool, other.slot()).word == 0U);
  only.release();
  only = user.acquire();
  BOOST_TEST(static_cast<bool>(only));
  BOOST_TEST(fixture.pool.core()->control().waiting.load() == 0U);
}

// One who has the pool's lock is stopped: without it nobody is served in order, but somebody is.
BOOST_AUTO_TEST_CASE(a_stopped_server_stops_nobody) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all(user);
  const auto waiter = make_waiter(fixture, 1, true);
  Child stopped{[&](Link&) {
    const Pool own = fixture.open_again();
    const detail::MaintenanceLock lock{*own.core()};
    stop_self();
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  all.clear();
  BOOST_TEST(static_cast<bool>(user.acquire()));
  waiter->resume();
  BOOST_TEST(waiter->hear() == 1U);
}

// One who hands a buffer over is killed between its steps. Those who wait are stopped meanwhile: they would serve
// themselves.
BOOST_DATA_TEST_CASE(who_serves_may_be_killed,
                     data::make({KillPoint::pool_freed, KillPoint::serve_given, KillPoint::serve_handed}), point) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  Holder holder{fixture, point, kill_self};
  const auto first = make_waiter(fixture, 1, true);
  const std::uint32_t first_slot = find_waiting(fixture.pool);
  const auto second = make_waiter(fixture, 2, true);
  holder.say(1);
  BOOST_TEST(holder.wait() == -SIGKILL);
  // The second one finds what the dead one left, and serves the first, who is stopped still.
  second->resume();
  BOOST_TEST_REQUIRE(eventually([&] { return word_of(fixture.pool, 0).state() == BufferState::local; }));
  BOOST_TEST_REQUIRE(word_of(fixture.pool, 0).is_local_of(first_slot));
  first->resume();
  BOOST_TEST(first->hear() == 1U);
  first->say(1);
  BOOST_TEST(second->hear() == 2U);
  second->say(1);
  BOOST_TEST(second->wait() == 0);
  recover(fixture.segment);
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

// The waiter stops where it waits; the holder, once it may let go, where it serves. Then the waiter goes on, and says so; then
// the holder comes to its end, and behind a look the waiter.
template <typename Serving, typename Look>
void let_waiter_go_on_first(Serving& holder, Child& waiter, Look look) {
  BOOST_TEST(waiter.wait_until_stopped());
  holder.say(1);
  BOOST_TEST(holder.wait_until_stopped());
  waiter.resume();
  BOOST_TEST(waiter.hear() == 1U);
  holder.resume();
  BOOST_TEST(holder.wait() == 0);
  look();
  waiter.say(1);
  BOOST_TEST(waiter.wait() == 0);
}
template <typename Serving>
void let_waiter_go_on_first(Serving& holder, Child& waiter) {
  let_waiter_go_on_first(holder, waiter, [] {});
}

// Waits for ever, until it is told to stop where it waits; then stands still there.
Buffer give_up(PoolUser& user, std::atomic<bool>& stop) {
  kill_point::arm(KillPoint::pool_waiting, [&stop] {
    stop.store(true);
    stop_self();
  });
  return user.acquire_for(kForEver);
}

// Or stopped: whoever waits goes on waiting, and has it in the end, or leaves it to his next call.
BOOST_AUTO_TEST_CASE(who_serves_may_be_stopped) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  Holder holder{fixture, KillPoint::serve_given, stop_self};
  Child waiter{[&](Link& link) {
    std::atomic<bool> stop{false};
    PoolUser own{fixture.open_again(), {.stop = &stop}};
    if (give_up(own, stop).status() != Status::stopped) throw std::runtime_error("it was not stopped");
    if (own.acquire().status() != Status::exhausted) throw std::runtime_error("it took what it is to be given");
    link.say(1);
    link.hear();
    stop.store(false);
    if (!own.acquire_for(kForEver)) throw std::runtime_error("it got none");
  }};
  let_waiter_go_on_first(holder, waiter);
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

// And if he waits anew meanwhile, it is what he waits for.
BOOST_AUTO_TEST_CASE(what_one_was_about_to_be_given_comes_to_his_next_wait) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  Holder holder{fixture, KillPoint::serve_given, stop_self};
  Child waiter{[&](Link& link) {
    std::atomic<bool> stop{false};
    PoolUser own{fixture.open_again(), {.stop = &stop}};
    if (give_up(own, stop).status() != Status::stopped) throw std::runtime_error("it was not stopped");
    stop.store(false);
    kill_point::arm(KillPoint::pool_waiting, [&link] {
      link.say(1);
      link.hear();
    });
    if (!own.acquire_for(kPatience)) throw std::runtime_error("it got none");
  }};
  let_waiter_go_on_first(holder, waiter);
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

// He who gave up does nothing more with the pool, or is closed and keeps a buffer.
BOOST_DATA_TEST_CASE(what_one_gave_up_meanwhile_goes_to_others, data::make({false, true}), closes) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  Holder holder{fixture, KillPoint::serve_given, stop_self};
  Child waiter{[&](Link& link) {
    std::atomic<bool> stop{false};
    PoolUser own{fixture.open_again(), {.stop = &stop}};
    const Buffer kept = own.acquire();
    if (give_up(own, stop).status() != Status::stopped) throw std::runtime_error("it was not stopped");
    if (closes) own.close();
    link.say(1);
    link.hear();
  }};
  let_waiter_go_on_first(holder, waiter, [&] {
    PoolUser user{fixture.pool};
    BOOST_TEST(static_cast<bool>(user.acquire_for(kPatience)));
  });
  BOOST_TEST(count_acquirable(fixture.pool) == 2U);
}

// Of what he gave up, who served was freeing it, and was killed: the buffer is his by its word, and his request says so. He
// does not ask over that while somebody else keeps him from the lock.
BOOST_AUTO_TEST_CASE(what_one_gave_up_is_not_lost_if_he_waits_again) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  { PoolUser{fixture.pool}.acquire().release(); }
  PoolUser user{fixture.pool};
  layout::Word& word = fixture.pool.core()->word(0);
  BOOST_TEST_REQUIRE((BufferWord{word.load()}.state() == BufferState::free));
  word.store(BufferWord::make(BufferWord{word.load()}.incarnation(), BufferState::local, user.slot()).word);
  fixture.pool.core()->slot(user.slot()).request.store(Request::left(0).being_freed().word);
  Child locker{[&](Link& link) {
    const Pool own = fixture.open_again();
    const detail::MaintenanceLock lock{*own.core()};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(locker.hear() == 1U);
  kill_point::arm(KillPoint::pool_waiting, [&] { locker.say(1); });
  BOOST_TEST(static_cast<bool>(user.acquire_for(kPatience)));
  BOOST_TEST(locker.wait() == 0);
}

// He looks for himself, and what he was about to be given is taken by another one; who served goes on while he is between
// two looks.
BOOST_AUTO_TEST_CASE(nobody_is_given_what_he_takes_once_he_gave_up) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  Child holder{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    Run both = own.acquire_run(2);
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::serve_given, [] {
      stop_self();
      kill_point::arm(KillPoint::serve_given, stop_self);
    });
    both.release();
  }};
  BOOST_TEST(holder.hear() == 1U);
  Child waiter{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_waiting, [] {
      stop_self();
      kill_point::arm(KillPoint::pool_promised, stop_self);
    });
    const Buffer first = own.acquire_for(kForEver);
    link.say(first ? 1 : 0);
    link.hear();
    link.say(own.acquire().status() == Status::exhausted ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(waiter.wait_until_stopped());
  holder.say(1);
  BOOST_TEST_REQUIRE(holder.wait_until_stopped());
  waiter.resume();
  BOOST_TEST_REQUIRE(waiter.wait_until_stopped());
  PoolUser user{fixture.pool};
  const Buffer others = user.acquire();
  BOOST_TEST_REQUIRE(static_cast<bool>(others));
  holder.resume();
  BOOST_TEST_REQUIRE(eventually([&] { return holder.has_stopped() || holder.has_ended(); }));
  waiter.resume();
  BOOST_TEST(waiter.hear() == 1U);
  holder.resume();
  BOOST_TEST(holder.wait() == 0);
  waiter.say(1);
  BOOST_TEST(waiter.hear() == 1U);
  BOOST_TEST(waiter.wait() == 0);
}

// Stopped before he gives what he found free: that one is taken meanwhile by the very user for whom it was meant.
BOOST_AUTO_TEST_CASE(nobody_is_given_what_he_took_for_himself) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  Child holder{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    Buffer only = own.acquire();
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::serve_found, [] {
      stop_self();
      kill_point::arm(KillPoint::serve_given, kill_self);
    });
    only.release();
  }};
  BOOST_TEST(holder.hear() == 1U);
  Child waiter{[&](Link& link) {
    std::atomic<bool> stop{false};
    PoolUser own{fixture.open_again(), {.stop = &stop}};
    kill_point::arm(KillPoint::pool_waiting, stop_self);
    Buffer buffer = own.acquire_for(kPatience);
    if (!buffer) throw std::runtime_error("it got none");
    kill_point::arm(KillPoint::pool_waiting, [&stop] {
      stop_self();
      stop.store(true);
    });
    if (own.acquire_for(kForEver).status() != Status::stopped) throw std::runtime_error("it got the same one again");
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(waiter.wait_until_stopped());
  holder.say(1);
  BOOST_TEST(holder.wait_until_stopped());
  waiter.resume();
  BOOST_TEST_REQUIRE(eventually([&] { return word_of(fixture.pool, 0).state() == BufferState::local; }));
  BOOST_TEST(waiter.wait_until_stopped());
  holder.resume();
  static_cast<void>(holder.wait());  // it goes on to its end, or is killed with what it gave
  waiter.resume();
  BOOST_TEST(waiter.hear() == 1U);
  waiter.say(1);
  BOOST_TEST(waiter.wait() == 0);
  recover(fixture.segment);
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

BOOST_DATA_TEST_CASE(who_waits_may_be_killed, data::make({false, true}), once_it_was_given) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 1}};
  PoolUser user{fixture.pool};
  Buffer only = user.acquire();
  const auto first = make_waiter(fixture, 1, true);
  const auto second = make_waiter(fixture, 2);
  if (once_it_was_given) only.release();
  first->kill();
  only.release();
  BOOST_TEST(second->hear() == 2U);
  second->say(1);
  BOOST_TEST(second->wait() == 0);
  recover(fixture.segment);
  BOOST_TEST(count_acquirable(fixture.pool) == 1U);
}

// What the dead had, and what nobody holds any more, goes to those who wait without a release.
BOOST_AUTO_TEST_CASE(the_dead_serve_those_who_wait) {
  const PoolFixture fixture{{.buffer_bytes = 64, .count = 2}};
  Child holder{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    std::vector<Buffer> all = take_all(own);
    all[0].share();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1U);
  const auto first = make_waiter(fixture, 1);
  const auto second = make_waiter(fixture, 2);
  holder.kill();
  BOOST_TEST(first->hear() == 1U);
  BOOST_TEST(second->hear() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
