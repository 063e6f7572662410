// Messages as `sapbuf pub` and `sapbuf queue push` read them.
#pragma once

#include <cstdint>
#include <string_view>

#include "sapbuf/framing.hpp"
#include "sapbuf/line_source.hpp"
#include "sapbuf/prefixed_source.hpp"

namespace sapbuf::tools {

class MessageInput {
 public:
  using Next = PrefixedSource::Next;

  MessageInput(Framing framing, std::size_t largest)
      : is_prefixed_(framing == Framing::length_prefix),
        lines_(largest, framing == Framing::null ? '\0' : '\n'),
        prefixed_(largest) {}

  // As those of the sources.
  void open(int fd) noexcept {
    lines_.open(fd);
    prefixed_.open(fd);
  }
  // `type` is set where the input says it.
  Next next(std::string_view& message, std::uint16_t& type) {
    return is_prefixed_ ? prefixed_.next(message, type) : of_line(lines_.next(message));
  }

 private:
  static Next of_line(LineSource::Next next) noexcept {
    switch (next) {
      case LineSource::Next::line:
        return Next::message;
      case LineSource::Next::too_long:
        return Next::too_large;
      case LineSource::Next::end:
        return Next::end;
      case LineSource::Next::stopped:
        return Next::stopped;
      case LineSource::Next::failed:
        break;
    }
    return Next::failed;
  }

  const bool is_prefixed_;
  LineSource lines_;
  PrefixedSource prefixed_;
};

}  // namespace sapbuf::tools
