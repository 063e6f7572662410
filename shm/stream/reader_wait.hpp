// A reader that found nothing: it spins, then sleeps between its looks.
#pragma once

#include "stream/reader_state.hpp"

namespace sapbuf::detail {

// See Reader::wait_for.
bool wait(ReaderState& reader, std::uint64_t deadline_ns);

}  // namespace sapbuf::detail
