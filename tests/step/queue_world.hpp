// What surrounds a producer or consumer of a queue: three queues on one pool, some blocks that were released, and perhaps
// a bystander, which was stopped (SIGSTOP) at a named point, and goes on after the victim's death.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"
#include "support/memory.hpp"

namespace sapbuf::test {

inline constexpr std::uint64_t kNumbers = 64;  // of messages; each is released once at the most
inline constexpr std::uint64_t kBystandersNumber = 50;
inline constexpr std::uint64_t kMessageKeys = 3;

// What became of each message, in memory that outlives those who note it, right before or right after the call.
struct QueueNotes {
  using Marks = std::array<std::atomic<bool>, kNumbers>;
  Marks releasing{}, released{}, finishing{}, finished{};
};
class SharedQueueNotes {
 public:
  QueueNotes& operator*() const noexcept { return memory_.as<QueueNotes>(); }

 private:
  SharedMemory memory_{sizeof(QueueNotes)};
};

// A producer and a consumer of one process.
struct QueueHands {
  QueueHands(const std::string& segment, std::string_view name, std::chrono::milliseconds timeout);

  Segment segment;
  Producer jobs;
  Producer answers;
  Consumer consumer;
  std::vector<TakenBlock> held;
};

// Both note what they do.
Status release_number(Producer& producer, QueueNotes& notes, std::uint64_t number);
void finish(TakenBlock& block, QueueNotes& notes);
std::uint64_t number_of(const TakenBlock& block);

struct QueueStopPoint {
  std::string_view name;
  KillPoint kill_point;
};
std::span<const QueueStopPoint> queue_stop_points();

struct QueueSetting {
  std::uint64_t waiting = 0;         // messages in the queue: 1 and so on
  std::uint32_t max_deliveries = 0;  // then a block is a dead letter; 0: never
  std::uint64_t keys = 0;            // as QueueOptions::keys; messages have one of three keys by turns
};

class QueueWorld {
 public:
  explicit QueueWorld(const QueueSetting& setting);

  // Somebody who does everything, and dies, or stops, when it comes to a point. False: it came to its end.
  bool wound(KillPoint kill_point);
  bool admit_bystander(KillPoint kill_point);

  TestName name;
  Segment segment;
  Pool pool;
  Queue jobs;
  Queue answers;
  SharedQueueNotes notes;
  std::unique_ptr<Child> bystander;

 private:
  void live(std::uint64_t first_number);
};

}  // namespace sapbuf::test
