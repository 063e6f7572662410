// A segment with a queue for one test, and what the tests of queues do again and again.
#pragma once

#include <csignal>
#include <cstring>
#include <functional>
#include <string>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

struct QueueFixture {
  explicit QueueFixture(const QueueOptions& options = {.slots = 8, .block_bytes = 64, .blocks = 16},
                        Fences fences = Fences::membarrier)
      : segment(Segment::create(name, {.participants = 16, .fences = fences, .main_stream = false})),
        queue(Queue::create(segment, "jobs", options)) {}

  // In another process.
  Queue open_again(std::string_view which = "jobs") const { return Queue::open(Segment::open(name), which); }
  Pool pool() const { return Pool::open(segment, "jobs.blocks"); }

  TestName name;
  Segment segment;
  Queue queue;
};

// A message that says its number all over.
inline void fill_with(std::span<std::byte> bytes, std::uint64_t number) {
  for (std::size_t at = 0; at + sizeof number <= bytes.size(); at += sizeof number) {
    std::memcpy(bytes.data() + at, &number, sizeof number);
  }
}
inline std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = ~std::uint64_t{0};
  if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}
inline bool is_whole(std::span<const std::byte> bytes) {
  const std::uint64_t number = number_in(bytes);
  for (std::size_t at = 0; at + sizeof number <= bytes.size(); at += sizeof number) {
    if (std::memcmp(bytes.data() + at, &number, sizeof number) != 0) return false;
  }
  return !bytes.empty();
}

inline Status push_number(Producer& producer, std::uint64_t number) {
  ReservedBlocks reserved = producer.reserve(1);
  if (!reserved) return reserved.status();
  fill_with(reserved[0].bytes(), number);
  return reserved.release() == 1 ? Status::ok : reserved.status();
}
inline void push_numbers(const Queue& queue, std::uint64_t first, std::uint64_t count) {
  Producer producer{queue};
  for (std::uint64_t number = first; number < first + count; ++number) {
    if (push_number(producer, number) != Status::ok) throw std::runtime_error("not pushed");
  }
}
// All that can be taken now; they are done with.
inline std::vector<std::uint64_t> drain(const Queue& queue, std::uint32_t group = 0) {
  Consumer consumer{queue, {.group = group}};
  std::vector<std::uint64_t> numbers;
  while (TakenBlock block = consumer.take()) {
    if (!is_whole(block.bytes())) throw std::runtime_error("a block is torn");
    numbers.push_back(number_in(block.bytes()));
    block.done();
  }
  return numbers;
}

// Another process does `act` with the queue, and is killed at the `nth` kill point that it comes to from when `act`
// calls arm(). False: it came to its end before.
inline bool is_killed_at(unsigned nth, const QueueFixture& fixture,
                         const std::function<void(const Queue&, const std::function<void()>& arm)>& act) {
  Child victim{[&](Link&) {
    const Queue own = fixture.open_again();
    act(own, [nth] { kill_point::arm(KillPoint::any, kill_self, nth); });
    kill_point::disarm();
  }};
  return victim.wait() == -SIGKILL;
}

// Buffers that one user can have: all of the pool's but for those that are kept.
inline std::size_t count_free_blocks(const Pool& pool) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
  return all.size();
}

}  // namespace sapbuf::test
