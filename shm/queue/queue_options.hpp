// From a queue's options to its geometry and back, what differs between two sets of them, and how a queue and its pool
// are made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/queue.hpp>

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

// Throws Error (corrupt).
QueueOptions options_of(QueueCore& queue);

// "slots 64, not 8"; empty if a queue made with `asked` would be the same as the one that is there.
std::vector<std::string> differences(const QueueOptions& there, const QueueOptions& asked);

// Makes the queue, its pool if it is to have its own, and the queue of its dead letters if that is not there. Throws
// Error: invalid_argument for options that cannot work, not_found for a pool that is not there, exists, busy, no_space.
void make_queue(SegmentCore& segment, std::string_view name, const QueueOptions& options);
// Removes it, and its pool if nobody needs that. False if there is no queue of that name. Throws Error: busy,
// incompatible.
bool remove_queue(SegmentCore& segment, std::string_view name);

}  // namespace SAPBUF_DETAIL
