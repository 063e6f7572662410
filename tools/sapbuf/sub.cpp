// sapbuf sub: writes what comes in to standard output, each message on a line.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/name_watch.hpp"

namespace sapbuf::tools {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct SubOptions {
  std::string stream;
  ReaderOptions reader;
  std::uint64_t count = UINT64_MAX;
  std::optional<milliseconds> idle_exit;
  bool hold = false;
};

class Subscription {
 public:
  Subscription(const NamedSegment& stream, const SubOptions& options)
      : options_(options), segment_(stream.segment), name_(stream), reader_(stream.segment, options.reader) {}

  int follow() {
    try {
      follow_to_the_end();
    } catch (const Error&) {
      output_.flush();  // what was delivered before the stream broke
      throw;
    }
    output_.flush();
    tell_lost(true);
    show_summary();
    return exit_status();
  }

  int hold() {
    idle_since_ = Clock::now();
    while (!reader_.wait_for(milliseconds{0})) {
      if (stop_requested() || !wait()) return exit_status();
    }
    const PinnedRange range = reader_.pin();
    range.begin();  // stands on the first message: whoever dies now dies while reading it
    spdlog::info("holding {} of {} (pid {}, slot {}) until a signal comes", held_generations(), options_.stream,
                 ::getpid(), reader_.slot());
    while (!stop_requested()) {
      sleep_unless_stopped(std::chrono::seconds{1});
      name_.is_gone();
    }
    spdlog::info("letting go");
    return kDone;
  }

 private:
  void follow_to_the_end() {
    idle_since_ = Clock::now();
    while (written_ < options_.count && !stop_requested() && !output_.closed()) {
      if (drain()) continue;
      output_.flush();
      if (!wait()) return;
    }
  }

  // Takes over what is there. False if nothing was.
  bool drain() {
    const std::uint64_t before = written_;
    if (before == 0) first_at_ = Clock::now();
    for (const Frame& frame : reader_.pin()) {
      output_.line(frame.bytes());
      bytes_ += frame.bytes().size();
      ++written_;
      // Nothing is pinned while a slow output takes the buffer.
      if (written_ == options_.count || output_.nearly_full() || stop_requested()) [[unlikely]] {
        break;
      }
    }
    if (output_.nearly_full()) output_.flush();
    tell_lost(false);
    if (written_ == before) return false;
    idle_since_ = Clock::now();
    if (name_.is_due()) name_.is_gone();
    return true;
  }

  // Until something comes. False if it is time to end.
  bool wait() {
    while (!stop_requested() && !output_.look_if_closed()) {
      if (name_.is_due() && nobody_writes_any_more()) return reader_.wait_for(milliseconds{0});
      milliseconds slice = kStopSlice;
      if (options_.idle_exit) {
        const auto idle = std::chrono::duration_cast<milliseconds>(Clock::now() - idle_since_);
        slice = std::clamp(*options_.idle_exit - idle, milliseconds{0}, slice);
      }
      if (reader_.wait_for(slice)) return true;
      if (options_.idle_exit && Clock::now() - idle_since_ >= *options_.idle_exit) return false;
    }
    return false;
  }

  // The stream was removed, and the last writer has left it: once what stands there is read, that was all.
  bool nobody_writes_any_more() {
    if (!name_.is_gone() || count_participants(segment_, Role::writer) != 0) return false;
    ended_ = true;
    return true;
  }

  int exit_status() const {
    if (!ended_) return kDone;
    spdlog::error("{} was {}, and nobody is left in it to write more", options_.stream, name_.what_happened());
    return kNoSegment;
  }

  // In a stream that overwrites: as losses are noticed, but not more than once a second.
  void tell_lost(bool at_once) {
    const std::uint64_t lost = reader_.lost();
    if (lost == lost_told_) return;
    const Clock::time_point now = Clock::now();
    if (!at_once && now - told_at_ < std::chrono::seconds{1}) return;
    spdlog::warn("lost {}, overwritten before they were read ({} so far)", counted(lost - lost_told_, "message"),
                 human_count(lost));
    lost_told_ = lost;
    told_at_ = now;
  }

  // The time from the first message to the last one: waiting for them says nothing about the rate.
  void show_summary() const {
    const Clock::duration time = written_ == 0 ? Clock::duration{} : idle_since_ - first_at_;
    const double seconds = std::max(1e-6, std::chrono::duration<double>(time).count());
    spdlog::info("delivered {} ({}) in {}: {} messages/s; {} lost", counted(reader_.delivered(), "message"),
                 human_bytes(bytes_), human_duration(time), human_rate(static_cast<double>(written_) / seconds),
                 human_count(reader_.lost()));
  }

  std::string held_generations() const {
    for (const ParticipantSnapshot& participant : inspect(segment_).participants) {
      if (participant.slot == reader_.slot() && !participant.held_generations.empty()) {
        return generations(participant.held_generations);
      }
    }
    return "the oldest slab";
  }

  const SubOptions& options_;
  const Segment segment_;
  NameWatch name_;
  Reader reader_;
  Output output_;
  std::uint64_t written_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_told_ = 0;
  bool ended_ = false;  // nothing can come any more
  Clock::time_point told_at_{};
  Clock::time_point idle_since_{};  // since the last message, or since the beginning
  Clock::time_point first_at_{};
};

int sub(const SubOptions& options) {
  Subscription subscription{open_named_segment(options.stream), options};
  try {
    return options.hold ? subscription.hold() : subscription.follow();
  } catch (const Error& error) {
    // It was a good segment when it was opened: this is not "no such segment".
    throw Failure(kFailure, error.what());
  }
}

From parse_from(const std::string& text) {
  if (text == "oldest") return From::oldest;
  if (text == "newest") return From::newest;
  throw CLI::ValidationError("--from", fmt::format("'{}' is none of oldest|newest", text));
}

}  // namespace

void add_sub(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<SubOptions>();
  CLI::App* command = app.add_subcommand("sub", "Follow a stream: each message and a newline to standard output");
  command->add_option("NAME", options->stream, "The stream's name")->required();
  command->add_option("--name", options->reader.name, "The reader's name, for people")
      ->type_name("ID")
      ->default_str("program and pid");
  command
      ->add_option_function<std::string>(
          "--from", [options](const std::string& text) { options->reader.from = parse_from(text); },
          "Begin with what still stands in the stream, or with what comes from now on")
      ->type_name("oldest|newest")
      ->default_str("oldest");
  auto* count = add_count(
      *command, "--count", "End after so many messages", [options](std::uint64_t value) { options->count = value; },
      "follow until stopped");
  add_milliseconds(
      *command, "--idle-exit", "End when nothing came for so long; 0: take what is there and end",
      [options](milliseconds value) { options->idle_exit = value; }, "wait for ever");
  command->add_flag("--hold", options->hold, "Pin the oldest slab and sleep until a signal comes, to try recovery out")
      ->excludes(count);
  command->callback([options, &chosen] { chosen = [options] { return sub(*options); }; });
}

}  // namespace sapbuf::tools
