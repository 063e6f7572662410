// Who stops a facility: the one lock that flips, recovery and attaching need, and who keeps it from them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/duration.hpp>

SAPBUF_BEGIN

class Segment;

// A process with a descriptor through which a byte of a segment's file is locked.
struct LockHolder {
  std::int32_t pid = 0;
  std::string program;       // as it calls itself, printable
  bool for_reading = false;  // no participant takes such locks, but whoever may read the file can
  std::string facility{};    // whose lock it is: a stream, pool, map, queue or cell of the segment
};

// Nothing if each facility's lock can be had within `patience` (an hour at most): participants hold it for microseconds. Otherwise
// one of them is stopped, or a stranger has locked the file; who it is, as far as this process may see that (root: all;
// nobody who keeps the lock by a mapping alone). Takes the locks for a moment; looks through /proc, which takes
// milliseconds. Any thread, any number at once. Throws Errc::corrupt if the segment was truncated, Errc::forked.
std::optional<std::vector<LockHolder>> find_lock_holders(const Segment& segment,
                                                         Milliseconds patience = std::chrono::milliseconds{100});

// "pid 12, program; pid 13, other, a lock for reading"; empty for nobody.
std::string to_string(std::span<const LockHolder> holders);

SAPBUF_END
