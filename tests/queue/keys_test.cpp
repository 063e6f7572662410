// Blocks of one key are worked on one after the other, in order, whoever the consumers are, and whoever of them dies.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "queue/queue_core.hpp"
#include "queue_fixture.hpp"
#include "support/memory.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using Numbers = std::vector<std::uint64_t>;

QueueOptions with_keys() { return {.slots = 8, .keys = 4, .block_bytes = 64, .blocks = 16}; }

// Numbers from 100 on have key 1, those from 200 on key 2, and so on; those below have none.
std::uint64_t key_of(std::uint64_t number) { return number / 100; }

Status push_keyed(Producer& producer, std::uint64_t number) {
  ReservedBlocks reserved = producer.reserve(1);
  if (!reserved) return reserved.status();
  fill_with(reserved[0].bytes(), number);
  if (key_of(number) != 0) reserved[0].set_key(key_of(number));
  return reserved.release() == 1 ? Status::ok : reserved.status();
}
void push_all(const Queue& queue, const Numbers& numbers) {
  Producer producer{queue};
  for (const std::uint64_t number : numbers) {
    if (push_keyed(producer, number) != Status::ok) throw std::runtime_error("not pushed");
  }
}

Numbers numbers_of(TakenBlocks& taken) {
  Numbers numbers;
  for (TakenBlock& block : taken) numbers.push_back(number_in(block.bytes()));
  return numbers;
}
void finish_all(TakenBlocks& taken) {
  for (TakenBlock& block : taken) block.done();
}

struct KeyFixture : QueueFixture {
  explicit KeyFixture(const QueueOptions& options = with_keys(), Fences fences = Fences::membarrier)
      : QueueFixture(options, fences) {}
  std::uint64_t count_claimed() const {
    const detail::QueueCore& core = *queue.core();
    std::uint64_t claimed = 0;
    for (std::uint32_t group = 0; group < core.geometry().groups; ++group) {
      for (std::uint32_t lane = 0; lane < core.geometry().lanes; ++lane) {
        if (!layout::LaneWord{core.lane(lane, group).load()}.is_free()) ++claimed;
      }
    }
    return claimed;
  }
};

BOOST_AUTO_TEST_SUITE(queue_keys)

BOOST_AUTO_TEST_CASE(a_key_goes_with_its_block) {
  const KeyFixture fixture;
  push_all(fixture.queue, {1, 305});
  Consumer consumer{fixture.queue};
  TakenBlock without = consumer.take();
  TakenBlock with = consumer.take();
  BOOST_TEST(!without.key().has_value());
  BOOST_TEST(with.key().value() == 3U);
  BOOST_TEST(list_blocks(fixture.queue)[1].key.value() == 3U);
  with.done();
  BOOST_TEST(!with.key().has_value());
  // The next message in the same buffer has none.
  without.done();
  push_all(fixture.queue, Numbers(8, 7));
  while (TakenBlock block = consumer.take()) {
    BOOST_TEST(!block.key().has_value());
    block.done();
  }
}

BOOST_AUTO_TEST_CASE(a_key_has_one_consumer_at_a_time) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102, 1, 103, 2});
  Consumer one{fixture.queue}, other{fixture.queue};
  TakenBlocks first = one.take(8);
  BOOST_TEST(numbers_of(first) == (Numbers{101, 1, 2}), boost::test_tools::per_element());
  BOOST_TEST(other.take(8).empty());
  BOOST_TEST(!other.wait_for(0s));
  finish_all(first);
  BOOST_TEST(other.wait_for(0s));
  TakenBlocks second = other.take(8);
  BOOST_TEST(numbers_of(second) == (Numbers{102}), boost::test_tools::per_element());
  BOOST_TEST(one.take(8).empty());
  second[0].put_back();
  TakenBlocks again = one.take(8);
  BOOST_TEST(numbers_of(again) == (Numbers{102}), boost::test_tools::per_element());
  BOOST_TEST(again[0].deliveries() == 2U);
  again[0].done();
  BOOST_TEST(number_in(other.take().bytes()) == 103U);
}

// Many more than the ring has slots, and than the lane could ever be given.
BOOST_AUTO_TEST_CASE(a_busy_key_holds_up_no_other_block) {
  const KeyFixture fixture{{.slots = 4, .keys = 4, .block_bytes = 64, .blocks = 64}};
  Consumer busy{fixture.queue}, other{fixture.queue};
  push_all(fixture.queue, {101});
  TakenBlock hour_long = busy.take();
  std::uint64_t seen = 0;
  for (std::uint64_t round = 0; round < 10; ++round) {
    push_all(fixture.queue, {102 + round, 1, 200 + round});
    while (TakenBlock block = other.take()) {
      BOOST_TEST(key_of(number_in(block.bytes())) != 1U);
      block.done();
      ++seen;
    }
  }
  BOOST_TEST(seen == 20U);
  hour_long.done();
  for (std::uint64_t round = 0; round < 10; ++round) {
    TakenBlock block = other.take();
    BOOST_TEST(number_in(block.bytes()) == 102 + round);
    BOOST_TEST(block.deliveries() == 1U);
    block.done();
  }
}

// What waits for a busy key has left the ring, though who came to it has taken nothing.
BOOST_DATA_TEST_CASE(a_producer_is_told_of_the_room_that_blocks_of_a_busy_key_leave, data::make({false, true}), waits) {
  const KeyFixture fixture{{.slots = 4, .keys = 4, .block_bytes = 64, .blocks = 64}};
  Consumer busy{fixture.queue}, other{fixture.queue};
  Producer producer{fixture.queue, {.timeout = 0ms}};
  const int descriptor = producer.event_fd();
  push_all(fixture.queue, {101});
  const TakenBlock held = busy.take();
  for (std::uint64_t number = 102; push_keyed(producer, number) == Status::ok; ++number) {
  }
  BOOST_TEST(!is_readable(descriptor));
  if (waits) {
    BOOST_TEST(!other.wait_for(0s));
  } else {
    BOOST_TEST(!other.take());
  }
  BOOST_TEST(becomes_readable(descriptor));
}

BOOST_AUTO_TEST_CASE(one_that_was_put_back_for_later_keeps_its_key_waiting) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102, 201});
  Consumer one{fixture.queue}, other{fixture.queue};
  one.take().put_back_after(1h);
  TakenBlocks taken = other.take(8);
  BOOST_TEST(numbers_of(taken) == (Numbers{201}), boost::test_tools::per_element());
  finish_all(taken);
  BOOST_TEST(!other.wait_for(0s));
  push_all(fixture.queue, {301, 302});
  other.take().put_back_after(1s);
  BOOST_TEST(!other.take());
  BOOST_TEST(other.wait_for(kPatience));
  BOOST_TEST(number_in(other.take().bytes()) == 301U);
}

BOOST_AUTO_TEST_CASE(a_dead_letter_lets_its_key_go_on) {
  QueueOptions options = with_keys();
  options.max_deliveries = 1;
  options.dead_letters = "failed";
  const KeyFixture fixture{options};
  push_all(fixture.queue, {101, 102});
  Consumer consumer{fixture.queue};
  consumer.take().put_back();
  BOOST_TEST(number_in(consumer.take().bytes()) == 102U);
  const std::vector<QueueBlock> letters = list_blocks(fixture.open_again("failed"));
  BOOST_TEST_REQUIRE(letters.size() == 2U);
  BOOST_TEST(letters[0].key.value() == 1U);
  BOOST_TEST(fixture.count_claimed() == 0U);
}

BOOST_AUTO_TEST_CASE(each_group_has_keys_of_its_own) {
  QueueOptions options = with_keys();
  options.groups = 2;
  const KeyFixture fixture{options};
  push_all(fixture.queue, {101, 102});
  Consumer first{fixture.queue}, second{fixture.queue, {.group = 1}}, third{fixture.queue, {.group = 1}};
  TakenBlock of_first = first.take();
  TakenBlock of_second = second.take();
  BOOST_TEST(number_in(of_first.bytes()) == 101U);
  BOOST_TEST(number_in(of_second.bytes()) == 101U);
  BOOST_TEST(!third.take());
  of_second.done();
  BOOST_TEST(number_in(third.take().bytes()) == 102U);
}

// What is passed on to a queue that is full has no position of its own.
BOOST_AUTO_TEST_CASE(blocks_of_a_key_that_are_passed_on_come_in_order) {
  const KeyFixture fixture;
  const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 2, .keys = 4});
  push_all(fixture.queue, {201, 101, 301, 401});
  Producer answering{answers};
  push_all(answers, {1, 102});
  Consumer consumer{fixture.queue};
  TakenBlocks taken = consumer.take(8);
  for (const std::size_t which : {1U, 0U, 2U, 3U}) {
    BOOST_TEST(to_string(taken[which].pass_to(answering)) == to_string(Status::ok));
  }
  Consumer reader{answers};
  // 101 came behind 102, which is behind 1.
  std::map<std::uint64_t, Numbers> of_key;
  for (TakenBlock block = reader.take(); block; block = reader.take()) {
    BOOST_TEST(block.key().value_or(0) == key_of(number_in(block.bytes())));
    of_key[key_of(number_in(block.bytes()))].push_back(number_in(block.bytes()));
    block.done();
  }
  BOOST_TEST(of_key[1] == (Numbers{102, 101}), boost::test_tools::per_element());
  BOOST_TEST(of_key.size() == 5U);
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

BOOST_AUTO_TEST_CASE(blocks_beside_a_full_queue_come_in_the_order_in_which_they_were_passed) {
  const KeyFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 16}};
  const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 1, .keys = 2});
  push_all(answers, {1});
  push_all(fixture.queue, {103, 101, 102});
  Producer answering{answers};
  Consumer consumer{fixture.queue};
  TakenBlocks taken = consumer.take(8);
  for (const std::size_t which : {2U, 0U, 1U}) static_cast<void>(taken[which].pass_to(answering));
  Consumer reader{answers};
  TakenBlock without = reader.take();
  BOOST_TEST(number_in(without.bytes()) == 1U);
  push_all(answers, {104});
  Numbers order;
  for (TakenBlock block = reader.take(); block; block = reader.take()) {
    order.push_back(number_in(block.bytes()));
    block.done();
  }
  BOOST_TEST(order == (Numbers{102, 103, 101, 104}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_sleeps_is_woken_when_a_key_is_free) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102});
  Consumer busy{fixture.queue};
  TakenBlock held = busy.take();
  Child sleeper{[&](Link& link) {
    Consumer consumer{fixture.open_again()};
    link.say(consumer.wait_for(0s) ? 1 : 0);
    const bool is_there = consumer.wait_for(20s);
    link.say(is_there ? number_in(consumer.take().bytes()) : 0);
  }};
  BOOST_TEST(sleeper.hear() == 0U);
  layout::Event& filled = fixture.queue.core()->group(0).filled;
  BOOST_TEST(eventually([&] { return filled.is_awaited(); }));
  const std::uint32_t before = filled.wakes();
  held.done();
  BOOST_TEST(filled.wakes() != before);
  BOOST_TEST(sleeper.hear() == 102U);
  BOOST_TEST(sleeper.wait() == 0);
}

// It has claimed a lane, and no block yet, or has none any more: only that lane waits for it.
BOOST_DATA_TEST_CASE(a_stopped_consumer_stops_its_key_alone,
                     data::make({KillPoint::queue_waiting_said, KillPoint::queue_lane_said, KillPoint::queue_parked,
                                 KillPoint::queue_lane_claimed, KillPoint::queue_lane_leaving}),
                     point) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102, 201});
  Consumer first{fixture.queue};
  TakenBlock held = first.take();
  Child victim{[&](Link&) {
    Consumer consumer{fixture.open_again()};
    kill_point::arm(point, stop_self);
    TakenBlocks taken = consumer.take(8);
    finish_all(taken);
  }};
  BOOST_TEST(victim.wait_until_stopped());
  const bool has_201 = point == KillPoint::queue_lane_claimed || point == KillPoint::queue_lane_leaving;
  held.done();
  TakenBlocks taken = first.take(8);
  BOOST_TEST(numbers_of(taken) == (has_201 ? Numbers{102} : Numbers{102, 201}), boost::test_tools::per_element());
  finish_all(taken);
  push_all(fixture.queue, {103, 1});
  taken = first.take(8);
  BOOST_TEST(numbers_of(taken) == (Numbers{103, 1}), boost::test_tools::per_element());
  finish_all(taken);
  BOOST_TEST(recover(fixture.segment).dead.empty());
  victim.resume();
  BOOST_TEST(victim.wait() == 0);
  BOOST_TEST(first.take(8).empty());
  BOOST_TEST(fixture.count_claimed() == 0U);
}

// The key gets free when its next block was passed by, and the one after that stands in the ring.
BOOST_AUTO_TEST_CASE(what_was_passed_by_is_older_than_what_comes_next) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102, 103});
  Consumer first{fixture.queue};
  TakenBlock held = first.take();
  Child victim{[&](Link& link) {
    Consumer consumer{fixture.open_again()};
    kill_point::arm(KillPoint::queue_parked, stop_self);
    TakenBlock next = consumer.take();
    link.say(number_in(next.bytes()));
  }};
  BOOST_TEST(victim.wait_until_stopped());
  held.done();
  victim.resume();
  BOOST_TEST(victim.hear() == 102U);
  BOOST_TEST(victim.wait() == 0);
}

// Somebody found nothing in a lane, while somebody else is about to leave something there; and goes on, or dies. Both stay
// until the end: who leaves says of all lanes what they have.
BOOST_DATA_TEST_CASE(what_comes_while_somebody_finds_nothing_is_found, data::make({false, true}), dies) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102});
  Consumer consumer{fixture.queue};
  TakenBlock held = consumer.take();
  const auto takes_one = [&](KillPoint point) {
    return [&fixture, point](Link& link) {
      Consumer own{fixture.open_again()};
      kill_point::arm(point, stop_self);
      const TakenBlock taken = own.take();
      link.say(taken ? number_in(taken.bytes()) : 0);
      link.hear();
    };
  };
  Child passer{takes_one(KillPoint::queue_lane_said)};
  BOOST_TEST(passer.wait_until_stopped());
  held.done();
  Child finder{takes_one(KillPoint::queue_lane_unsaid)};
  BOOST_TEST(finder.wait_until_stopped());
  passer.resume();
  BOOST_TEST(passer.hear() == 0U);
  if (dies) {
    finder.kill();
    recover(fixture.segment);
    BOOST_TEST(number_in(consumer.take().bytes()) == 102U);
  } else {
    finder.resume();
    BOOST_TEST(finder.hear() == 102U);
  }
}

void live_with_keys(const Queue& jobs, const std::function<void()>& arm) {
  const Queue answers = Queue::open(jobs.segment(), "answers");
  Consumer consumer{jobs, {.name = "victim"}};
  Producer producer{jobs, {.name = "victim"}}, answering{answers, {.name = "victim"}};
  arm();
  TakenBlock first = consumer.take();   // 101
  TakenBlock second = consumer.take();  // 201, past 102
  first.put_back();
  first = consumer.take();
  if (number_in(first.bytes()) != 101) throw std::runtime_error("another one was put back");
  first.done();
  static_cast<void>(second.pass_to(answering));
  if (push_keyed(producer, 203) != Status::ok) throw std::runtime_error("not pushed");
  first = consumer.take();  // 102
  second = consumer.take();
  first.put_back_after(1h);
  TakenBlock third = consumer.take();  // 1, past 103
  third.done();
}

// At every passage through every point: the next consumer gets what is left of each key, in order.
BOOST_AUTO_TEST_CASE(a_consumer_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const KeyFixture fixture;
    const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 2, .keys = 4});
    push_all(fixture.queue, {101, 102, 201, 103, 202, 1});
    const bool died = is_killed_at(nth, fixture, live_with_keys);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(fixture.count_claimed() == 0U);
      const detail::QueueCore& core = *fixture.queue.core();
      for (std::uint32_t block = 0; block < core.geometry().blocks; ++block) core.due(block, 0).store(0);
      for (std::uint32_t lane = 0; lane < core.geometry().lanes; ++lane) core.lane(lane, 0).store(0);
      std::map<std::uint64_t, Numbers> left;
      for (const Queue& queue : {answers, fixture.queue}) {
        for (const std::uint64_t number : drain(queue)) left[key_of(number)].push_back(number);
      }
      for (const auto& [key, numbers] : left) {
        BOOST_TEST(std::is_sorted(numbers.begin(), numbers.end()), "key " << key << " is out of order");
        BOOST_TEST((std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end()));
      }
      // It said of 101 and 1 that it was done with them, if it came so far; of no others.
      BOOST_TEST((left[1] == Numbers{101, 102, 103} || left[1] == Numbers{102, 103}));
      BOOST_TEST((left[2] == Numbers{201, 202} || left[2] == Numbers{201, 202, 203}));
      BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
      BOOST_TEST(inspect(fixture.segment).participants.empty());
    }
    if (!died) {
      BOOST_TEST(nth > 60U);
      return;
    }
  }
}

BOOST_DATA_TEST_CASE(a_recoverer_may_be_killed_anywhere,
                     data::make({KillPoint::queue_taken, KillPoint::queue_waiting_said, KillPoint::queue_lane_unsaid,
                                 KillPoint::queue_lane_leaving, KillPoint::queue_lane_left}),
                     point) {
  for (unsigned nth = 1;; ++nth) {
    const KeyFixture fixture;
    push_all(fixture.queue, {101, 102, 103});
    Child victim{[&](Link&) {
      const Queue own = fixture.open_again();
      Consumer one{own}, other{own};
      TakenBlock first = one.take();
      static_cast<void>(other.take());  // passes 102 and 103 by
      first.put_back();
      kill_point::arm(point, kill_self);
      first = other.take();
      first.put_back();
      for (int round = 0; round < 4; ++round) one.take().done();
      push_all(own, {104});
      kill_self();
    }};
    BOOST_TEST(victim.wait() == -SIGKILL);
    const bool died = is_killed_at(nth, fixture, [](const Queue& queue, const std::function<void()>& arm) {
      arm();
      recover(queue.segment());
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(fixture.segment);
      BOOST_TEST(fixture.count_claimed() == 0U);
      const Numbers left = drain(fixture.queue);
      BOOST_TEST(std::is_sorted(left.begin(), left.end()));
      BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
    }
    if (!died) {
      BOOST_TEST(nth > 2U);
      break;
    }
  }
}

BOOST_AUTO_TEST_CASE(a_dead_letter_that_stays_is_handed_out_again_or_discarded) {
  QueueOptions options = with_keys();
  options.max_deliveries = 2;
  const KeyFixture fixture{options};
  push_all(fixture.queue, {101, 102, 1});
  Consumer consumer{fixture.queue, {.name = "clumsy"}};
  for (int delivery = 0; delivery < 2; ++delivery) {
    TakenBlocks taken = consumer.take(2);
    Numbers seen = numbers_of(taken);
    std::sort(seen.begin(), seen.end());
    BOOST_TEST(seen == (Numbers{1, 101}), boost::test_tools::per_element());
  }
  BOOST_TEST(consumer.take_dead(8).size() == 2U);  // and they are dead letters again
  TakenBlock busy = consumer.take();
  BOOST_TEST(number_in(busy.bytes()) == 102U);
  TakenBlocks letters = consumer.take_dead(8);
  BOOST_TEST(numbers_of(letters) == (Numbers{101, 1}), boost::test_tools::per_element());
  BOOST_TEST(letters[1].done());
  BOOST_TEST(!letters[1].retry());
  BOOST_TEST(letters[0].retry());
  BOOST_TEST(!consumer.take());  // 102 has the key still
  busy.done();
  TakenBlock again = consumer.take();
  BOOST_TEST(number_in(again.bytes()) == 101U);
  BOOST_TEST(again.deliveries() == 1U);
  again.done();
  BOOST_TEST(fixture.count_claimed() == 0U);
}

// 101 is a dead letter, and 102, of the same key, waits.
struct DeadLetterOfKey {
  DeadLetterOfKey() {
    push_all(fixture.queue, {101, 102});
    for (int delivery = 0; delivery < 2; ++delivery) consumer.take().put_back();
  }

  const KeyFixture fixture{[] {
    QueueOptions options = with_keys();
    options.max_deliveries = 2;
    return options;
  }()};
  Consumer consumer{fixture.queue};
};

// It is older than the one that the key waits for.
BOOST_FIXTURE_TEST_CASE(a_dead_letter_that_is_handed_out_again_does_not_wait_for_what_is_put_back_for_later,
                        DeadLetterOfKey) {
  consumer.take().put_back_after(1h);
  BOOST_TEST(!consumer.take());
  BOOST_TEST(consumer.take_dead(1)[0].retry());
  TakenBlock again = consumer.take();
  BOOST_TEST(number_in(again.bytes()) == 101U);
  BOOST_TEST(again.done());
  BOOST_TEST(!consumer.take());
}

// Nor if who hands it out again dies behind the word that says so.
BOOST_FIXTURE_TEST_CASE(nor_does_one_that_somebody_died_of_handing_out_again, DeadLetterOfKey) {
  consumer.take().put_back_after(1h);
  Child victim{[&](Link&) {
    Consumer own{fixture.open_again()};
    TakenBlocks letters = own.take_dead(1);
    kill_point::arm(KillPoint::queue_waits, kill_self);
    letters[0].retry();
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  BOOST_TEST(!consumer.take());
  recover(fixture.segment);
  BOOST_TEST(number_in(consumer.take().bytes()) == 101U);
}

// Nor for who stops when he has put that back, and the key is free until then.
BOOST_FIXTURE_TEST_CASE(nor_does_one_that_came_while_somebody_had_the_key, DeadLetterOfKey) {
  Child victim{[&](Link& link) {
    Consumer own{fixture.open_again()};
    TakenBlock held = own.take();
    link.say(number_in(held.bytes()));
    link.hear();
    kill_point::arm(KillPoint::queue_lane_left, stop_self);
    held.put_back_after(1h);
  }};
  BOOST_TEST(victim.hear() == 102U);
  BOOST_TEST(consumer.take_dead(1)[0].retry());
  BOOST_TEST(!consumer.take());
  victim.say(1);
  BOOST_TEST(victim.wait_until_stopped());
  TakenBlocks again = consumer.take_for(1, 5s);
  BOOST_TEST(numbers_of(again) == (Numbers{101}), boost::test_tools::per_element());
  finish_all(again);
  victim.resume();
  BOOST_TEST(victim.wait() == 0);
  BOOST_TEST(!consumer.take());
}

// Somebody comes to a block of a key that another one has claimed, who finds nothing, and has gone without that block.
BOOST_AUTO_TEST_CASE(who_leaves_a_block_to_one_that_has_gone_gets_it_himself) {
  const KeyFixture fixture;
  push_all(fixture.queue, {101, 102});
  Consumer consumer{fixture.queue};
  {
    TakenBlock first = consumer.take();
    BOOST_TEST(!consumer.take());
    first.done();
  }
  BOOST_TEST(consumer.take().done());  // 102, which waited: the key is worth a look still
  Child looking{[&](Link& link) {
    Consumer own{fixture.open_again()};
    kill_point::arm(KillPoint::queue_lane_leaving, [] {
      stop_self();
      kill_point::arm(KillPoint::queue_lane_left, stop_self);
    });
    link.say(own.take() ? 1 : 0);
  }};
  BOOST_TEST_REQUIRE(looking.wait_until_stopped());
  push_all(fixture.queue, {103});
  kill_point::arm(KillPoint::queue_waiting_said, [&] {
    looking.resume();
    BOOST_TEST(looking.wait_until_stopped());
  });
  const TakenBlock taken = consumer.take();
  BOOST_TEST(number_in(taken.bytes()) == 103U);
  looking.resume();
  BOOST_TEST(looking.hear() == 0U);
  BOOST_TEST(looking.wait() == 0);
}

BOOST_AUTO_TEST_CASE(who_dies_with_a_dead_letter_leaves_a_dead_letter) {
  const KeyFixture fixture{{.slots = 8, .max_deliveries = 1, .block_bytes = 64, .blocks = 16}};
  push_all(fixture.queue, {1});
  {
    Consumer clumsy{fixture.queue, {.name = "clumsy"}};
    clumsy.take().put_back();
  }
  Child victim{[&](Link&) {
    Consumer consumer{fixture.open_again(), {.name = "victim"}};
    if (consumer.take_dead(8).empty()) _exit(1);
    TakenBlocks letters = consumer.take_dead(8);
    kill_self();
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(fixture.segment);
  BOOST_TEST(drain(fixture.queue).empty());
  const std::vector<QueueBlock> letters = list_blocks(fixture.queue);
  BOOST_TEST_REQUIRE(letters.size() == 1U);
  BOOST_TEST(letters[0].state == "dead");
  Consumer consumer{fixture.queue};
  BOOST_TEST(consumer.take_dead(8)[0].done());
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

// --- A crowd

constexpr std::size_t kKeys = 12;
struct CrowdNotes {
  std::atomic<bool> is_over;
  std::atomic<std::uint64_t> done;
  std::array<std::atomic<std::uint64_t>, kKeys> released;  // how many of a key
  std::array<std::atomic<std::uint64_t>, kKeys> finished;  // the newest that was finished, plus one
  std::array<std::atomic<int>, kKeys> working;             // the process that works on one of a key
  std::atomic<std::uint64_t> at_once, out_of_order;
};

// One for each key: the order is the one of its releases.
void produce_of_key(const KeyFixture& fixture, CrowdNotes& notes, std::size_t first) {
  Producer producer{fixture.open_again(), {.timeout = 100ms}};
  while (!notes.is_over) {
    for (std::size_t key = first; key < kKeys; key += 2) {
      ReservedBlocks blocks = producer.reserve_for(1, 100ms);
      if (!blocks) continue;
      fill_with(blocks[0].bytes(), notes.released[key] << 8 | key);
      blocks[0].set_key(key);
      if (blocks.release() == 1) ++notes.released[key];
    }
  }
}

void consume_in_order(const KeyFixture& fixture, CrowdNotes& notes) {
  Consumer consumer{fixture.open_again()};
  std::minstd_rand random{static_cast<unsigned>(::getpid())};
  const int self = ::getpid();
  while (!notes.is_over) {
    TakenBlocks taken = consumer.take_for(3, 20ms);
    for (TakenBlock& block : taken) {
      const std::uint64_t key = *block.key(), number = number_in(block.bytes()) >> 8;
      notes.working[key] = self;
      // Equal: somebody died between his note and done().
      const std::uint64_t before = notes.finished[key].load();
      if (number != before && number + 1 != before) ++notes.out_of_order;
      if (random() % 8 == 0) std::this_thread::yield();
      if (notes.working[key] != self) ++notes.at_once;
      if (random() % 8 == 0) {
        random() % 2 == 0 ? block.put_back() : block.put_back_after(1ms);
        continue;
      }
      notes.finished[key] = number + 1;
      block.done();
      ++notes.done;
    }
  }
}

BOOST_AUTO_TEST_CASE(keys_stay_in_order_while_somebody_is_killed_all_the_time) {
  const KeyFixture fixture{{.slots = 16, .keys = 8, .block_bytes = 64, .blocks = 64}};
  const SharedMemory memory{sizeof(CrowdNotes)};
  CrowdNotes& notes = memory.as<CrowdNotes>();
  std::array<std::unique_ptr<Child>, 6> crowd;
  const auto start = [&](std::size_t which) {
    crowd[which] = std::make_unique<Child>(
        [&, which](Link&) { which < 2 ? produce_of_key(fixture, notes, which) : consume_in_order(fixture, notes); });
  };
  for (std::size_t which = 0; which < crowd.size(); ++which) start(which);
  std::minstd_rand random{static_cast<unsigned>(::getpid())};
  for (int kill = 0; kill < 100; ++kill) {
    const std::uint64_t before = notes.done.load();
    const std::uint64_t more = 20 + random() % 100;
    BOOST_TEST_REQUIRE(eventually([&] { return notes.done.load() >= before + more; }));
    // A producer that dies between its release and its note would release a number twice.
    const std::size_t victim = 2 + random() % (crowd.size() - 2);
    crowd[victim]->kill();
    start(victim);
  }
  notes.is_over = true;
  for (auto& one : crowd) BOOST_TEST(one->wait() == 0);
  recover(fixture.segment);
  BOOST_TEST(notes.out_of_order.load() == 0U);
  BOOST_TEST(notes.at_once.load() == 0U);
  BOOST_TEST(fixture.count_claimed() == 0U);
}

BOOST_AUTO_TEST_CASE(options_of_keys) {
  const KeyFixture fixture{{.slots = 8, .keys = 5, .block_bytes = 64, .blocks = 16}};
  BOOST_TEST(fixture.queue.options().keys == 8U);
  BOOST_TEST(fixture.open_again().differences({.slots = 8, .keys = 8, .block_bytes = 64, .blocks = 16}).empty());
  const auto different = fixture.queue.differences({.slots = 8, .block_bytes = 64, .blocks = 16});
  BOOST_TEST_REQUIRE(different.size() == 1U);
  BOOST_TEST(different[0] == "keys 8, not 0");
  BOOST_CHECK_THROW(Queue::create(fixture.segment, "more", {.keys = 65537}), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
