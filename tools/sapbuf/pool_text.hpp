// Pools for people.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sapbuf/participant_filter.hpp"

namespace sapbuf::tools {

// Of so many buffers, or, with size classes, of the room of so many pieces: "64", "64 MiB".
std::string room_text(const PoolOptions& options, std::uint64_t count);
// "64 buffers of 4 KiB", or "64 MiB for buffers of 16 B to 1 MiB".
std::string room_for(const PoolOptions& options, std::uint64_t count);
// The same with where they are: "64 buffers of 4 KiB; 3 in use, ...", or "64 MiB for buffers of 16 B to 1 MiB; ...".
std::string pool_in_short(const PoolSnapshot& pool);
// Its users, and its size classes.
std::string pool_tables(const ShownParticipants& users, const PoolSnapshot& pool);
// How much memory a queue or a map has: "6.4 MiB in all" with the pool `own`, which is its own; "152 KiB in all, without its pool"
// where that is empty.
std::string size_with_pool(const Segment& segment, std::uint64_t bytes, std::string_view own);

}  // namespace sapbuf::tools
