// What a reader does not get of what was there before it came.
#pragma once

#include <sapbuf/reader.hpp>
#include <sapbuf/stream.hpp>
#include <string>

namespace sapbuf::tools {

// Whether a reader that is made so will go on in the place of a durable one.
bool will_resume(const Stream& stream, const ReaderOptions& options);

// "14 messages were gone before this reader came"; empty if none were.
std::string missed_text(const Reader& reader);

}  // namespace sapbuf::tools
