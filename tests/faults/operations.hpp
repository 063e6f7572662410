// What programs do with streams, each in a world of its own, to be tried with every call of it failing in turn.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {

// What a reader got of the writer: takes no memory, which could be refused.
struct Delivered {
  std::array<std::uint32_t, 1024> numbers{};
  std::size_t count = 0;
  std::size_t wrong = 0;  // torn, or nobody's

  void read(Reader& reader);
  bool in_order() const;
};

// A stream's surroundings: made anew for each fault.
struct World {
  TestName name;
  SegmentOptions options;
  std::optional<Segment> segment;
  std::optional<Reader> reader;
  std::optional<Writer> writer;
  std::optional<Writer> idler;  // has an extent open, and does nothing
  Delivered delivered;          // to the reader
  std::uint32_t number = 0;     // of the writer's next message
  std::uint32_t accepted = 0;   // of its messages
};

struct Operation {
  const char* name;
  SegmentOptions options;
  std::function<void(World&)> before;
  std::function<void(World&)> act;  // may be repeated after `undo`
  std::function<void(World&)> undo = [](World&) {};
  // Whether `act` succeeds by throwing nothing only. Others swallow what went wrong: a detach, a write that may be
  // refused.
  bool makes_segment = false;  // where it fails, there must be nothing under the name
};
const std::vector<Operation>& operations();
inline std::ostream& operator<<(std::ostream& out, const Operation& operation) { return out << operation.name; }

}  // namespace sapbuf::test
