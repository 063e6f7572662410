#include "fuzz/map_world.hpp"

#include <array>
#include <vector>

#include "map/map_core.hpp"
#include "pool/pool_core.hpp"

namespace sapbuf::fuzz {
namespace {

constexpr std::uint64_t kRoom = 128 << 10;  // for the pool, the map, and their growth

enum class Where : unsigned { control, slots, index, entries, values, pool, registry, anywhere };

constexpr std::uint8_t kOfAllSizes = 1 << 5;

//   bits 0, 1 how many keys   bit 3 fences   bit 4 alive   bit 5 size classes   bit 7 peaceful
SegmentOptions segment_options_of(std::uint8_t choice) {
  return {.participants = 16, .fences = (choice & 8) != 0 ? Fences::full : Fences::membarrier, .main_stream = false};
}

// The map's own, or one with pieces of 8 bytes.
std::string make_pool(const Segment& segment, std::uint8_t choice) {
  if ((choice & kOfAllSizes) == 0) return {};
  Pool::create(segment, "heap", PoolOptions::for_sizes(8, 32 + kFuzzedValueBytes, 2048, 4096));
  return "heap";
}

// In the midst of things: keys that are there, that were erased, that are being updated, and values that are kept.
struct Busy {
  explicit Busy(std::uint8_t choice)
      : memory(Segment::bytes_needed(segment_options_of(choice)) + kRoom),
        segment(Segment::create_in(memory, segment_options_of(choice))),
        map(Map::create(segment, "config",
                        {.keys = 4,
                         .max_keys = 8,
                         .pool = make_pool(segment, choice),
                         .value_bytes = kFuzzedValueBytes,
                         .key_bytes = 16,
                         .values = 16})) {
    const std::uint64_t keys = 1 + 2 * (choice & 3u);
    for (std::uint64_t key = 0; key < keys; ++key) {
      static_cast<void>(writer.put(key, "first"));
      kept.push_back(reader.read(key));
      static_cast<void>(writer.put(key, "a longer second value"));
    }
    if (keys > 2) static_cast<void>(writer.erase(std::uint64_t{1}));
    draft = writer.prepare(std::uint64_t{0}, 8);
  }

  test::HeapMemory memory;
  Segment segment;
  Map map;
  MapReader reader{map};
  MapWriter writer{map, {.timeout = std::chrono::milliseconds{0}}};
  MapDraft draft;
  std::vector<MapValue> kept;
};

// `buffers`, or pieces, that there are; some roots lead beyond them.
std::uint64_t root_shape(Input& input, std::uint64_t buffers) {
  const std::uint8_t choice = input.byte();
  if ((choice & 0x80) != 0) return 0;
  const std::uint8_t second = input.byte();
  std::uint64_t index = choice % 36 * (buffers / 16);
  if (buffers > 16) index -= std::min<std::uint64_t>(index, second >> 3 & 7);  // pieces between them
  return layout::Root::make(static_cast<std::uint32_t>(index), second & 7).word;
}

std::uint64_t slot_shape(Input& input, std::uint64_t offset, std::uint64_t buffers) {
  if (offset >= offsetof(layout::MapSlot, incoming)) return root_shape(input, buffers);
  if (offset >= offsetof(layout::MapSlot, claiming)) return input.byte() % 10;
  return input.byte() % 20;
}

std::uint64_t entry_shape(Input& input, std::uint64_t offset, std::uint64_t buffers) {
  switch (offset) {
    case offsetof(layout::MapEntry, value):
      return root_shape(input, buffers);
    case offsetof(layout::MapEntry, claim): {
      const std::uint8_t choice = input.byte();
      return (choice & 0x80) != 0 ? 0 : layout::EntryClaim::make(choice % 16, input.byte() & 3).word;
    }
    case offsetof(layout::MapEntry, life): {
      const std::uint8_t choice = input.byte();
      return layout::KeyLife::make(choice >> 1 & 7, static_cast<layout::KeyState>(choice % 3)).word;
    }
    default:
      return input.byte() % 32;
  }
}

class BusyMap final : public Original {
 public:
  explicit BusyMap(std::uint8_t choice)
      : busy_(choice), map_(busy_.map.core()->geometry()), pool_(busy_.map.core()->pool()->geometry()) {}

  const test::HeapMemory& memory() const noexcept override { return busy_.memory; }

  Range range_of(unsigned where, std::uint64_t which) const override {
    const layout::SegmentGeometry& common = busy_.segment.core()->geometry();
    const std::uint64_t slot_at = map_.slots_at + which % map_.participants * sizeof(layout::MapSlot);
    switch (static_cast<Where>(where)) {
      case Where::control:
        return {map_.head_at, map_.head_at + sizeof(layout::FacilityHead) + offsetof(layout::MapControl, events)};
      case Where::slots:
        return {slot_at, slot_at + sizeof(layout::MapSlot)};
      case Where::index:
        return {map_.index_at, map_.index_at + map_.places * sizeof(layout::Word)};
      case Where::entries:
        return {map_.entries_at, entries_end()};
      case Where::values:
        return {pool_.buffers_at, pool_.buffers_at + pool_.count * pool_.stride_bytes};
      case Where::pool:
        return {pool_.control_at, pool_.since_at};
      case Where::registry:
        return {common.control_at, common.regions_at};
      case Where::anywhere:
        break;
    }
    return {common.control_at, busy_.memory.bytes().size()};
  }

  std::uint64_t shape(Input& input, std::uint64_t offset) const override {
    if (offset >= map_.entries_at && offset < entries_end()) {
      return entry_shape(input, (offset - map_.entries_at) % map_.entry_bytes, pool_.count);
    }
    if (offset >= map_.index_at && offset < map_.entries_at) {
      const std::uint8_t choice = input.byte();
      const layout::Word& other =
          layout::word_at(busy_.memory.bytes().data() + map_.index_at + choice % map_.places * sizeof(layout::Word));
      return (choice & 0x80) != 0 ? layout::IndexPlace::gone(choice & 7).word : other.load(std::memory_order_relaxed);
    }
    if (offset >= map_.slots_at && offset < map_.index_at) {
      return slot_shape(input, (offset - map_.slots_at) % sizeof(layout::MapSlot), pool_.count);
    }
    if (offset >= pool_.words_at && offset < pool_.since_at) {
      const std::uint8_t choice = input.byte();
      return layout::BufferWord::make(choice >> 5, static_cast<layout::BufferState>(choice & 3), choice >> 2 & 7).word;
    }
    return input.byte() % 64;
  }

 private:
  std::uint64_t entries_end() const { return map_.entries_at + map_.max_keys * map_.entry_bytes; }

  Busy busy_;
  layout::MapGeometry map_;
  layout::PoolGeometry pool_;
};

}  // namespace

const Original& busy_map(std::uint8_t choice) {
  static std::array<const Original*, 64> made{};
  const std::size_t index = choice & (kOfAllSizes | 15);
  if (made[index] == nullptr) made[index] = new BusyMap{choice};
  return *made[index];
}

}  // namespace sapbuf::fuzz
