// How far a reader has come, as its slot says it, and how far it is behind.
//
// What a reader has to come to is what stands in the generations that it has not finished, less what it has gone over
// there. It says both in its slot when it leaves a generation; what it counts anyway, each range, does the rest. So a
// message costs nothing, late attachment makes no difference, and the two policies and orders are alike.
#pragma once

#include <optional>
#include <vector>

#include <sapbuf/layout/stream_slot.hpp>

#include "stream/frames.hpp"
#include "stream/reader_window.hpp"
#include "stream/slabs.hpp"

namespace SAPBUF_DETAIL {

// By the owner. `passed`: of all generations from `front` on.
void store_front(layout::StreamSlot& slot, std::uint64_t front, const Passed& passed) noexcept;

// The messages that stand in the `size` bytes from `begin` on.
Passed count_messages(const std::byte* begin, std::uint64_t size, Unwritten unwritten) noexcept;

struct ReaderProgress {
  std::uint64_t front;
  Passed passed;  // of all generations from `front` on
};
// Nothing while the reader attaches, or moves on each time that it is looked at.
std::optional<ReaderProgress> load_progress(const layout::StreamSlot& slot) noexcept;

// The messages that stand in a generation: those that are committed. `passed` of a reader that has read all of it.
struct GenerationContent {
  std::uint64_t generation;
  Passed messages;
};
// Of the generations from `front` on that can be read, the oldest first. One that is reclaimed meanwhile is left out.
std::vector<GenerationContent> count_standing(StreamCore& core, std::uint64_t front);

// What is left for a reader to come to. In a stream that overwrites, too much by what it has gone over where its `front`
// is not there any more: until it has noticed.
Passed count_left(const std::vector<GenerationContent>& standing, const ReaderProgress& progress) noexcept;

}  // namespace SAPBUF_DETAIL
