// What the watchdog keeps of root's powers.
#pragma once

namespace sapbuf::tools {

// Gives up all capabilities but that to open the segments of all users; and those to see whom a process belongs to and
// to end it, if it is to kill. For this thread, and those that it makes from now on. A process without capabilities is
// left as it is.
void keep_needed_capabilities(bool kills);

}  // namespace sapbuf::tools
