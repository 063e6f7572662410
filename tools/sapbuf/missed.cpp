#include "sapbuf/missed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/human.hpp"

namespace sapbuf::tools {

bool will_resume(const Stream& stream, const ReaderOptions& options) {
  return options.durable && std::ranges::any_of(stream.durable_readers(), [&](const DurableReaderInfo& reader) {
           return reader.name == options.name;
         });
}

std::string missed_text(const Reader& reader) {
  if (!reader.missed_any()) return {};
  const auto missed = reader.missed_before();
  if (!missed) return "messages were gone before this reader came, and nobody counted them";
  return fmt::format("{} {} before this reader came", counted(*missed, "message"),
                     *missed == 1 ? "was gone" : "were gone");
}

}  // namespace sapbuf::tools
