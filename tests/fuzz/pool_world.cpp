#include "fuzz/pool_world.hpp"

#include <array>
#include <vector>

#include "pool/pool_core.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kClasses = 1 << 5;
constexpr std::uint64_t kRoom = 64 << 10;  // for the pool, and for its growth

enum class Where : unsigned { control, slots, magazines, roots, words, attached, registry, anywhere };

//   bit 0 order   bits 1, 2 policy   bit 3 fences   bit 4 alive   bit 5 size classes   bit 7 peaceful
SegmentOptions options_of(std::uint8_t choice) {
  return {.slabs = 2,
          .slab_bytes = 4096,
          .order = (choice & 1) != 0 ? Order::total : Order::per_writer,
          .on_full = test::kPolicies[(choice >> 1 & 3) % 3],
          .participants = 8,
          .fences = (choice & 8) != 0 ? Fences::full : Fences::membarrier,
          .attachments = 6};
}

PoolOptions pool_options_of(std::uint8_t choice) {
  if ((choice & kClasses) != 0) {
    return {.min_bytes = 16, .max_bytes = kFuzzedLargest, .count = 256, .max_count = 512, .alignment = 16};
  }
  return {.buffer_bytes = kFuzzedBufferBytes, .count = kFuzzedBuffers, .max_count = kFuzzedMost};
}

// In the midst of things: buffers that are local, shared, adopted, at hand, and attached to messages.
struct Busy {
  explicit Busy(std::uint8_t choice)
      : memory(Segment::bytes_needed(options_of(choice)) + kRoom),
        segment(Segment::create_in(memory, options_of(choice))),
        pool(Pool::create(segment, "frames", pool_options_of(choice))) {
    for (int i = 0; i < 4; ++i) held.push_back(acquire(first, i));
    held.push_back(second.adopt(held[0].share()));
    held.push_back(acquire(second, 1));
    held[1].release();
    for (int i = 0; i < 4; ++i) {
      Reservation slot = writer.reserve(8);
      if (slot && slot.attach(acquire(second, i))) slot.commit();
    }
  }

  // Of another size each.
  Buffer acquire(PoolUser& user, int which) const {
    return user.acquire(pool.options().max_bytes == 0 ? 1 : std::uint64_t{24} << (which * 2));
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

std::uint64_t chunk_shape(Input& input) {
  const std::uint8_t choice = input.byte();
  const std::uint64_t more = input.byte();  // class, or how far back
  return more << 32 | layout::ChunkWord::make(static_cast<layout::ChunkState>(choice & 7), choice >> 5).word |
         std::uint64_t{choice >> 3 & 1u} << 8;
}

class BusyPool final : public Original {
 public:
  explicit BusyPool(std::uint8_t choice) : busy_(choice), pool_(busy_.pool.core()->geometry()) {}

  const test::HeapMemory& memory() const noexcept override { return busy_.memory; }
  Range range_of(unsigned where, std::uint64_t slot) const override {
    const layout::StreamGeometry& stream = test::main_stream(busy_.segment).geometry();
    const layout::SegmentGeometry& common = busy_.segment.core()->geometry();
    const std::uint64_t slot_at = pool_.slots_at + slot % pool_.participants * sizeof(layout::PoolSlot);
    switch (static_cast<Where>(where)) {
      case Where::control:
        return {pool_.head_at, pool_.slots_at};
      case Where::slots:
        return {slot_at, slot_at + offsetof(layout::PoolSlot, magazine)};
      case Where::magazines:
        if (pool_.classes != 0) {
          const std::uint64_t its = sizeof(layout::ClassMagazine) * pool_.classes;
          const std::uint64_t at = pool_.magazines_at + slot % pool_.participants * its;
          return {at, at + its};
        }
        return {slot_at + offsetof(layout::PoolSlot, magazine), slot_at + offsetof(layout::PoolSlot, magazine) + 64};
      case Where::roots:
        return {slot_at + offsetof(layout::PoolSlot, roots), slot_at + offsetof(layout::PoolSlot, roots) + 64};
      case Where::words:
        return {pool_.words_at, pool_.since_at};  // and the chunks'
      case Where::attached:
        return {stream.attached_at, stream.slabs_at};
      case Where::registry:
        return {common.control_at, common.regions_at};
      case Where::anywhere:
        break;
    }
    return {common.control_at, busy_.memory.bytes().size()};
  }
  std::uint64_t shape(Input& input, std::uint64_t offset) const override {
    if (offset >= pool_.slots_at && offset < pool_.words_at) {
      if (offset >= pool_.magazines_at) return slot_shape(input, offsetof(layout::PoolSlot, state));
      return slot_shape(input, (offset - pool_.slots_at) % sizeof(layout::PoolSlot));
    }
    if (offset >= pool_.chunks_at && offset < pool_.since_at) return chunk_shape(input);
    if (offset >= pool_.words_at && offset < pool_.buffers_at) return word_shape(input);
    if (offset >= pool_.control_at && offset < pool_.slots_at) return input.byte() % 64;
    return layout::Root::make(input.byte() % 32, input.byte() & 7).word;
  }

 private:
  Busy busy_;
  layout::PoolGeometry pool_;
};

}  // namespace

const Original& busy_pool(std::uint8_t choice) {
  static std::array<const Original*, 32> made{};
  const std::size_t index = (choice & 15) | (choice & kClasses) >> 1;
  if (made[index] == nullptr) made[index] = new BusyPool{choice};
  return *made[index];
}

}  // namespace sapbuf::fuzz
