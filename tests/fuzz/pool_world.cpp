#include "fuzz/pool_world.hpp"

#include <array>
#include <cstring>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/header.hpp>

#include "pool/pool_core.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;
using layout::Word;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr std::uint8_t kAlive = 1 << 4;
constexpr std::uint8_t kPeaceful = 1 << 7;
constexpr unsigned kMostEdits = 16;
constexpr std::uint64_t kRoom = 64 << 10;  // for the pool, and for its growth

enum class Where : unsigned { control, slots, magazines, roots, words, attached, registry, anywhere };

//   bit 0 order   bits 1, 2 policy   bit 3 fences   bit 4 alive   bit 7 peaceful
SegmentOptions options_of(std::uint8_t choice) {
  return {.slabs = 2,
          .slab_bytes = 4096,
          .order = (choice & 1) != 0 ? Order::total : Order::per_writer,
          .on_full = test::kPolicies[(choice >> 1 & 3) % 3],
          .participants = 8,
          .fences = (choice & 8) != 0 ? Fences::full : Fences::membarrier,
          .attachments = 6};
}

// In the midst of things: buffers that are local, shared, adopted, at hand, and attached to messages.
struct Busy {
  explicit Busy(const SegmentOptions& options)
      : memory(Segment::bytes_needed(options) + kRoom),
        segment(Segment::create_in(memory, options)),
        pool(Pool::create(segment, "frames",
                          {.buffer_bytes = kFuzzedBufferBytes, .count = kFuzzedBuffers, .max_count = kFuzzedMost})) {
    for (int i = 0; i < 4; ++i) held.push_back(first.acquire());
    held.push_back(second.adopt(held[0].share()));
    held.push_back(second.acquire());
    held[1].release();
    for (int i = 0; i < 4; ++i) {
      Reservation slot = writer.reserve(8);
      if (slot && slot.attach(second.acquire())) slot.commit();
    }
  }

  test::HeapMemory memory;
  Segment segment;
  Pool pool;
  Reader reader{segment};
  Writer writer{segment, {.timeout = 0ms}};
  PoolUser first{pool};
  PoolUser second{pool};
  std::vector<Buffer> held;
};

std::uint64_t slot_shape(Input& input, std::uint64_t offset) {
  const std::uint8_t choice = input.byte();
  const std::uint8_t index = input.byte() % 32;
  if (offset == offsetof(layout::PoolSlot, state)) return layout::MagazineState::make(choice, index * 3u).word;
  if (offset == offsetof(layout::PoolSlot, request)) return layout::Request::given(index).word;
  if (offset >= offsetof(layout::PoolSlot, roots)) return layout::Root::make(index, choice & 7).word;
  if (offset >= offsetof(layout::PoolSlot, magazine)) return std::uint64_t{choice} % 32 << 32 | index;
  return choice;
}

std::uint64_t word_shape(Input& input) {
  const std::uint8_t choice = input.byte();
  return layout::BufferWord::make(choice >> 5, static_cast<layout::BufferState>(choice & 3), choice >> 2 & 7).word;
}

}  // namespace

// Made once, and left alone: see world.cpp.
struct PoolWorld::Map {
  explicit Map(std::uint8_t choice) : busy(options_of(choice)), pool(busy.pool.core()->geometry()) {}

  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  Range range_of(Where where, std::uint64_t slot) const {
    const layout::StreamGeometry& stream = test::main_stream(busy.segment).geometry();
    const layout::SegmentGeometry& common = busy.segment.core()->geometry();
    const std::uint64_t slot_at = pool.slots_at + slot % pool.participants * sizeof(layout::PoolSlot);
    switch (where) {
      case Where::control:
        return {pool.head_at, pool.slots_at};
      case Where::slots:
        return {slot_at, slot_at + offsetof(layout::PoolSlot, reserved_1)};
      case Where::magazines:
        return {slot_at + offsetof(layout::PoolSlot, magazine), slot_at + offsetof(layout::PoolSlot, magazine) + 64};
      case Where::roots:
        return {slot_at + offsetof(layout::PoolSlot, roots), slot_at + offsetof(layout::PoolSlot, roots) + 64};
      case Where::words:
        return {pool.words_at, pool.words_at + kFuzzedMost * sizeof(Word)};
      case Where::attached:
        return {stream.attached_at, stream.slabs_at};
      case Where::registry:
        return {common.control_at, common.regions_at};
      case Where::anywhere:
        break;
    }
    return {common.control_at, busy.memory.bytes().size()};
  }
  std::uint64_t pick(Where where, std::uint16_t which) const {
    const Range range = range_of(where, which >> 6);
    return range.begin + which % ((range.end - range.begin) / sizeof(Word)) * sizeof(Word);
  }
  // A word that could stand there.
  std::uint64_t shape(Input& input, std::uint64_t offset) const {
    if (offset >= pool.slots_at && offset < pool.words_at) {
      return slot_shape(input, (offset - pool.slots_at) % sizeof(layout::PoolSlot));
    }
    if (offset >= pool.words_at && offset < pool.buffers_at) return word_shape(input);
    if (offset >= pool.control_at && offset < pool.slots_at) return input.byte() % 64;
    return layout::Root::make(input.byte() % 32, input.byte() & 7).word;
  }

  Busy busy;
  layout::PoolGeometry pool;
};

const PoolWorld::Map& PoolWorld::map_of(std::uint8_t choice) {
  static std::array<const Map*, 16> made{};
  const std::size_t index = choice & 15;
  if (made[index] == nullptr) made[index] = new Map{choice};
  return *made[index];
}

PoolWorld::PoolWorld(Input& input) : PoolWorld(input.byte()) {
  const unsigned edits = input.byte() % kMostEdits;
  for (unsigned i = 0; i < edits && !input.empty(); ++i) edit(input);
}

PoolWorld::PoolWorld(std::uint8_t choice)
    : peaceful_((choice & kPeaceful) != 0), map_(map_of(choice)), memory_(map_.busy.memory.bytes().size()) {
  std::byte* const bytes = memory_.bytes().data();
  std::memcpy(bytes, map_.busy.memory.bytes().data(), memory_.bytes().size());
  if ((choice & kAlive) == 0) reinterpret_cast<layout::SegmentHeader*>(bytes)->creation_id += 2;
}

PoolWorld::~PoolWorld() { kill_point::disarm(); }

void PoolWorld::edit(Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint64_t offset = map_.pick(static_cast<Where>(what & 7), input.half());
  std::byte* const base = memory_.bytes().data();
  const std::uint64_t now = word_at(base + offset).load(relaxed);
  const std::uint64_t word = [&]() -> std::uint64_t {
    switch (what >> 3 & 7) {
      case 0:
        return input.word();
      case 1:
        return now ^ std::uint64_t{1} << (input.byte() & 63);
      case 2:
        return ~std::uint64_t{0};
      case 3:
        return 0;
      case 4: {
        const auto where = static_cast<Where>(input.byte() & 7);
        return word_at(base + map_.pick(where, input.half())).load(relaxed);
      }
      case 5:
        return now + input.byte() - 128;
      default:
        return map_.shape(input, offset);
    }
  }();
  if (!peaceful_) word_at(base + offset).store(word, relaxed);
}

void PoolWorld::lie_in_wait(Input input) {
  const unsigned nth = 1u + input.byte();
  kill_point::arm(
      KillPoint::any, [this, input]() mutable { edit(input); }, nth);
}

}  // namespace sapbuf::fuzz
