// Descriptors of producers and consumers.
#include <boost/test/unit_test.hpp>

#include "queue/queue_fixture.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(queue_event_fd)

BOOST_AUTO_TEST_CASE(a_consumers_is_readable_until_a_look_finds_nothing) {
  QueueFixture fixture;
  Consumer consumer{fixture.queue};
  const int descriptor = consumer.event_fd();
  BOOST_TEST(!is_readable(descriptor));
  Child producing{[&](Link& link) {
    Producer producer{fixture.open_again()};
    for (std::uint64_t number = 0; link.hear() != 0; ++number) static_cast<void>(push_number(producer, number));
  }};
  for (std::uint64_t round = 0; round < 100; ++round) {
    producing.say(1);
    BOOST_TEST_REQUIRE(becomes_readable(descriptor));
    TakenBlock block = consumer.take();
    BOOST_TEST(number_in(block.bytes()) == round);
    block.done();
    BOOST_TEST(consumer.take(4).empty());
    BOOST_TEST(!is_readable(descriptor));
  }
  producing.say(0);
  BOOST_TEST(producing.wait() == 0);
}

// One consumer has the only block, and another one found nothing.
struct HeldByAnother : QueueFixture {
  HeldByAnother() {
    BOOST_TEST(holder.hear() == 7U);
    descriptor = consumer.event_fd();
    BOOST_TEST(!is_readable(descriptor));
  }

  Consumer consumer{queue};
  int descriptor = -1;
  Child holder{[this](Link& link) {
    push_numbers(open_again(), 7, 1);
    Consumer own{open_again()};
    const TakenBlock block = own.take();
    link.say(number_in(block.bytes()));
    link.hear();
  }};
};

BOOST_FIXTURE_TEST_CASE(what_a_dead_consumer_had_makes_it_readable, HeldByAnother) {
  holder.kill();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(consumer.take().deliveries() == 2U);
}

// Also if whoever took it back got no further than to free the dead one's slot, which leads nobody here any more.
BOOST_FIXTURE_TEST_CASE(what_somebody_took_back_and_died_makes_it_readable, HeldByAnother) {
  Child recoverer{[this](Link& link) {
    const Segment own = Segment::open(name);
    link.say(1);
    link.hear();
    kill_point::arm(KillPoint::recover_freed, kill_self);
    while (recover(own).dead.empty()) {
    }
  }};
  BOOST_TEST(recoverer.hear() == 1U);
  recoverer.say(1);
  holder.kill();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(consumer.take().deliveries() == 2U);
}

BOOST_AUTO_TEST_CASE(what_was_put_back_for_later_makes_it_readable_when_it_is_due) {
  QueueFixture fixture;
  push_numbers(fixture.queue, 7, 1);
  Consumer consumer{fixture.queue};
  const int descriptor = consumer.event_fd();
  BOOST_TEST(is_readable(descriptor));
  consumer.take().put_back_after(1s);
  BOOST_TEST(!consumer.take());
  BOOST_TEST(!is_readable(descriptor));
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST(!!consumer.take());
}

BOOST_AUTO_TEST_CASE(a_producers_is_readable_when_there_may_be_room) {
  QueueFixture fixture;
  Producer producer{fixture.queue, {.timeout = 0ms}};
  const int descriptor = producer.event_fd();
  Consumer consumer{fixture.queue};
  for (int round = 0; round < 20; ++round) {
    while (push_number(producer, 1) == Status::ok) {
    }
    BOOST_TEST(!is_readable(descriptor));
    consumer.take().done();
    BOOST_TEST(becomes_readable(descriptor));
    BOOST_TEST((push_number(producer, 1) == Status::ok));
  }
}

BOOST_AUTO_TEST_CASE(and_a_buffer) {
  QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 2}};
  Producer producer{fixture.queue, {.timeout = 0ms}};
  const int descriptor = producer.event_fd();
  PoolUser other{fixture.pool()};
  std::vector<Buffer> all;
  while (Buffer buffer = other.acquire()) all.push_back(std::move(buffer));
  BOOST_TEST((push_number(producer, 1) == Status::exhausted));
  BOOST_TEST(!is_readable(descriptor));
  all.pop_back();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST((push_number(producer, 1) == Status::ok));
}

BOOST_AUTO_TEST_CASE(and_a_buffer_of_what_is_done_with) {
  QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 2}};
  Producer producer{fixture.queue, {.timeout = 0ms}};
  const int descriptor = producer.event_fd();
  Consumer consumer{fixture.queue};
  // Where others have shared buffers, it looks by itself, too, some milliseconds later.
  BOOST_TEST(eventually([&] { return push_number(producer, 1) == Status::exhausted && !is_readable(descriptor); }));
  while (TakenBlock block = consumer.take()) block.done();
  BOOST_TEST(becomes_readable(descriptor));
  BOOST_TEST((push_number(producer, 1) == Status::ok));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
