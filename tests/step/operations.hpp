// The operations that a participant is stepped through, each with what comes before it.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "step/acts.hpp"
#include "step/world.hpp"

namespace sapbuf::test {

struct Operation {
  const char* name;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  // In the parent, before the victim is made.
  std::function<void(World&)> before = [](World&) {};
  Part victim;
};

std::span<const Operation> operations();

// The second stream of a segment.
inline constexpr std::string_view kOtherStream = "orders";

// Creation and removal, of segments and of streams, have no messages to look at: they are checked by what comes after
// them.
struct Lifecycle {
  const char* name;
  std::function<void(const std::string& segment_name)> before = [](const std::string&) {};
  std::function<void(const std::string& segment_name)> act;
};
std::span<const Lifecycle> lifecycles();

}  // namespace sapbuf::test
