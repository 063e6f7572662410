// Which stream a command line means: NAME is the stream `main` of segment NAME, NAME/STREAM another one.
#pragma once

#include <sapbuf/stream.hpp>
#include <string>
#include <string_view>

namespace sapbuf::tools {

struct StreamName {
  std::string segment;
  std::string stream{kMainStream};
  bool whole_segment = true;  // no stream was named: for commands that do something else then

  // As short as it can be typed: "ticks", "ticks/orders".
  std::string text() const;
};

// Throws Failure: something is missing before or behind the slash, or there is more than one.
StreamName parse_stream_name(std::string_view text);

// How people are told of something that has to do with a stream, or another facility.
std::string title_of(std::string_view segment, std::string_view facility);
std::string title_of(const Stream& stream);

// Throws Error.
Stream open_stream(const StreamName& name);

}  // namespace sapbuf::tools
