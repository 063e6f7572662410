#include "common/stream_name.hpp"

#include <fmt/format.h>

#include "common/exit_code.hpp"

namespace sapbuf::tools {

std::string StreamName::text() const { return title_of(segment, stream); }

StreamName parse_stream_name(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    throw Failure(kUsage, fmt::format("'{}' names no stream: {} (NAME is the stream '{}' of segment NAME, NAME/STREAM "
                                      "another one)",
                                      text, why, kMainStream));
  };
  const std::size_t slash = text.find('/');
  StreamName name{.segment = std::string{text.substr(0, slash)}};
  if (name.segment.empty()) refuse("the segment's name is missing");
  if (slash == std::string_view::npos) return name;
  name.stream = text.substr(slash + 1);
  name.whole_segment = false;
  if (name.stream.empty()) refuse("nothing stands behind the slash");
  if (name.stream.find('/') != std::string::npos) refuse("it has more than one slash");
  return name;
}

std::string title_of(std::string_view segment, std::string_view facility) {
  return facility == kMainStream ? std::string{segment} : fmt::format("{}/{}", segment, facility);
}

std::string title_of(const Stream& stream) { return title_of(stream.segment().name(), stream.name()); }

Stream open_stream(const StreamName& name) { return Stream::open(Segment::open(name.segment), name.stream); }

}  // namespace sapbuf::tools
