#include "fuzz/edit.hpp"

namespace sapbuf::fuzz {
namespace {

using layout::Word;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;

enum class Where : unsigned { cursor, control, registry, slots, descriptors, extents, frames, anywhere };

struct Range {
  std::uint64_t begin;
  std::uint64_t end;
};

// Of the segment that the stream is in.
layout::SegmentGeometry common_of(const layout::StreamGeometry& g) {
  layout::SegmentGeometry common;
  common.participants = g.participants;
  layout::place(common);
  return common;
}

Range range_of(Where where, const layout::StreamGeometry& g) {
  switch (where) {
    case Where::cursor:
      return {g.control_at, g.control_at + sizeof(Word)};
    case Where::control:
      return {g.head_at, g.slots_at};
    case Where::registry:
      return {common_of(g).control_at, common_of(g).regions_at};
    case Where::slots:
      return {g.slots_at, g.descriptors_at};
    case Where::descriptors:
      return {g.descriptors_at, g.extents_at};
    case Where::extents:
      return {g.extents_at, std::max(g.extents_at + sizeof(Word), g.slabs_at)};
    case Where::frames:
      return {g.slabs_at, g.end()};
    case Where::anywhere:
      break;
  }
  return {common_of(g).control_at, g.end()};
}

std::uint64_t pick(Where where, const layout::StreamGeometry& geometry, std::uint16_t index) {
  const Range range = range_of(where, geometry);
  return range.begin + index % ((range.end - range.begin) / sizeof(Word)) * sizeof(Word);
}

std::uint64_t active_generation(std::byte* base, const layout::StreamGeometry& g) {
  const layout::Cursor cursor{word_at(base + g.control_at).load(relaxed)};
  const std::uint64_t at = g.descriptors_at + cursor.slab() % g.slabs * sizeof(layout::SlabDescriptor);
  return layout::SlabLife{word_at(base + at).load(relaxed)}.generation();
}

// A generation near the active one, or one where the numbers end.
std::uint64_t some_generation(std::byte* base, const layout::StreamGeometry& geometry, Input& input) {
  const auto distance = static_cast<std::int8_t>(input.byte());
  const std::uint64_t from = distance == -128 ? ~std::uint64_t{0} >> 3 : active_generation(base, geometry);
  return from + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance == -128 ? 0 : distance));
}

std::uint64_t slot_shape(std::byte* base, const layout::StreamGeometry& geometry, Input& input, std::uint64_t offset) {
  const std::uint8_t choice = input.byte();
  switch (offset % sizeof(layout::StreamSlot)) {
    case offsetof(layout::StreamSlot, claim): {
      if (choice % 2 == 0) return layout::Claim::claiming(input.byte()).word;
      const std::uint64_t generation = some_generation(base, geometry, input);
      return layout::Claim::located(generation, choice >> 1 & 7, input.half() * layout::kUnitBytes).word;
    }
    case offsetof(layout::StreamSlot, progress):
      return std::uint64_t{choice} << 56 | std::uint64_t{input.half()} << 32 | input.half();
    default:
      return some_generation(base, geometry, input);
  }
}

std::uint64_t participant_shape(std::byte* base, const layout::StreamGeometry& geometry, Input& input,
                                std::uint64_t offset) {
  const std::uint8_t choice = input.byte();
  switch (offset % sizeof(layout::ParticipantSlot)) {
    case offsetof(layout::ParticipantSlot, registration):
      return layout::SlotRegistration::make(input.byte(), static_cast<layout::SlotRole>(choice % 4),
                                            static_cast<layout::SlotState>(choice >> 2 & 3))
          .word;
    case offsetof(layout::ParticipantSlot, facility):
      return layout::FacilityId::make(choice & 3, input.byte() & 1).word;
    default:
      return some_generation(base, geometry, input);
  }
}

// A word that could stand there.
std::uint64_t shape(std::byte* base, const layout::StreamGeometry& g, Input& input, std::uint64_t offset) {
  if (offset == g.control_at) {
    const std::uint64_t generation = some_generation(base, g, input);
    const std::uint8_t slab = input.byte();
    return layout::Cursor::make(generation, slab & 63, input.half()).word;
  }
  const layout::SegmentGeometry common = common_of(g);
  if (offset >= common.slots_at && offset < common.regions_at) {
    return participant_shape(base, g, input, offset - common.slots_at);
  }
  if (offset < g.slots_at) return some_generation(base, g, input);
  if (offset < g.descriptors_at) return slot_shape(base, g, input, offset - g.slots_at);
  if (offset < g.extents_at) {
    const std::uint8_t state = input.byte();
    return layout::SlabLife::make(some_generation(base, g, input), static_cast<layout::SlabState>(state & 7)).word;
  }
  const std::uint8_t kind = input.byte();
  const std::uint16_t owner = input.half();
  const std::uint16_t size = input.half();
  if (offset < g.slabs_at) {
    return layout::Extent::make(static_cast<layout::ExtentState>(kind & 3), owner & 0xfff, size, kind >> 2).word;
  }
  return layout::FrameHeader::make(static_cast<layout::FrameKind>(kind & 7), size, owner, owner & 0xfff).word;
}

}  // namespace

void edit_word(std::byte* base, const layout::StreamGeometry& geometry, Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint64_t offset = pick(static_cast<Where>(what & 7), geometry, input.half());
  Word& word = word_at(base + offset);
  switch (what >> 3 & 7) {
    case 0:
      return word.store(input.word(), relaxed);
    case 1:
      return word.store(word.load(relaxed) ^ std::uint64_t{1} << (input.byte() & 63), relaxed);
    case 2:
      return word.store(~std::uint64_t{0}, relaxed);
    case 3:
      return word.store(0, relaxed);
    case 4: {
      const auto where = static_cast<Where>(input.byte() & 7);
      return word.store(word_at(base + pick(where, geometry, input.half())).load(relaxed), relaxed);
    }
    case 5:
      return word.store(word.load(relaxed) + input.byte() - 128, relaxed);
    default:
      return word.store(shape(base, geometry, input, offset), relaxed);
  }
}

}  // namespace sapbuf::fuzz
