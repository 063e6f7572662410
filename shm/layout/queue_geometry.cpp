#include <bit>

#include <sapbuf/layout/queue_geometry.hpp>

namespace sapbuf::layout {
namespace {

std::string outside(const char* what, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  return std::string(what) + " is " + std::to_string(value) + "; it must be from " + std::to_string(low) + " to " +
         std::to_string(high);
}

constexpr std::uint64_t kFlags =
    0xff01;  // bits of choices[5] that mean something: own pool, and what a full queue does

}  // namespace

void write_choices(const QueueGeometry& g, std::uint64_t (&choices)[kChoices]) noexcept {
  choices[0] = g.slots;
  choices[1] = g.blocks;
  choices[2] = g.groups;
  choices[3] = g.max_deliveries;
  choices[4] = g.notes;
  choices[5] = (g.own_pool ? 1u : 0u) | std::uint64_t{static_cast<std::uint8_t>(g.on_full)} << 8;
  choices[6] = g.dead_letters.word;
  choices[7] = g.lanes;
}

std::optional<QueueGeometry> read_queue_choices(const std::uint64_t (&choices)[kChoices]) noexcept {
  if ((choices[5] & ~kFlags) != 0) return std::nullopt;
  constexpr std::uint64_t kMost32 = ~std::uint32_t{0};
  if (choices[2] > kMost32 || choices[3] > kMost32 || choices[4] > kMost32) return std::nullopt;
  QueueGeometry g;
  g.slots = choices[0];
  g.blocks = choices[1];
  g.groups = static_cast<std::uint32_t>(choices[2]);
  g.max_deliveries = static_cast<std::uint32_t>(choices[3]);
  g.notes = static_cast<std::uint32_t>(choices[4]);
  g.own_pool = (choices[5] & 1) != 0;
  g.on_full = static_cast<OnFull>(choices[5] >> 8);
  g.dead_letters = {choices[6]};
  g.lanes = choices[7];
  return g;
}

std::optional<std::string> problem_with(const QueueGeometry& g) {
  if (g.slots < 1 || g.slots > kMaxQueueSlots) return outside("the number of slots", g.slots, 1, kMaxQueueSlots);
  if (!std::has_single_bit(g.slots)) return "the number of slots is no power of two";
  if (g.blocks < 1 || g.blocks > kMaxQueueBlocks) {
    return outside("the number of buffers that the pool may grow to", g.blocks, 1, kMaxQueueBlocks);
  }
  if (g.groups < 1 || g.groups > kMaxGroups) return outside("the number of groups", g.groups, 1, kMaxGroups);
  if (g.max_deliveries > kMostDeliveries) {
    return outside("the number of deliveries", g.max_deliveries, 0, kMostDeliveries);
  }
  if (g.notes > kMaxNotes) return outside("the number of notes", g.notes, 0, kMaxNotes);
  if (g.lanes > kMaxLanes) return outside("the number of lanes for keys", g.lanes, 0, kMaxLanes);
  if (g.lanes != 0 && !std::has_single_bit(g.lanes)) return "the number of lanes for keys is no power of two";
  if (g.on_full != OnFull::block && g.on_full != OnFull::drop) {
    return "a queue that is full can block or drop, and overwrites nothing";
  }
  if (g.dead_letters.word != 0 && g.max_deliveries == 0) {
    return "a queue without max_deliveries has no dead letters: name none, or say how often a block is delivered";
  }
  if (g.dead_letters.word != 0 && g.groups != 1) {
    return "dead letters of a queue with several groups stay where they are: name no other queue";
  }
  return std::nullopt;
}

}  // namespace sapbuf::layout
