// What the watchdog keeps of root's powers.
#pragma once

namespace sapbuf::tools {

// Gives up all capabilities but that to open the segments of all users; and those to see whom a process belongs to and
// to end it, if it is to kill. For this thread, and those that it makes from now on. Where it is to kill and has not
// the one that sees all processes (a container's root), it keeps what it has: then it sees into processes of its own
// user that have no more than it.
void keep_needed_capabilities(bool kills);

}  // namespace sapbuf::tools
