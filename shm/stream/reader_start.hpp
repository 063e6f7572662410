// Attaching as a reader: the position is chosen and held under the maintenance lock, so that nothing can be reclaimed
// in between. What a reader of the newest leaves out is walked through behind it: writers flip meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "segment/registry.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

struct ReaderState;

struct ReaderStart {
  Attachment attachment;
  // That the reader begins with, the oldest first; they are held, or pinned, in its slot.
  std::vector<SlabGeneration> generations;
  std::optional<std::uint32_t> durable;       // its record, of a durable reader
  std::optional<std::uint64_t> resumes_from;  // the generation that the reader before it had come to
};

// Throws Error (as the constructor of Reader).
ReaderStart attach_reader(StreamCore& core, const ReaderOptions& options);

// For a durable reader that goes on where another one left off.
void resume_position(ReaderState& reader, std::uint64_t from_generation);

// For a reader of the newest that has just attached: what was committed before is not its own.
void skip_what_is_there(ReaderState& reader);

}  // namespace SAPBUF_DETAIL
