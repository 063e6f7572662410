#include "sapbuf/durable_option.hpp"

#include <fmt/format.h>

#include "common/command_line.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kLongestName = 63;  // of a durable reader, which is known by it

DurableOptions& limits_of(ReaderOptions& reader) {
  if (!reader.durable) reader.durable.emplace();
  return *reader.durable;
}

}  // namespace

void add_durable(CLI::App& command, ReaderOptions& reader, CLI::Option* name) {
  CLI::Option* const durable = command.add_flag_callback(
      "--durable", [&reader] { limits_of(reader); },
      "Keep the reader's place in the stream under its --name, and go on there next time; until then the stream keeps "
      "what comes, within the limits that the last reader of that name has set");
  durable->needs(name);
  command.parse_complete_callback([&reader] {
    const std::size_t bytes = reader.durable ? reader.name.size() : 1;
    if (bytes == 0 || bytes > kLongestName) {
      throw CLI::ValidationError("--name",
                                 fmt::format("a durable reader's has 1 to {} bytes, not {}", kLongestName, bytes));
    }
  });
  add_size(
      command, "--keep-bytes", "With --durable: keep so much at most while the reader is away, in whole slabs",
      [&reader](std::uint64_t value) { limits_of(reader).max_bytes = value; }, "all slabs")
      ->needs(durable);
  add_milliseconds(
      command, "--keep-for", "With --durable: keep nothing once the reader has been away so long",
      [&reader](std::chrono::milliseconds value) { limits_of(reader).max_away = value; }, "for ever", 1)
      ->needs(durable);
}

}  // namespace sapbuf::tools
