// What a queue looks like now: see inspect/snapshot.cpp.
#pragma once

#include <sapbuf/inspect.hpp>

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

QueueSnapshot look_at_queue(QueueCore& queue);
// `participants` are the queue's own.
void look_at_ends(QueueCore& queue, std::vector<ParticipantSnapshot>& participants, QueueSnapshot& snapshot);

}  // namespace SAPBUF_DETAIL
