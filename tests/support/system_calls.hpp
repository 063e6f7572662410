// Which system calls a piece of code makes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sapbuf::test {

// Runs in a child: comes to where the operation begins, and returns the operation. What it made lives as long as that.
using Prepare = std::function<std::function<void()>()>;

// The numbers of the system calls that the operation made, in their order; the first ones, if they are many. None of them
// is carried out. Nothing where the system does not let a process look (seccomp(2)). Throws if the child ends before the
// operation does.
std::optional<std::vector<long>> system_calls_of(const Prepare& prepare);

// Why the calls of an operation, which may read clocks, cannot be judged here; empty if they can.
std::string why_calls_cannot_be_seen();

}  // namespace sapbuf::test
