// How messages, and blocks, are told from each other in a sequence of bytes: what `sub` and `queue pop` write, and `pub`
// and `queue push` read.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string_view>

#include "common/output.hpp"

namespace sapbuf::tools {

enum class Framing {
  lines,          // a newline behind each
  null,           // a byte 0 behind each
  length_prefix,  // length_prefix.hpp
  json,           // an object a line; only written
};

// --null and --length-prefix, which exclude each other, and one more if it is given: `other`.
struct FramingFlags {
  CLI::Option* null;
  CLI::Option* length_prefix;
};
FramingFlags add_framing(CLI::App& command, Framing& framing, CLI::Option* other = nullptr);

// Not as JSON, which each tool makes its own.
void put_framed(Output& output, Framing framing, std::string_view bytes, std::uint16_t type);

}  // namespace sapbuf::tools
