// Whether the name of a stream still leads to the stream that is open.
#pragma once

#include <chrono>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <string>

#include "common/segment_file.hpp"

namespace sapbuf::tools {

// A stream that was opened by its name, and the file that it was then.
struct NamedSegment {
  Segment segment;
  FileIdentity file;
};

// Throws sapbuf::Error.
NamedSegment open_named_segment(const std::string& name);

// One thread uses it.
class NameWatch {
 public:
  explicit NameWatch(const NamedSegment& stream) : segment_(stream.segment), file_(stream.file) {}

  // A second has gone by since the last look. Costs a look at the clock.
  bool is_due() const noexcept { return Clock::now() >= next_look_; }
  // Looks: the name was taken away, or leads to another stream now. Tells of it, the first time.
  bool is_gone();

 private:
  using Clock = std::chrono::steady_clock;

  const Segment segment_;
  const FileIdentity file_;
  Clock::time_point next_look_{};
  bool gone_ = false;
};

// Participants of a role in a stream that are there to be waited for: the dead are recovered first.
std::size_t count_participants(const Segment& segment, Role role);

}  // namespace sapbuf::tools
