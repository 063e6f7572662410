#include "fuzz/queue_world.hpp"

#include <array>
#include <vector>

#include "pool/pool_core.hpp"
#include "queue/queue_core.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRoom = 256 << 10;  // for the pool, its growth, and three queues

enum class Where : unsigned { control, slots, ring, entries, bits, lanes, pool_or_registry, anywhere };

//   bit 0 two groups   bit 1 keys   bit 2 drop   bit 3 fences   bit 4 alive   bit 7 peaceful
SegmentOptions segment_options_of(std::uint8_t choice) {
  return {.participants = 24, .fences = (choice & 8) != 0 ? Fences::full : Fences::membarrier, .main_stream = false};
}

QueueOptions jobs_options_of(std::uint8_t choice) {
  return {.pool = "blocks",
          .slots = 4,
          .groups = has_two_groups(choice) ? 2u : 1u,
          .max_deliveries = 3,
          .dead_letters = has_two_groups(choice) ? "" : "failed",
          .keys = has_keys(choice) ? 4u : 0u,
          .on_full = (choice & 4) != 0 ? OnFull::drop : OnFull::block};
}

// In the midst of things: blocks that are queued, held, put back, passed on, reserved.
struct Busy {
  explicit Busy(std::uint8_t choice)
      : memory(Segment::bytes_needed(segment_options_of(choice)) + kRoom),
        segment(Segment::create_in(memory, segment_options_of(choice))),
        pool(Pool::create(segment, "blocks", {.buffer_bytes = kFuzzedBlockBytes, .count = 16, .max_count = 24})),
        jobs(Queue::create(segment, "jobs", jobs_options_of(choice))),
        answers(Queue::create(segment, "answers", {.pool = "blocks", .slots = 2})) {
    release_some(4);
    for (TakenBlock& block : worker.take(3)) held.push_back(std::move(block));
    release_some(3);
    held[0].put_back();
    held[1].put_back_after(1h);
    if (TakenBlock again = worker.take(); again && again.pass_to(replier) != Status::ok) again.put_back();
    static_cast<void>(other.take().done());
    reserved = producer.reserve(2);
  }
  void release_some(std::uint64_t count) {
    ReservedBlocks blocks = producer.reserve(count);
    for (ReservedBlock& block : blocks) {
      write_number(block.bytes(), ++last_number);
      block.set_key(last_number % kFuzzedKeys);
    }
    blocks.release();
  }

  test::HeapMemory memory;
  Segment segment;
  Pool pool;
  Queue jobs;
  Queue answers;
  Producer producer{jobs, {.timeout = 0ms}};
  Producer replier{answers, {.timeout = 0ms}};
  Consumer worker{jobs};
  Consumer other{jobs, {.group = jobs.options().groups - 1}};
  std::uint64_t last_number = 0;
  std::vector<TakenBlock> held;
  ReservedBlocks reserved;
};

std::uint64_t block_shape(Input& input) {
  const std::uint8_t choice = input.byte();
  const std::uint8_t position = input.byte() % 16;
  const std::uint32_t owner = input.byte() % 24;
  return layout::BlockWord::make(position, choice >> 3, owner, static_cast<layout::BlockState>(choice & 7)).word;
}

std::uint64_t entry_shape(Input& input, std::uint64_t offset) {
  switch (offset) {
    case offsetof(layout::QueueEntry, root): {
      const std::uint8_t block = input.byte() % 24;
      return layout::Root::make(block, input.byte() & 7).word;
    }
    case offsetof(layout::QueueEntry, about): {
      const std::uint8_t choice = input.byte();
      return layout::AboutBlock::make(input.byte(), choice, (choice & 1) != 0, choice >> 1).word;
    }
    case offsetof(layout::QueueEntry, key):
      return input.byte() % kFuzzedKeys;
    default:
      return block_shape(input);
  }
}

std::uint64_t lane_shape(Input& input) {
  const std::uint8_t choice = input.byte();
  return (choice & 0x80) != 0 ? layout::LaneWord::free_until(choice & 7).word
                              : layout::LaneWord::claimed_by(choice % 24).word;
}

class BusyQueue final : public Original {
 public:
  explicit BusyQueue(std::uint8_t choice)
      : busy_(choice),
        pool_(busy_.pool.core()->geometry()),
        queues_{busy_.jobs.core()->geometry(), busy_.answers.core()->geometry()} {}

  const test::HeapMemory& memory() const noexcept override { return busy_.memory; }

  Range range_of(unsigned where, std::uint64_t which) const override {
    const layout::SegmentGeometry& common = busy_.segment.core()->geometry();
    const layout::QueueGeometry& queue = queues_[(which & 3) == 3 ? 1 : 0];
    const std::uint64_t slot_at = queue.slots_at + (which >> 2) % queue.participants * sizeof(layout::QueueSlot);
    switch (static_cast<Where>(where)) {
      case Where::control:
        return {queue.head_at, queue.slots_at};
      case Where::slots:
        return {slot_at, slot_at + sizeof(layout::QueueSlot)};
      case Where::ring:
        return {queue.ring_at, queue.ring_at + queue.slots * sizeof(layout::Word)};
      case Where::entries:
        return {queue.entries_at, queue.notes_at};
      case Where::bits:
        return {queue.bits_at, queue.entries_at};
      case Where::lanes:
        return {queue.notes_at, queue.notes_at == queue.end_at ? queue.end_at + layout::kPageBytes : queue.end_at};
      case Where::pool_or_registry:
        if ((which & 1) != 0) return {common.control_at, common.regions_at};
        return {pool_.control_at, pool_.since_at};
      case Where::anywhere:
        break;
    }
    return {common.control_at, busy_.memory.bytes().size()};
  }

  std::uint64_t shape(Input& input, std::uint64_t offset) const override {
    for (const layout::QueueGeometry& queue : queues_) {
      if (offset >= queue.head_at && offset < queue.end_at) return queue_shape(input, offset, queue);
    }
    if (offset >= pool_.words_at && offset < pool_.since_at) {
      const std::uint8_t choice = input.byte();
      return layout::BufferWord::make(choice >> 5, static_cast<layout::BufferState>(choice & 3), choice >> 2 & 7).word;
    }
    return input.byte() % 64;
  }

 private:
  std::uint64_t queue_shape(Input& input, std::uint64_t offset, const layout::QueueGeometry& queue) const {
    if (offset >= queue.entries_at && offset < queue.notes_at) {
      return entry_shape(input, (offset - queue.entries_at) % queue.entry_bytes);
    }
    if (offset >= queue.ring_at && offset < queue.bits_at) {
      const std::uint8_t position = input.byte() % 16;
      return layout::RingWord::make(position, input.byte() % 32).word;
    }
    if (queue.lanes != 0 && offset >= queue.lanes_at && offset < queue.lane_bits_at) return lane_shape(input);
    if (offset >= queue.slots_at && offset < queue.ring_at &&
        (offset - queue.slots_at) % sizeof(layout::QueueSlot) == offsetof(layout::QueueSlot, passing_to)) {
      return (input.byte() & 1) != 0 ? busy_.answers.core()->id().word : busy_.pool.core()->id().word;
    }
    return input.half();
  }

  Busy busy_;
  layout::PoolGeometry pool_;
  std::array<layout::QueueGeometry, 2> queues_;
};

}  // namespace

const Original& busy_queue(std::uint8_t choice) {
  static std::array<const Original*, 16> made{};
  const std::size_t index = choice & 15;
  if (made[index] == nullptr) made[index] = new BusyQueue{choice};
  return *made[index];
}

}  // namespace sapbuf::fuzz
