// Chunks that nobody uses go back to the system, and are allocated anew before anybody uses them again:
//
//   give back   free -> changing; the pages go; unbacked
//   allocate    unbacked -> changing; the pages come, or there is no room for them and it stays unbacked; free
//
//   killed in between    recovery: unbacked, whatever became of the pages
//   stopped in between   nobody else is: the chunk is not to be had meanwhile; who needs one waits for it a little
//
// Only whole pages go, so a chunk that has none of its own stays; and so does memory that the caller supplied.
#pragma once

#include "pool/pool_core.hpp"

namespace SAPBUF_DETAIL {

// Gives back whatever can be; returns how many bytes that were. Of the caller, in the user's slot `owner`. Throws
// Error.
std::uint64_t give_back_free_chunks(PoolCore& core, std::uint32_t owner);
// Allocates what is missing of chunks for `count` adjacent buffers, or has others do it; false if there are none that
// could be had like that. Throws Error (no_space).
bool allocate_chunks(PoolCore& core, std::uint32_t count, std::uint32_t owner);

}  // namespace SAPBUF_DETAIL
