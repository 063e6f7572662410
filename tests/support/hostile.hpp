// Memory that others may have filled with anything: a busy segment to damage, and what participants and onlookers do in
// it. Whoever finds a frame or a reservation outside the slabs throws std::logic_error, which no test takes for an
// answer.
#pragma once

#include "stream/stream_core.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {

struct Region {
  const char* name;
  std::uint64_t begin;
  std::uint64_t end;
};

// Control, slots, descriptors, extents, attached buffers, frames, and all of these.
std::vector<Region> regions_of(const Segment& segment);

// A segment in the midst of things: slabs in use, a writer with an open frame, a reader half-way, messages of all
// sizes.
struct Busy {
  explicit Busy(const SegmentOptions& options, std::uint32_t messages = 60);
  HeapSegment segment;
  Reader reader{segment};
  Writer first{segment, {.timeout = std::chrono::milliseconds{0}}};
  Writer second{segment, {.timeout = std::chrono::milliseconds{0}}};
  Log log;
  Reservation open = second.reserve(40);
};

// Called wherever a participant could be interrupted and is not inside the library.
using Pause = std::function<void()>;

// Looks at each byte of a frame, or writes each byte of a reservation.
void touch(const Segment& segment, std::span<const std::byte> frame);
void touch(const Segment& segment, const Frame& frame);  // and at what is attached to it
void overwrite(const Segment& segment, std::span<std::byte> reservation);

void inspect_all(const Segment& segment);
void dump_all(
    const Segment& segment, const Pause& pause = [] {});
// All that there is, in up to three ranges; waits up to `patience` before each but the first.
void read_all(
    const Segment& segment, From from, std::chrono::nanoseconds patience, const Pause& pause = [] {});
// Thirty messages of all sizes; some are shortened, some aborted.
void write_many(
    const Segment& segment, std::chrono::milliseconds timeout, const Pause& pause = [] {});
// A writer and a reader that take turns.
void write_and_read(
    const Segment& segment, std::chrono::milliseconds timeout, const Pause& pause = [] {});

}  // namespace sapbuf::test
