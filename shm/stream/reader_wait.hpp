// A reader that found nothing: it spins, then sleeps between its looks.
#pragma once

#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {

// See Reader::wait_for.
bool wait(ReaderState& reader, std::uint64_t deadline_ns);

// See Reader.
bool is_finished(ReaderState& reader);
int event_fd(ReaderState& reader);
// Behind a look that found nothing, where the reader has a descriptor: it is readable once there may be something.
void arm_event_fd(ReaderState& reader);

}  // namespace SAPBUF_DETAIL
