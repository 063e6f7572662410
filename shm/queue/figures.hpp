// What the participants of a queue did, counted.
#pragma once

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

// Adds a participant's figures to those of the departed; once, however often it is repeated. Under the queue's lock.
void add_to_departed(QueueCore& queue, std::uint32_t slot) noexcept;

}  // namespace SAPBUF_DETAIL
