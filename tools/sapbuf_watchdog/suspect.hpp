// Whether a process may be held to what a segment says of it.
#pragma once

#include <sys/types.h>

#include <sapbuf/inspect.hpp>
#include <string>

namespace sapbuf::tools {

// Why it may not; empty if it may. Whoever may write to a segment writes what he likes into its slots, the pid and
// start time of any process among them. So a process answers for it only if the kernel says that it has this very file
// mapped, shared and for writing, and if its owner has a say in the stream: as root, as the file's owner, or by the file's mode. Says
// of the pid what is so now: whoever acts on it holds a pidfd, and asks that one afterwards whether its process was
// there all the time.
std::string reason_to_spare(pid_t pid, const BackingFile& file);

}  // namespace sapbuf::tools
