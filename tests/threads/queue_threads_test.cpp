// Producers and consumers of queues in threads of one process, which a sanitizer of threads can watch.
#include <atomic>
#include <memory>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "queue/queue_fixture.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kEach = 3000;

// How often each message was done with, by whichever group.
struct Tally {
  explicit Tally(std::size_t messages) : times(std::make_unique<std::atomic<int>[]>(messages)) {}
  std::unique_ptr<std::atomic<int>[]> times;
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> torn{false};
};

void produce(const Queue& queue, std::uint64_t first) {
  Producer producer{queue};
  for (std::uint64_t next = first; next < first + kEach;) {
    ReservedBlocks blocks = producer.reserve_for(std::min<std::uint64_t>(7, first + kEach - next), 20s);
    for (std::size_t i = 0; i < blocks.size(); ++i) fill_with(blocks[i].bytes(), next + i);
    next += blocks.release();
  }
}

// Puts back each 16th one that it sees for the first time; each other time passes on what it got.
void consume(const Queue& queue, std::uint32_t group, std::uint64_t wanted, Tally& tally, Producer* onward) {
  Consumer consumer{queue, {.group = group}};
  while (tally.done < wanted) {
    TakenBlocks taken = consumer.take_for(5, 10ms);
    for (TakenBlock& block : taken) {
      if (!is_whole(block.bytes())) tally.torn = true;
      const std::uint64_t number = number_in(block.bytes());
      if (number % 16 == 0 && block.deliveries() == 1) {
        block.put_back();
        continue;
      }
      ++tally.times[number];
      if (onward != nullptr) {
        if (block.pass_to(*onward) != Status::ok) tally.torn = true;
      } else {
        block.done();
      }
      ++tally.done;
    }
  }
}

void check(const Tally& tally, std::uint64_t messages) {
  BOOST_TEST(!tally.torn);
  std::uint64_t once = 0;
  for (std::uint64_t message = 0; message < messages; ++message) once += tally.times[message] == 1 ? 1 : 0;
  BOOST_TEST(once == messages);
}

BOOST_AUTO_TEST_SUITE(queue_threads)

BOOST_AUTO_TEST_CASE(each_block_goes_to_one_consumer_of_each_group) {
  const QueueFixture fixture{{.slots = 16, .groups = 2, .block_bytes = 64, .blocks = 64}};
  Tally first{2 * kEach};
  Tally second{2 * kEach};
  std::vector<std::thread> threads;
  for (std::uint64_t producer = 0; producer < 2; ++producer) {
    threads.emplace_back([&, producer] { produce(fixture.queue, producer * kEach); });
  }
  threads.emplace_back([&] { consume(fixture.queue, 0, 2 * kEach, first, nullptr); });
  threads.emplace_back([&] { consume(fixture.queue, 1, 2 * kEach, second, nullptr); });
  threads.emplace_back([&] { consume(fixture.queue, 1, 2 * kEach, second, nullptr); });
  for (std::thread& thread : threads) thread.join();
  check(first, 2 * kEach);
  check(second, 2 * kEach);
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

BOOST_AUTO_TEST_CASE(what_is_passed_on_arrives_once) {
  const QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 32}};
  const Queue onward = Queue::create(fixture.segment, "onward", {.pool = "jobs.blocks", .slots = 4});
  Tally here{2 * kEach};
  Tally there{2 * kEach};
  std::vector<std::thread> threads;
  for (std::uint64_t producer = 0; producer < 2; ++producer) {
    threads.emplace_back([&, producer] { produce(fixture.queue, producer * kEach); });
  }
  for (int consumer = 0; consumer < 2; ++consumer) {
    threads.emplace_back([&] {
      Producer to{onward};
      consume(fixture.queue, 0, 2 * kEach, here, &to);
    });
    threads.emplace_back([&] { consume(onward, 0, 2 * kEach, there, nullptr); });
  }
  for (std::thread& thread : threads) thread.join();
  check(here, 2 * kEach);
  check(there, 2 * kEach);
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
