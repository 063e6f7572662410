// What the subcommands of `sapbuf queue`, and status, say of queues and their blocks.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <vector>

#include "common/json.hpp"
#include "sapbuf/participant_filter.hpp"

namespace sapbuf::tools {

std::string queue_in_short(const QueueSnapshot& queue);
// Groups, then those who are attached.
std::string queue_tables(const ShownParticipants& attached, const QueueSnapshot& queue);

// {"position", "group", "state", "deliveries", "type", "key", "bytes", "age_ms", "due_in_ms", "holder", "content", "had_it"};
// content that is not UTF-8 stands as "content_hex" instead.
Json block_json(const QueueBlock& block);
// What one that was taken is, with all of its content: {"position", "deliveries", "type", "key", "bytes", "content"}.
Json taken_json(const TakenBlock& block);
std::string block_table(const std::vector<QueueBlock>& blocks);

}  // namespace sapbuf::tools
