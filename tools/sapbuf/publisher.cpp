#include "sapbuf/publisher.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

Publisher::Publisher(const Segment& segment, const PubOptions& options)
    : writer_(segment,
              {.name = options.name, .timeout = options.timeout.value_or(kForever), .stop = &detail::stop_flag}),
      room_watch_(segment),
      on_terminal_(::isatty(STDERR_FILENO) == 1) {}

Publisher::Result Publisher::publish_slow(Status status) {
  switch (status) {
    case Status::full:
      ++totals_.dropped;
      return Result::taken;
    case Status::too_large:
      ++totals_.too_large;
      return Result::too_large;
    case Status::timeout:
      return Result::timed_out;
    case Status::stopped:
      return Result::stopped;
    default:
      throw Failure(kFailure, fmt::format("the stream takes no more messages: {}", to_string(status)));
  }
}

std::string Publisher::rates() const {
  const double seconds = std::max(1e-6, std::chrono::duration<double>(Clock::now() - started_).count());
  return fmt::format("{} ({}) in {}: {} messages/s, {}/s", counted(totals_.messages, "message"),
                     human_bytes(totals_.bytes), human_duration(Clock::now() - started_),
                     human_rate(static_cast<double>(totals_.messages) / seconds),
                     human_bytes(static_cast<std::uint64_t>(static_cast<double>(totals_.bytes) / seconds)));
}

void Publisher::show_progress() {
  if (!on_terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now - shown_ < std::chrono::seconds{1}) return;
  shown_ = now;
  spdlog::info("{} so far", rates());
}

void Publisher::show_summary() const {
  spdlog::info("published {}; {} dropped, {} too large", rates(), human_count(totals_.dropped),
               human_count(totals_.too_large));
}

}  // namespace sapbuf::tools
