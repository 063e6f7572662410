// Passing a block on from one queue to another one on the same pool, without copying it, and without a moment in which
// a death could lose it. Which of the two has it is what the buffer's incarnation says: each names its own in its root.
//
//   1. the consumer's slot says which block, and where it is passed to
//   2. the other queue's words: root of the buffer's next incarnation, state = passing
//   3. the buffer's word gets that incarnation: from here on it is the other queue's
//   4. it leaves this queue: before others can see it there, be done with it, and bring it here once more
//   5. it is released there: in the ring, or, where that is full, as one that was put back
//   6. the slot says that nothing is passed
//
//   killed before 3.    recovery: the other queue's words say none; here it is returned, as all that the dead one held
//   killed before 6.    recovery: from 4. on, whatever was not done yet
//
// Only where one group gets the block: others would have roots of the incarnation before.
#pragma once

#include "queue/queue_core.hpp"

namespace SAPBUF_DETAIL {

// The block is held by the consumer `owner` of `from`, who is the caller, or dead (then under the queue's lock). False:
// it is not, for its buffer is another one's.
bool pass_on(QueueCore& from, std::uint32_t block, std::uint32_t owner, QueueCore& to,
             layout::AboutBlock about) noexcept;

// Recovery, before what the dead one held is returned: ends what it was about to pass, with the other queue's lock, too.
// False: that is not to be had, and nothing was done. Throws Error where pool or queue cannot be opened here.
bool settle_pass(QueueCore& from, std::uint32_t owner);

}  // namespace SAPBUF_DETAIL
