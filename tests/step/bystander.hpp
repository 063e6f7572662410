// Somebody in another process who comes to a named point, and dies or stops there.
#pragma once

#include <functional>
#include <memory>

#include <sapbuf/detail/kill_point.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

// False: it came to its end.
bool dies_at(KillPoint kill_point, unsigned nth, const std::function<void()>& live);
// Stopped (SIGSTOP) there; null: it came to its end. Throws if it does neither, or fails.
std::unique_ptr<Child> stopped_at(KillPoint kill_point, const std::function<void()>& live);

}  // namespace sapbuf::test
