#include "sapbuf/publisher.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;

// How long one reserve() may wait: short enough to notice a signal, and no shorter, because the stream's ledger counts
// each wait that led to nothing as a dropped message.
constexpr milliseconds kLongestSlice{200};

// A wait for room longer than this is worth a message.
constexpr std::chrono::seconds kWorthTelling{1};

// The user's timeout in equal parts.
milliseconds wait_slice(std::optional<milliseconds> timeout) {
  if (!timeout) return kLongestSlice;
  const auto longest = kLongestSlice.count();
  const auto parts = std::max<milliseconds::rep>(1, (timeout->count() + longest - 1) / longest);
  return milliseconds{(timeout->count() + parts - 1) / parts};
}

}  // namespace

Publisher::Publisher(const Segment& segment, const PubOptions& options)
    : writer_(segment, {.name = options.name, .timeout = wait_slice(options.timeout)}),
      timeout_(options.timeout),
      on_terminal_(::isatty(STDERR_FILENO) == 1) {}

Publisher::Result Publisher::publish_slow(std::string_view line, Status status) {
  const Clock::time_point began = Clock::now() - wait_slice(timeout_);  // the try that failed counts
  bool told = false;
  while (true) {
    switch (status) {
      case Status::ok:
        ++totals_.messages;
        totals_.bytes += line.size();
        return Result::taken;
      case Status::full:
        ++totals_.dropped;
        return Result::taken;
      case Status::too_large:
        ++totals_.too_large;
        return Result::too_large;
      case Status::timeout:
        break;
      default:
        throw Failure(kFailure, fmt::format("the stream takes no more messages: {}", to_string(status)));
    }
    if (stop_requested()) return Result::stopped;
    const Clock::duration waited = Clock::now() - began;
    if (timeout_ && waited >= *timeout_) return Result::timed_out;
    if (!told && waited >= kWorthTelling) {
      spdlog::info("waiting for room: no slab is free yet");
      told = true;
    }
    show_progress();
    status = writer_.write(line);
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
