// When a peer truncates the segment's file: whoever then touches a page that is gone gets SIGBUS, and dies of it unless
// somebody handles it.
#pragma once

#include <sapbuf/abi.hpp>
#include <sapbuf/segment.hpp>

SAPBUF_BEGIN

// From now on this process survives the truncation of any segment that it has open or opens later, of named ones and of
// memory that came with a descriptor. What it has mapped of that segment becomes private zeros at the same addresses,
// so that nothing it goes on to do can reach the others; the segment is corrupt for it from then on: calls that give a
// status say Status::corrupt, readers, cells and cold calls throw Errc::corrupt, other segments are not touched. A
// range, a reservation or a buffer that is in use at that moment stays addressable, and reads as zeros; what is
// committed into it is lost.
//
// Installs a handler for SIGBUS, for the whole process and for good; calling it again does nothing. A SIGBUS of any
// other origin goes to the handler that was there before, or ends the process as it would have. A handler that the
// program installs later takes its place, and should pass on to it what is not its own. Memory of huge pages is not
// covered. Throws Errc::system.
void survive_truncation();

// Whether that has happened to the segment in this process. Thread-safe.
bool was_truncated(const Segment& segment);

SAPBUF_END
