// sapbuf replay: publishes what sapbuf record wrote, at the pace at which it came; or says what is in a recording.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "common/terminal.hpp"
#include "recording/recording_reader.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/pace.hpp"
#include "sapbuf/publisher.hpp"
#include "sapbuf/recording_failure.hpp"
#include "sapbuf/replay_info.hpp"
#include "sapbuf/tell_stopped.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds kReplayProgressEvery{1};
constexpr std::uint64_t kLargeMessagesTold = 10;

struct ReplayOptions {
  std::string file;
  std::string stream;  // as it was typed
  PubOptions pub;
  std::optional<double> speed{1};  // nothing: as fast as can be
  milliseconds from{0};
  std::optional<milliseconds> to;
  bool loop = false;
  bool info = false;
  bool verify = false;
  bool json = false;
};

class Replay {
 public:
  Replay(const Stream& stream, const ReplayOptions& options)
      : options_(options),
        reader_(options.file),
        last_(reader_.summarize(false).last),
        publisher_(stream, options.pub),
        pace_(options.speed),
        on_terminal_(::isatty(STDERR_FILENO) == 1) {}

  ExitCode run() {
    bool at_end = false;
    do {
      messages_this_time_ = lost_this_time_ = 0;
      reader_.seek(options_.from);
      pace_.restart();
      at_end = play();
      all_was_played_ = all_was_played_ || at_end;
    } while (options_.loop && messages_this_time_ != 0 && !stop_requested());
    if (options_.pub.finish && at_end) publisher_.finish();
    publisher_.show_summary();
    tell_what_is_missing();
    if (publisher_.nobody_left()) {
      spdlog::error("{} was removed, and nobody is left in it to read what comes", options_.stream);
      return kNoSegment;
    }
    if (!all_was_played_) {
      tell_stopped(counted(publisher_.totals().messages, "message"), "published");
      return kFailure;
    }
    return publisher_.totals().too_large != 0 || reader_.damage().places != 0 ? kFailure : kDone;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // False: it was stopped before the end.
  bool play() {
    while (const recording::Record* const record = reader_.next()) {
      if (options_.to && record->at > *options_.to) return true;
      if (record->kind == recording::RecordKind::loss) {
        lost_this_time_ += record->lost;
        continue;
      }
      while (!stop_requested() && !pace_.wait_until_due(record->at, kStopSlice)) show_progress(record->at);
      if (stop_requested() || !publish(*record)) return false;
      show_progress(record->at);
    }
    return true;
  }

  // False if the replay is over.
  bool publish(const recording::Record& record) {
    ++messages_this_time_;
    switch (publisher_.publish({reinterpret_cast<const char*>(record.payload.data()), record.payload.size()},
                               record.type)) {
      case Publisher::Result::too_large:
        tell_too_large(record);
        return true;
      case Publisher::Result::stopped:
        return false;
      default:
        return true;
    }
  }

  void tell_too_large(const recording::Record& record) const {
    const std::uint64_t so_far = publisher_.totals().too_large;
    if (so_far > kLargeMessagesTold) return;
    spdlog::error("the message of {} at {} is too large for {}{}", counted(record.payload.size(), "byte"),
                  human_duration(record.at), options_.stream,
                  so_far == kLargeMessagesTold ? "; further ones are only counted" : "");
  }

  void show_progress(nanoseconds at) {
    if (!on_terminal_) return;
    const Clock::time_point now = Clock::now();
    if (now - shown_ < kReplayProgressEvery) return;
    shown_ = now;
    spdlog::info("{} so far; at {} of {}", counted(publisher_.totals().messages, "message"), human_duration(at),
                 human_duration(last_));
  }

  void tell_what_is_missing() const {
    if (messages_this_time_ == 0 && !stop_requested()) spdlog::warn("{} has no messages there", options_.file);
    if (lost_this_time_ != 0) {
      spdlog::warn("{} had been lost before they were recorded", counted(lost_this_time_, "message"));
    }
    if (const auto text = unfinished_text(reader_, reader_.torn_bytes()); !text.empty()) {
      spdlog::warn("{}: {}", options_.file, text);
    }
    if (const auto text = damage_text(reader_.damage()); !text.empty()) spdlog::error("{} is {}", options_.file, text);
  }

  const ReplayOptions& options_;
  recording::RecordingReader reader_;
  const nanoseconds last_;
  Publisher publisher_;
  Pace pace_;
  const bool on_terminal_;
  bool all_was_played_ = false;  // once at the least
  std::uint64_t messages_this_time_ = 0;
  std::uint64_t lost_this_time_ = 0;
  Clock::time_point shown_ = Clock::now();
};

int show_info(const ReplayOptions& options) {
  recording::RecordingReader reader{options.file};
  const recording::Summary summary = reader.summarize(options.verify);
  print(options.json ? recording_json(options.file, reader, summary)
                     : wrapped(recording_text(options.file, reader, summary), output_width()));
  return summary.damage.places == 0 ? kDone : kProblemsLeft;
}

int replay(const ReplayOptions& options) {
  if (options.info) return with_recording_failures([&] { return show_info(options); });
  if (options.stream.empty()) throw Failure(kUsage, "NAME is required: the stream to publish to; or --info");
  if (options.to && *options.to < options.from) throw Failure(kUsage, "--to-time is before --from-time");
  return with_recording_failures([&]() -> int {
    return Replay{open_stream(parse_stream_name(options.stream)), options}.run();
  });
}

double parse_speed(const std::string& text) {
  double speed = 0;
  if (!CLI::detail::lexical_cast(text, speed) || !std::isfinite(speed) || speed <= 0) {
    throw CLI::ValidationError("--speed", fmt::format("'{}' is no number above 0, such as 2 or 0.5", text));
  }
  return speed;
}

// Returns what is for publishing only.
std::vector<CLI::Option*> add_pace(CLI::App& command, const std::shared_ptr<ReplayOptions>& options) {
  CLI::Option* const speed =
      command
          .add_option_function<std::string>(
              "--speed", [options](const std::string& text) { options->speed = parse_speed(text); },
              "So many times as fast as it was; 0.5: half as fast")
          ->type_name("X")
          ->default_str("1");
  CLI::Option* const unpaced = command.add_flag_callback(
      "--as-fast-as-possible", [options] { options->speed.reset(); }, "One message behind the other");
  unpaced->excludes(speed);
  CLI::Option* const from = add_milliseconds(
      command, "--from-time", "Begin with what came so long after the recording began",
      [options](milliseconds value) { options->from = value; }, "0");
  CLI::Option* const to = add_milliseconds(
      command, "--to-time", "End with what came so long after the recording began",
      [options](milliseconds value) { options->to = value; }, "all");
  CLI::Option* const loop = command.add_flag("--loop", options->loop, "Begin again at the end, until stopped");
  return {speed, unpaced, from, to, loop};
}

}  // namespace

void add_replay(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<ReplayOptions>();
  CLI::App* command = app.add_subcommand(
      "replay", "Publish what is in a recording, at the pace at which it came; or say what is in it");
  command->add_option("FILE", options->file, "What sapbuf record wrote")->required();
  CLI::Option* const stream =
      command->add_option("NAME", options->stream, "The stream, which has to be there: NAME or NAME/STREAM");
  CLI::Option* const name = command->add_option("--name", options->pub.name, "The writer's name, for people")
                                ->type_name("ID")
                                ->default_str("program and pid");
  std::vector<CLI::Option*> for_publishing = add_pace(*command, options);
  CLI::Option* const finish = command->add_flag("--finish", options->pub.finish,
                                                "Say at the end that no more comes: sub --until-finished ends then");
  CLI::Option* const info = command->add_flag(
      "--info", options->info, "Publish nothing: show what is in the file (messages, bytes, times, losses, damage)");
  for_publishing.insert(for_publishing.end(), {stream, name, finish});
  for (CLI::Option* const option : for_publishing) info->excludes(option);
  command->add_flag("--verify", options->verify, "Read all of the file, and compare it with its checksums")
      ->needs(info);
  command->add_flag("--json", options->json, "One JSON object, for programs")->needs(info);
  command->callback([options, &chosen] {
    options->pub.stream = options->stream;
    chosen = [options] { return replay(*options); };
  });
}

}  // namespace sapbuf::tools
