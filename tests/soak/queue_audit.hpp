// What must have become of the messages of a round's queues, when all who had to do with them are gone and recovered.
#pragma once

#include <cstdint>
#include <string>

#include "soak/queue_ledger.hpp"
#include "soak/round.hpp"

namespace sapbuf::soak {

// Takes what is left, and compares what became of each message with what was noted: it was done with once in each group, or
// is there once. What came into the queue and what left it are compared with that, and all blocks must be free then.
void audit_queues(const std::string& segment, QueueBoard& board, std::uint32_t groups, RoundResult& result);

}  // namespace sapbuf::soak
