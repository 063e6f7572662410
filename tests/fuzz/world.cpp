#include "fuzz/world.hpp"

#include <array>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/header.hpp>

#include "fuzz/edit.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::fuzz {
namespace {

constexpr std::uint8_t kAlive = 1 << 4;
constexpr std::uint8_t kPeaceful = 1 << 7;
constexpr unsigned kMostEdits = 16;

//   bit 0 order   bits 1, 2 policy   bit 3 fences   bit 4 alive   bits 5, 6 how many messages were written
//   bit 7 peaceful
SegmentOptions options_of(std::uint8_t choice) {
  const Order order = (choice & 1) != 0 ? Order::total : Order::per_writer;
  return {.slabs = 3,
          .slab_bytes = 4096,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 512u : 0u,
          .on_full = test::kPolicies[(choice >> 1 & 3) % 3],
          .participants = 8,
          .fences = (choice & 8) != 0 ? Fences::full : Fences::membarrier};
}

// Made once, and left alone: those who are at work in it hold their locks, which are found by the segment's id, so they
// live in each copy that has this id too.
const test::Busy& original(std::uint8_t choice) {
  constexpr std::array<std::uint32_t, 4> kMessages = {4, 25, 60, 91};
  static std::array<const test::Busy*, 128> made{};
  const std::size_t index = choice & 0x7f & ~kAlive;
  if (made[index] == nullptr) made[index] = new test::Busy{options_of(choice), kMessages[choice >> 5 & 3]};
  return *made[index];
}

}  // namespace

World::World(Input& input) : World(input.byte()) {
  const unsigned edits = input.byte() % kMostEdits;
  for (unsigned i = 0; i < edits && !input.empty(); ++i) edit(input);
}

World::World(std::uint8_t choice)
    : peaceful_((choice & kPeaceful) != 0),
      geometry_(test::main_stream(original(choice).segment).geometry()),
      memory_(geometry_.end()) {
  std::byte* const bytes = memory_.bytes().data();
  std::memcpy(bytes, original(choice).segment.memory.bytes().data(), memory_.bytes().size());
  if ((choice & kAlive) == 0) reinterpret_cast<layout::SegmentHeader*>(bytes)->creation_id += 2;
}

World::~World() { kill_point::disarm(); }

void World::edit(Input& input) {
  if (peaceful_ && !spare_) spare_.emplace(geometry_.end());
  edit_word((spare_ ? *spare_ : memory_).bytes().data(), geometry_, input);
}

void World::lie_in_wait(Input input) {
  if (input.empty()) return;
  const unsigned nth = 1u + input.byte();
  const auto strike = [this, input]() mutable {
    edit(input);
    lie_in_wait(input);
  };
  kill_point::arm(KillPoint::any, strike, nth);
}

void World::lie_in_wait_once(Input input) {
  const unsigned nth = 1u + input.byte();
  kill_point::arm(
      KillPoint::any, [this, input]() mutable { edit(input); }, nth);
}

void World::pause() { kill_point::reached(KillPoint::fuzz_pause); }

}  // namespace sapbuf::fuzz
