// What the crash sweep tries: a victim in the midst of an operation, with all that surrounds it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "step/moments.hpp"

namespace sapbuf::test {

// Who recovers what the dead left.
enum class Healer {
  recoverer,     // somebody who calls recover(), as the watchdog does
  blocked_peer,  // nobody does: whoever waits for room, or for a buffer, must come to it by himself
};

// Made anew for each kill.
struct Experiment {
  virtual ~Experiment() = default;
  virtual const std::string& segment_name() const = 0;
  // Once the victim was killed: says what is wrong; nothing if all is right.
  virtual std::string judge(Healer healer) = 0;

  std::unique_ptr<SharedBytes> bytes;
  std::unique_ptr<SteppedProcess> victim;
};
using MakeExperiment = std::function<std::unique_ptr<Experiment>()>;

// The same beside a live participant that is stopped at a named point. Throws std::runtime_error where nobody comes there.
struct Beside {
  std::string_view point;
  MakeExperiment make;
};

struct Operation {
  const char* name;
  MakeExperiment alone;
  std::vector<Beside> beside;
};

std::vector<Operation> stream_operations();
std::vector<Operation> pool_operations();
std::vector<Operation> map_operations();
std::vector<Operation> queue_operations();

// Creation and removal, of segments, streams and pools: they are checked by what comes after them.
struct Lifecycle {
  const char* name;
  MakeExperiment alone;
};
std::vector<Lifecycle> lifecycles();

// Where the participants' heartbeats are in the segment.
std::vector<std::size_t> heartbeats(const Segment& segment);

}  // namespace sapbuf::test
