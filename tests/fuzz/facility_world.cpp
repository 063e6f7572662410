#include "fuzz/facility_world.hpp"

#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/header.hpp>

namespace sapbuf::fuzz {
namespace {

using layout::Word;
using layout::word_at;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr unsigned kMostEdits = 16;

}  // namespace

std::uint64_t Original::pick(unsigned where, std::uint16_t which) const {
  const Range range = range_of(where, which >> 6);
  return range.begin + which % ((range.end - range.begin) / sizeof(Word)) * sizeof(Word);
}

FacilityWorld::FacilityWorld(const Original& original, std::uint8_t choice, Input& input)
    : peaceful_((choice & kPeaceful) != 0), original_(original), memory_(original.memory().bytes().size()) {
  std::byte* const bytes = memory_.bytes().data();
  std::memcpy(bytes, original.memory().bytes().data(), memory_.bytes().size());
  if ((choice & kAlive) == 0) reinterpret_cast<layout::SegmentHeader*>(bytes)->creation_id += 2;
  const unsigned edits = input.byte() % kMostEdits;
  for (unsigned i = 0; i < edits && !input.empty(); ++i) edit(input);
}

FacilityWorld::~FacilityWorld() { kill_point::disarm(); }

std::uint64_t FacilityWorld::edited(Input& input, unsigned what, std::uint64_t offset) const {
  std::byte* const base = memory_.bytes().data();
  const std::uint64_t now = word_at(base + offset).load(relaxed);
  switch (what) {
    case 0:
      return input.word();
    case 1:
      return now ^ std::uint64_t{1} << (input.byte() & 63);
    case 2:
      return ~std::uint64_t{0};
    case 3:
      return 0;
    case 4: {
      const unsigned where = input.byte() & 7u;
      return word_at(base + original_.pick(where, input.half())).load(relaxed);
    }
    case 5:
      return now + input.byte() - 128;
    default:
      return original_.shape(input, offset);
  }
}

void FacilityWorld::edit(Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint64_t offset = original_.pick(what & 7u, input.half());
  const std::uint64_t word = edited(input, what >> 3 & 7u, offset);
  if (!peaceful_) word_at(memory_.bytes().data() + offset).store(word, relaxed);
}

void FacilityWorld::edit_on_the_way(Input& input) {
  Input later = input;
  static_cast<void>(input.word());
  const unsigned nth = 1u + later.byte();
  kill_point::arm(
      KillPoint::any, [this, later]() mutable { edit(later); }, nth);
}

}  // namespace sapbuf::fuzz
