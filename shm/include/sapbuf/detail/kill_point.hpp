// Named places between two stores where a test can stop or kill the process. In release builds they are nothing at all.
#pragma once

#ifdef SAPBUF_KILL_POINTS

#include <functional>
#include <string_view>

namespace sapbuf::kill_point {

// Calls `action` when this process comes to the kill point `name` for the `nth` time from now on (1: the next time);
// the name "*" stands for all of them. One at a time per process; a new call replaces the old one. The action may end
// the process, stop it, or return.
void arm(std::string_view name, std::function<void()> action, unsigned nth = 1);
void disarm();
void reached(std::string_view name) noexcept;

}  // namespace sapbuf::kill_point

#define SAPBUF_KILL_POINT(name) ::sapbuf::kill_point::reached(name)
#else
#define SAPBUF_KILL_POINT(name) static_cast<void>(0)
#endif
