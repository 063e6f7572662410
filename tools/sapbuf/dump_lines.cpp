#include "sapbuf/dump_lines.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <sapbuf/error.hpp>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

struct EnoughLines {};

}  // namespace

void DumpLines::add(std::string_view line) {
  if (stop_requested() || output_.closed()) throw EnoughLines{};
  ++lines_;
  output_.put(line);
}

int DumpLines::run(const std::function<void()>& walk, std::string_view one, std::string_view several) {
  try {
    walk();
  } catch (const EnoughLines&) {
    // Whoever asked for the rest does not want it any more.
  } catch (const Error&) {
    if (lines_ != 0) output_.flush();  // what was seen before the bytes stopped making sense
    throw;
  }
  output_.flush();
  if (!output_.closed()) spdlog::info("{} {}", human_count(lines_), lines_ == 1 ? one : several);
  return kDone;
}

}  // namespace sapbuf::tools
