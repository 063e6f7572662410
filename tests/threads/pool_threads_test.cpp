// Pools, many threads at once: a buffer is one user's at a time, what is shared stays, and none is lost.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstring>
#include <latch>
#include <mutex>
#include <random>
#include <thread>

#include "pool/pool_fixture.hpp"
#include "support/every_stream.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr std::uint64_t kRounds = kSlow ? 10'000 : 100'000;  // of each thread
constexpr std::uint64_t kFewRounds = kSlow ? 200 : 2'000;    // where each may wait
constexpr std::uint64_t kMessages = kFewRounds;              // of each writer
constexpr std::uint64_t kThreads = 3;

struct SharedPool {
  SharedPool(const PoolOptions& options, Fences fences, Order order = Order::per_writer)
      : segment(Segment::create(name, {.slab_bytes = 16384, .order = order, .participants = 16, .fences = fences})),
        pool(Pool::create(segment, "frames", options)) {}

  TestName name;
  Segment segment;
  Pool pool;
};

// In the first and the last word: whoever writes there meanwhile is found out.
void mark(std::span<std::byte> bytes, std::uint64_t mark) {
  std::memcpy(bytes.data(), &mark, sizeof mark);
  std::memcpy(bytes.data() + bytes.size() - sizeof mark, &mark, sizeof mark);
}
std::uint64_t mark_in(std::span<const std::byte> bytes) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::memcpy(&first, bytes.data(), sizeof first);
  std::memcpy(&last, bytes.data() + bytes.size() - sizeof last, sizeof last);
  return first == last ? first : ~std::uint64_t{0};
}
bool is_marked(std::span<const std::byte> bytes, std::uint64_t mark) { return mark_in(bytes) == mark; }

void run_all(const std::function<void(std::uint64_t who)>& act) {
  std::latch all{kThreads};
  std::vector<std::thread> threads;
  for (std::uint64_t who = 0; who < kThreads; ++who) {
    threads.emplace_back([&, who] {
      all.arrive_and_wait();
      act(who);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Boost.Test's macros are for one thread: the others count what is wrong.
struct Tally {
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> done{0};
};

std::uint64_t number_of(std::uint64_t who, std::uint64_t round) { return (who + 1) << 32 | round; }

// A buffer that is marked with a number.
struct Had {
  Buffer buffer;
  std::uint64_t number = 0;
};
void let_go(Had had, Tally& tally) {
  if (had.buffer && !is_marked(had.buffer.bytes(), had.number)) ++tally.wrong;
}

// Somebody else's place for a thing, which threads give each other.
template <typename Thing>
class Exchange {
 public:
  static constexpr std::size_t kPlaces = 4;

  // What was there before.
  Thing put(std::size_t place, Thing thing) {
    const std::lock_guard guard{mutex_};
    return std::exchange(places_[place % kPlaces], std::move(thing));
  }
  Thing look(std::size_t place) {
    const std::lock_guard guard{mutex_};
    return places_[place % kPlaces];
  }

 private:
  std::mutex mutex_;
  std::array<Thing, kPlaces> places_{};
};

void expect_all_accounted_for(const Pool& pool, const Tally& tally, std::size_t count) {
  BOOST_TEST(tally.wrong == 0U);
  BOOST_TEST(tally.done != 0U);
  BOOST_TEST(broken_pool_invariant(pool) == "");
  BOOST_TEST(count_acquirable(pool) == count);
}

BOOST_AUTO_TEST_SUITE(pool_threads)

// An idle user has all buffers at hand at first: the others have to take them from it.
BOOST_DATA_TEST_CASE(a_buffer_is_one_threads_at_a_time, kEveryFence, fences) {
  const SharedPool fixture{{.buffer_bytes = 64, .count = 16}, fences};
  PoolUser idle{fixture.pool};
  take_all(idle).clear();
  Exchange<Had> others;
  Tally tally;
  run_all([&](std::uint64_t who) {
    PoolUser user{fixture.pool};
    std::vector<Had> own;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      Had had{user.acquire(), number_of(who, round)};
      if (!had.buffer) {
        if (had.buffer.status() != Status::exhausted) ++tally.wrong;
      } else {
        ++tally.done;
        mark(had.buffer.bytes(), had.number);
        own.push_back(std::move(had));
      }
      if (round % 5 == 0 && !own.empty()) {
        let_go(others.put(round, std::move(own.back())), tally);  // another thread's, mostly
        own.pop_back();
      }
      if (own.size() < 4) continue;
      for (Had& each : own) let_go(std::move(each), tally);
      own.clear();
    }
    for (Had& each : own) let_go(std::move(each), tally);
    for (std::size_t place = 0; place < others.kPlaces; ++place) let_go(others.put(place, {}), tally);
  });
  idle.close();
  expect_all_accounted_for(fixture.pool, tally, 16);
}

// As long as one that was adopted is kept, it says what it said; a reference whose buffer was freed adopts nothing.
BOOST_DATA_TEST_CASE(what_was_adopted_stays_while_others_scan, kEveryFence, fences) {
  const SharedPool fixture{{.buffer_bytes = 64, .count = 16}, fences};
  struct Said {
    BufferReference reference;
    std::uint64_t number = 0;
  };
  Exchange<Said> said;
  Tally tally;
  run_all([&](std::uint64_t who) {
    PoolUser user{fixture.pool};
    std::array<Buffer, 3> shared;
    Buffer adopted;
    std::uint64_t expected = 0;
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      if (adopted && !is_marked(adopted.bytes(), expected)) ++tally.wrong;
      const Said found = said.look(round + who);
      if (found.number != 0) {
        adopted = user.adopt(found.reference);
        expected = found.number;
        if (adopted) ++tally.done;
        if (!adopted && adopted.status() != Status::stale) ++tally.wrong;
      }
      Buffer fresh = user.acquire();
      if (!fresh) continue;
      const std::uint64_t number = number_of(who, round);
      mark(fresh.bytes(), number);
      said.put(round, {fresh.share(), number});
      shared[round % shared.size()] = std::move(fresh);
    }
  });
  expect_all_accounted_for(fixture.pool, tally, 16);
}

BOOST_DATA_TEST_CASE(who_waits_is_served, kEveryFence* data::make({false, true}), fences, has_classes) {
  const PoolOptions one_size{.buffer_bytes = 4096, .count = 2};
  const SharedPool fixture{has_classes ? PoolOptions::for_sizes(64, 4096, 2 * 4096) : one_size, fences};
  Tally tally;
  run_all([&](std::uint64_t who) {
    PoolUser user{fixture.pool};
    for (std::uint64_t round = 0; round < kFewRounds; ++round) {
      const Buffer buffer = user.acquire_for(4096, kPatience);
      if (!buffer) {
        ++tally.wrong;
        continue;
      }
      ++tally.done;
      mark(buffer.bytes(), number_of(who, round));
      std::this_thread::yield();
      if (!is_marked(buffer.bytes(), number_of(who, round))) ++tally.wrong;
    }
  });
  BOOST_TEST(tally.done == kThreads * kFewRounds);
  BOOST_TEST(tally.wrong == 0U);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  PoolUser user{fixture.pool};
  const Buffer first = user.acquire(4096);
  const Buffer second = user.acquire(4096);
  BOOST_TEST((first && second));
}

BOOST_DATA_TEST_CASE(runs_and_single_buffers_are_apart, kEveryFence, fences) {
  const SharedPool fixture{{.buffer_bytes = 64, .count = 256}, fences};
  Tally tally;
  run_all([&](std::uint64_t who) {
    PoolUser user{fixture.pool};
    std::array<Buffer, 20> singles;
    for (std::uint64_t round = 0; round < kFewRounds; ++round) {
      const std::uint64_t number = number_of(who, round);
      Run run = user.acquire_run(static_cast<std::uint32_t>(1 + (round * 7 + who) % 90));
      if (!run && run.status() != Status::exhausted) ++tally.wrong;
      for (const std::span<std::byte> part : run.parts()) mark(part, number);
      Buffer& single = singles[round % singles.size()];
      single = user.acquire();
      if (single) mark(single.bytes(), ~number);
      for (const std::span<std::byte> part : run.parts()) {
        if (!is_marked(part, number)) ++tally.wrong;
      }
      if (single && !is_marked(single.bytes(), ~number)) ++tally.wrong;
      if (run) ++tally.done;
    }
  });
  expect_all_accounted_for(fixture.pool, tally, 256);
}

BOOST_DATA_TEST_CASE(buffers_of_all_sizes_are_apart, kEveryFence, fences) {
  const SharedPool fixture{PoolOptions::for_sizes(16, 8192, 65536), fences};
  Tally tally;
  run_all([&](std::uint64_t who) {
    PoolUser user{fixture.pool};
    std::minstd_rand dice{static_cast<unsigned>(who + 1)};
    std::array<Buffer, 12> own;
    std::array<std::uint64_t, 12> numbers{};
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::size_t place = dice() % own.size();
      if (own[place] && !is_marked(own[place].bytes(), numbers[place])) ++tally.wrong;
      const std::uint64_t bytes = 8u << (dice() % 11);
      own[place] = user.acquire(bytes);
      if (!own[place]) {
        if (own[place].status() != Status::exhausted) ++tally.wrong;
        continue;
      }
      ++tally.done;
      numbers[place] = number_of(who, round);
      mark(own[place].bytes(), numbers[place]);
    }
  });
  expect_all_accounted_for(fixture.pool, tally, 4096);  // of the smallest size
}

// All have come before the first one begins, so that no reader misses a message, nor takes one writer's end for everybody's.
void send(const SharedPool& shared, std::latch& all, std::uint64_t who, Tally& tally) {
  Writer writer{shared.segment};
  PoolUser user{shared.pool};
  all.arrive_and_wait();
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    const std::uint64_t number = number_of(who, i);
    Buffer buffer = user.acquire_for(kPatience);
    Reservation slot = writer.reserve(sizeof number);
    if (!buffer || !slot) {
      ++tally.wrong;
      break;
    }
    mark(buffer.bytes(), number);
    std::memcpy(slot.bytes().data(), &number, sizeof number);
    if (!slot.attach(std::move(buffer))) ++tally.wrong;
    slot.commit();
  }
  if (writer.finish() != Status::ok) ++tally.wrong;
}

// Keeps each buffer until the next one comes, beyond its message.
void receive(const SharedPool& shared, std::latch& all, Tally& tally) {
  Reader reader{shared.segment};
  PoolUser user{shared.pool};
  all.arrive_and_wait();
  Buffer kept;
  std::uint64_t expected = 0;
  while (!reader.is_finished()) {
    reader.wait_for(10ms);
    for (const Frame& frame : reader.pin()) {
      for (const BufferReference& reference : frame.attachments()) {
        if (kept && !is_marked(kept.bytes(), expected)) ++tally.wrong;
        std::memcpy(&expected, frame.bytes().data(), sizeof expected);
        kept = user.adopt(reference);
        if (!kept || !is_marked(kept.bytes(), expected)) ++tally.wrong;
        ++tally.done;
      }
    }
  }
}

BOOST_DATA_TEST_CASE(what_is_attached_comes_with_its_message, kEveryPath, order, fences) {
  const SharedPool fixture{{.buffer_bytes = 64, .count = 8}, fences, order};
  Tally tally;
  std::latch all{4};
  std::vector<std::thread> threads;
  for (std::uint64_t who = 0; who < 2; ++who) {
    threads.emplace_back([&, who] { send(fixture, all, who, tally); });
    threads.emplace_back([&] { receive(fixture, all, tally); });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(tally.done == 2 * 2 * kMessages);
  expect_all_accounted_for(fixture.pool, tally, 8);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
