// What becomes of a block that was delivered so often, and that nobody was done with; and who had it.
#pragma once

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

enum class HowEnded : std::uint8_t { died = 1, put_back = 2 };

// Notes who had the block that it still holds: the participant in that slot of the registry.
void note_delivery(QueueCore& queue, std::uint32_t block, std::uint32_t group, layout::BlockWord held,
                   std::uint32_t slot, HowEnded how) noexcept;

inline bool is_dead_letter(const QueueCore& queue, layout::BlockWord held) noexcept {
  const std::uint32_t most = queue.geometry().max_deliveries;
  return most != 0 && held.deliveries() >= most;
}

// As if this delivery had not been; of one that was a dead letter already, as if none had been. Where the count has come to its
// end, it cannot be told from that, and begins anew, too.
inline std::uint32_t deliveries_before(const QueueCore& queue, layout::BlockWord held) noexcept {
  const std::uint32_t most = queue.geometry().max_deliveries;
  const std::uint32_t now = held.deliveries();
  const bool was_dead_letter = most != 0 && now > most;
  return was_dead_letter || now == 0 || now == layout::kMostDeliveries ? 0 : now - 1;
}

// To the queue of the dead letters; where that is not to be had, the block says so and stays. `owner` as of pass_on().
void bury(QueueCore& queue, std::uint32_t block, std::uint32_t group, layout::BlockWord held,
          std::uint32_t owner) noexcept;

}  // namespace SAPBUF_DETAIL
