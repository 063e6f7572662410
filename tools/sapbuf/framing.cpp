#include "sapbuf/framing.hpp"

namespace sapbuf::tools {

FramingFlags add_framing(CLI::App& command, Framing& framing, CLI::Option* other) {
  CLI::Option* const null = command.add_flag_callback(
      "-0,--null", [&framing] { framing = Framing::null; },
      "A byte 0 behind each message instead of a newline, as in find -print0 and xargs -0");
  CLI::Option* const length_prefix = command.add_flag_callback(
      "--length-prefix", [&framing] { framing = Framing::length_prefix; },
      "Before each message 6 bytes: its size (32 bits) and its type (16 bits), unsigned, little-endian; for any bytes");
  length_prefix->excludes(null);
  if (other != nullptr) other->excludes(null)->excludes(length_prefix);
  return {.null = null, .length_prefix = length_prefix};
}

}  // namespace sapbuf::tools
