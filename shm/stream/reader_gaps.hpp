// What a reader that waits stands before: what somebody claimed, and has not written yet.
//
// It may wait for the dead; repair closes what they had begun. And it may wait for nobody: neither deaths leave such a
// gap nor a Writer that is used by one thread, but one that is used by two, or by the handler of a signal that
// interrupted it.
#pragma once

#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {

// Whether something is claimed that this reader cannot pass, so that it may be waiting for the dead.
bool is_obstructed(const ReaderState& reader) noexcept;
// Throws Errc::corrupt if the reader stands before something that nobody is going to write any more.
void check_for_gaps(ReaderState& reader);

}  // namespace SAPBUF_DETAIL
