#include "sapbuf/framing.hpp"

#include "sapbuf/length_prefix.hpp"

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

void put_framed(Output& output, Framing framing, std::string_view bytes, std::uint16_t type) {
  if (framing == Framing::length_prefix) {
    const auto prefix = LengthPrefix{static_cast<std::uint32_t>(bytes.size()), type}.bytes();
    output.put({prefix.data(), prefix.size()});
    return output.put(bytes);
  }
  if (framing != Framing::null) return output.line(bytes);
  output.put(bytes);
  output.put({"\0", 1});
}

}  // namespace sapbuf::tools
