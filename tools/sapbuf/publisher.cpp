#include "sapbuf/publisher.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

namespace {

struct Audience {
  std::uint64_t readers = 0;    // attached and alive, or durable and away
  std::uint64_t delivered = 0;  // messages, by all readers that there ever were
  bool is_awaited = false;      // the stream keeps everything for its first reader
};

Audience audience_of(const Stream& stream) {
  const Snapshot snapshot = inspect(stream.segment(), {.lag = false});
  Audience audience;
  if (const FacilitySnapshot* const found = find_stream(snapshot, stream.name())) {
    audience = {kept_for(*found->stream).size(), found->stream->departed.delivered, found->stream->awaits_first_reader};
  }
  for (const ParticipantSnapshot& participant : participants_of(snapshot, stream.name())) {
    if (participant.role != Role::reader) continue;
    if (participant.state != Liveness::dead) ++audience.readers;
    audience.delivered += participant.ledger.delivered;
  }
  return audience;
}

}  // namespace

Publisher::Publisher(const Stream& stream, const PubOptions& options)
    : stream_(stream),
      writer_(stream,
              {.name = options.name, .timeout = options.timeout.value_or(kForever), .stop = &detail::stop_flag}),
      room_watch_(stream),
      on_terminal_(::isatty(STDERR_FILENO) == 1) {
  const Audience audience = audience_of(stream_);
  delivered_before_ = audience.delivered;
  if (audience.readers == 0) {
    spdlog::warn("nobody reads {}: {}", title_of(stream_),
                 audience.is_awaited ? "it keeps messages for its first reader, and writers wait once it is full"
                                     : "messages are kept only until their slab is needed");
  }
}

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
      throw Failure(exit_code(status), fmt::format("the stream takes no more messages: {}", to_string(status)));
  }
}

void Publisher::finish() {
  if (const Status status = writer_.finish(); status != Status::ok) {
    throw Failure(exit_code(status), fmt::format("cannot say that no more comes: {}", to_string(status)));
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

void Publisher::show_summary() {
  spdlog::info("published {}; {} dropped, {} too large", rates(), human_count(totals_.dropped),
               human_count(totals_.too_large));
  room_watch_.look_at_name();
  warn_if_unread();
}

void Publisher::warn_if_unread() const {
  try {
    const Audience audience = audience_of(stream_);
    if (totals_.messages == 0 || audience.readers != 0) return;  // those that are attached get what is left
    spdlog::warn("{}: {}",
                 audience.delivered == delivered_before_
                     ? fmt::format("nobody has read the {}", counted(totals_.messages, "message"))
                     : "no reader is left, and some messages may not have been read",
                 nobody_left()         ? "they are lost"
                 : audience.is_awaited ? "the first reader that comes gets them"
                                       : "a reader that comes gets what still stands there then");
  } catch (const Error&) {
    // What is published is published: it is not this account that fails.
  }
}

}  // namespace sapbuf::tools
