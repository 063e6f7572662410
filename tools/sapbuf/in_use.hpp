// What is in use is not removed.
#pragma once

#include <sapbuf/inspect.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

// Throws Failure if any of its participants is alive; `advice` says what to do about them.
void refuse_if_in_use(const std::string& title, const std::vector<ParticipantSnapshot>& participants,
                      const std::string& advice);

// Throws Failure if messages are kept for durable readers that are away: what they would read goes with it.
void refuse_if_kept(const std::string& title, const std::vector<DurableReaderInfo>& kept_for);

// Throws Failure if blocks wait in the queue, or dead letters stay in it: nobody else has them. Does nothing where it is no
// queue.
void refuse_if_holds_blocks(const std::string& title, const FacilitySnapshot& facility);

}  // namespace sapbuf::tools
