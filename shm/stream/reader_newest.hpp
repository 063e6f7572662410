// Leaving out all that is there but the newest message.
#pragma once

#include "stream/reader_state.hpp"

namespace SAPBUF_DETAIL {

// See Reader::skip_to_newest.
std::uint64_t skip_to_newest(ReaderState& reader);

}  // namespace SAPBUF_DETAIL
