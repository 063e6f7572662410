// Closing: ending every right to write into a generation that the cursor has left. Under the stream's lock.
//
// A generation is closed when nobody can write into it any more: every claim in it has left its trace, and
//
//   per-writer order   every extent is closed. An idle writer's open extent is revoked, and closed for it:
//                        closer   revoked = generation; heavy fence; idle, or gone on to another claim? -> close it
//                        writer   busy; light fence; revoked >= my generation? -> drop the extent, claim anew
//                      A writer in the middle of a reservation keeps its extent until it comes back for the next one.
//   total order        no writer has a frame open in it.
//
// Generations are closed in their order, so that the number of messages before each one is known when it is reclaimed.
#pragma once

#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// Closes as many of the ended generations as can be closed now.
void close_ended(StreamCore& core, const ActiveSlab& active);

}  // namespace SAPBUF_DETAIL
