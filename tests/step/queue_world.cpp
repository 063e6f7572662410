#include "step/queue_world.hpp"

#include <cstring>
#include <stdexcept>

#include "step/bystander.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kBlocks = 16;
constexpr std::uint64_t kSlots = 4;
constexpr std::uint64_t kWoundedsNumber = 40;

void fill_with(std::span<std::byte> bytes, std::uint64_t number) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof number) std::memcpy(&bytes[at], &number, sizeof number);
}

}  // namespace

std::uint64_t number_of(const TakenBlock& block) {
  std::uint64_t number = 0;
  const std::span<const std::byte> bytes = block.bytes();
  for (std::size_t at = 0; at + sizeof number <= bytes.size(); at += sizeof number) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes[at], sizeof word);
    if (at != 0 && word != number) throw std::runtime_error("a block is torn");
    number = word;
  }
  if (number == 0 || number >= kNumbers) throw std::runtime_error("a block is nobody's message");
  return number;
}

Status release_number(Producer& producer, QueueNotes& notes, std::uint64_t number) {
  ReservedBlocks blocks = producer.reserve(1);
  if (!blocks) return blocks.status();
  fill_with(blocks[0].bytes(), number);
  blocks[0].set_key(number % kMessageKeys);
  notes.releasing[number] = true;
  if (blocks.release() == 1) {
    notes.released[number] = true;
  } else {
    notes.releasing[number] = false;
  }
  return blocks.status();
}

void finish(TakenBlock& block, QueueNotes& notes) {
  const std::uint64_t number = number_of(block);
  notes.finishing[number] = true;
  if (block.done()) notes.finished[number] = true;
}

QueueHands::QueueHands(const std::string& of, std::string_view who, std::chrono::milliseconds timeout)
    : segment(Segment::open(of)),
      jobs(Queue::open(segment, "jobs"), {.name = std::string(who), .timeout = timeout}),
      answers(Queue::open(segment, "answers"), {.name = std::string(who), .timeout = timeout}),
      consumer(Queue::open(segment, "jobs"), {.name = std::string(who)}) {}

QueueWorld::QueueWorld(const QueueSetting& setting)
    : segment(Segment::create(name, {.participants = 32, .main_stream = false})),
      pool(Pool::create(segment, "blocks", {.buffer_bytes = 64, .count = kBlocks})),
      jobs(Queue::create(segment, "jobs",
                         {.pool = "blocks",
                          .slots = kSlots,
                          .max_deliveries = setting.max_deliveries,
                          .dead_letters = setting.max_deliveries == 0 ? "" : "failed",
                          .keys = setting.keys})),
      answers(Queue::create(segment, "answers", {.pool = "blocks", .slots = 2})) {
  Producer producer{jobs, {.name = "neighbour"}};
  for (std::uint64_t number = 1; number <= setting.waiting; ++number) {
    if (release_number(producer, *notes, number) != Status::ok) throw std::runtime_error("a message is not released");
  }
}

// Releases, takes, puts back, passes on and is done with messages of its own; those of others it puts back.
void QueueWorld::live(std::uint64_t first_number) {
  QueueHands hands{name, "bystander", kPatience};
  for (std::uint64_t number = first_number; number < first_number + 3; ++number) {
    if (release_number(hands.jobs, *notes, number) != Status::ok) return;
    std::vector<TakenBlock> others;
    while (TakenBlock block = hands.consumer.take()) {
      if (number_of(block) != number) {
        others.push_back(std::move(block));
        continue;
      }
      if (number == first_number) {
        block.put_back();
        block = hands.consumer.take();
        if (!block || number_of(block) != number) break;
      }
      if (number == first_number + 1) {
        static_cast<void>(block.pass_to(hands.answers));
      } else {
        finish(block, *notes);
      }
      break;
    }
  }
}

bool QueueWorld::wound(KillPoint kill_point) {
  return dies_at(kill_point, 1, [this] { live(kWoundedsNumber); });
}

bool QueueWorld::admit_bystander(KillPoint kill_point) {
  bystander = stopped_at(kill_point, [this] { live(kBystandersNumber); });
  return bystander != nullptr;
}

std::span<const QueueStopPoint> queue_stop_points() {
  static const std::vector<QueueStopPoint> all = [] {
    std::vector<QueueStopPoint> points;
    for (const KillPoint point :
         {KillPoint::queue_described, KillPoint::queue_said, KillPoint::queue_released, KillPoint::queue_taken,
          KillPoint::queue_leaving, KillPoint::queue_left, KillPoint::queue_giving_back, KillPoint::queue_returned,
          KillPoint::queue_bit_set, KillPoint::queue_passing, KillPoint::queue_renewed, KillPoint::queue_pass_said,
          KillPoint::queue_passed, KillPoint::queue_lane_claimed, KillPoint::queue_lane_said,
          KillPoint::queue_lane_leaving, KillPoint::queue_lane_left}) {
      points.push_back({to_string(point), point});
    }
    return points;
  }();
  return all;
}

}  // namespace sapbuf::test
