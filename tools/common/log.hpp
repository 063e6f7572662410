// Messages go to standard error through spdlog, each one printable line; standard output is for data only.
#pragma once

namespace sapbuf::tools {

enum class LogStyle {
  brief,    // "sapbuf: warning: text", for somebody who sits in front of it
  stamped,  // the same behind the time of day, for a daemon's log
};

// Where standard error is the journal, which knows the program and the time by itself, neither: then messages carry
// their level for it instead.
void set_up_log(const char* program, LogStyle style);

}  // namespace sapbuf::tools
