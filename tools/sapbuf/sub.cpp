// sapbuf sub: writes what comes in to standard output: each message on a line, or as other programs like it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/durable_option.hpp"
#include "sapbuf/framing.hpp"
#include "sapbuf/from_option.hpp"
#include "sapbuf/missed.hpp"
#include "sapbuf/name_watch.hpp"
#include "sapbuf/wait_for_stream.hpp"

namespace sapbuf::tools {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct SubOptions {
  std::string stream;  // as it was typed
  ReaderOptions reader;
  std::uint64_t count = UINT64_MAX;
  std::optional<milliseconds> idle_exit;
  bool hold = false;
  bool follow = false;
  bool newest_only = false;
  bool wait = false;
  Framing framing = Framing::lines;

  bool is_idle(Clock::time_point since) const { return idle_exit && Clock::now() - since >= *idle_exit; }
};

// What came, from one stream or, with --follow, from several of the same name.
struct Account {
  Output output;
  std::uint64_t written = 0;
  std::uint64_t bytes = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t skipped = 0;
  Clock::time_point idle_since = Clock::now();  // since the last message, or since the beginning
  Clock::time_point first_at{};

  // The time from the first message to the last one: waiting for them says nothing about the rate.
  void show() const {
    const Clock::duration time = written == 0 ? Clock::duration{} : idle_since - first_at;
    const double seconds = std::max(1e-6, std::chrono::duration<double>(time).count());
    const std::string skips = skipped == 0 ? "" : fmt::format(", {} skipped", human_count(skipped));
    spdlog::info("delivered {} ({}) in {}: {} messages/s; {} lost{}", counted(delivered, "message"), human_bytes(bytes),
                 human_duration(time), human_rate(static_cast<double>(written) / seconds), human_count(lost), skips);
  }
};

std::string json_of(const Frame& frame) {
  const FramePosition position = frame.position();
  Json json{{"generation", position.generation},
            {"offset", position.offset},
            {"type", frame.type()},
            {"size", frame.bytes().size()}};
  add_bytes(json, "payload", frame.text());
  return json_line(json);
}

void put_frame(Output& output, Framing framing, const Frame& frame) {
  if (framing == Framing::json) return output.put(json_of(frame));
  put_framed(output, framing, frame.text(), frame.type());
}

class Subscription {
 public:
  enum class End {
    asked,  // by a signal, an option, or whoever read the output
    gone,   // the stream was removed, and nobody is left in it to write more
  };

  Subscription(const Stream& stream, const SubOptions& options, Account& account)
      : options_(options),
        account_(account),
        stream_(stream),
        name_(stream),
        resumes_(will_resume(stream, options.reader)),
        reader_(stream, options.reader) {
    tell_missed();
  }

  End follow() {
    try {
      follow_to_the_end();
    } catch (const Error&) {
      account_.output.flush();  // what was delivered before the stream broke
      throw;
    }
    account_.output.flush();
    tell_lost(true);
    add_figures();
    return end_;
  }

  End hold() {
    while (!reader_.wait_for(milliseconds{0})) {
      if (stop_requested() || !wait()) return end_;
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
    return End::asked;
  }

 private:
  void tell_missed() const {
    const std::string missed = missed_text(reader_);
    if ((options_.reader.from == From::newest && !resumes_) || missed.empty()) return;
    spdlog::warn("{}: their slabs were needed again", missed);
  }

  void follow_to_the_end() {
    while (account_.written < options_.count && !stop_requested() && !account_.output.closed()) {
      if (drain()) continue;
      account_.output.flush();
      if (!wait()) return;
    }
  }

  // Takes over what is there. False if nothing was.
  bool drain() {
    Account& account = account_;
    const std::uint64_t before = account.written;
    if (before == 0) account.first_at = Clock::now();
    if (options_.newest_only) reader_.skip_to_newest();
    {
      const PinnedRange range = reader_.pin();
      for (const Frame& frame : range) {
        put(frame);
        account.bytes += frame.bytes().size();
        ++account.written;
        // Nothing is pinned while a slow output takes the buffer.
        if (account.written == options_.count || account.output.nearly_full() || stop_requested()) [[unlikely]] {
          break;
        }
      }
      // Behind the range, a durable reader's place has passed these: what is not out by then would not come again.
      if (options_.reader.durable) flush_or_abandon();
    }
    if (account.output.nearly_full()) account.output.flush();
    tell_lost(false);
    if (account.written == before) return false;
    account.idle_since = Clock::now();
    if (name_.is_due()) name_.is_gone();
    return true;
  }

  // What cannot be written comes again to the next reader of a durable one's name.
  void put(const Frame& frame) {
    try {
      put_frame(account_.output, options_.framing, frame);
    } catch (const Failure&) {
      if (options_.reader.durable) reader_.abandon();
      throw;
    }
  }
  void flush_or_abandon() {
    try {
      account_.output.flush();
    } catch (const Failure&) {
      reader_.abandon();
      throw;
    }
    if (!account_.output.closed()) return;
    spdlog::warn("the output was closed: what was written to it last comes again to the next reader named {}",
                 options_.reader.name);
    add_figures();
    reader_.abandon();
  }

  void add_figures() {
    account_.delivered += reader_.delivered();
    account_.lost += reader_.lost();
    account_.skipped += reader_.skipped();
  }

  // Until something comes. False if it is time to end.
  bool wait() {
    while (!stop_requested() && !account_.output.look_if_closed()) {
      if (name_.is_due() && nobody_writes_any_more()) return reader_.wait_for(milliseconds{0});
      milliseconds slice = kStopSlice;
      if (options_.idle_exit) {
        const auto idle = std::chrono::duration_cast<milliseconds>(Clock::now() - account_.idle_since);
        slice = std::clamp(*options_.idle_exit - idle, milliseconds{0}, slice);
      }
      if (reader_.wait_for(slice)) return true;
      if (options_.is_idle(account_.idle_since)) return false;
      if (options_.reader.until_finished && reader_.is_finished()) return false;
    }
    return false;
  }

  // The stream was removed, and the last writer has left it: once what stands there is read, that was all.
  bool nobody_writes_any_more() {
    if (!name_.is_gone_without(Role::writer)) return false;
    end_ = End::gone;
    return true;
  }

  // In a stream that overwrites: as losses are noticed, but not more than once a second.
  void tell_lost(bool at_once) {
    const std::uint64_t lost = reader_.lost();
    if (lost <= lost_told_) return;  // fewer: the reader was abandoned
    const Clock::time_point now = Clock::now();
    if (!at_once && now - told_at_ < std::chrono::seconds{1}) return;
    spdlog::warn("lost {}, overwritten before they were read ({} so far)", counted(lost - lost_told_, "message"),
                 human_count(lost));
    lost_told_ = lost;
    told_at_ = now;
  }

  std::string held_generations() const {
    for (const ParticipantSnapshot& participant : inspect(stream_.segment(), {.lag = false}).participants) {
      if (participant.slot == reader_.slot() && !participant.held_generations.empty()) {
        return holdings(participant.role, participant.held_generations);
      }
    }
    return "the oldest slab";
  }

  const SubOptions& options_;
  Account& account_;
  const Stream stream_;
  NameWatch name_;
  const bool resumes_;
  Reader reader_;
  std::uint64_t lost_told_ = 0;
  Clock::time_point told_at_{};
  End end_ = End::asked;
};

Subscription::End run(const Stream& stream, const SubOptions& options, Account& account) {
  try {
    Subscription subscription{stream, options, account};
    return options.hold ? subscription.hold() : subscription.follow();
  } catch (const Error& error) {
    // It was a good stream when it was opened: other errors than this one do not mean "no such segment".
    throw Failure(error.errc() == Errc::corrupt ? kNoSegment : kFailure, error.what());
  }
}

int sub(SubOptions options) {
  Account account;
  const auto is_over = [&] { return account.output.look_if_closed() || options.is_idle(account.idle_since); };
  std::optional<Stream> stream = options.wait ? wait_for_stream(options.stream, is_over)
                                              : std::make_optional(open_stream(parse_stream_name(options.stream)));
  if (!stream) return kDone;
  account.idle_since = Clock::now();
  while (run(*stream, options, account) == Subscription::End::gone) {
    if (!options.follow) {
      if (!options.hold) account.show();
      spdlog::error("{} was removed, and nobody is left in it to write more", options.stream);
      return kNoSegment;
    }
    stream.reset();
    stream = wait_for_stream(options.stream, is_over);
    if (!stream) break;
    spdlog::info("going on with the new {}", options.stream);
    options.reader.from = From::oldest;  // all of it is new
  }
  if (!options.hold) account.show();
  return kDone;
}

}  // namespace

void add_sub(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<SubOptions>();
  CLI::App* command = app.add_subcommand("sub", "Follow a stream: each message and a newline to standard output");
  command->add_option("NAME", options->stream, "The stream: NAME or NAME/STREAM")->required();
  CLI::Option* const name = command->add_option("--name", options->reader.name, "The reader's name, for people")
                                ->type_name("ID")
                                ->default_str("program and pid");
  add_from(*command, options->reader.from);
  add_durable(*command, options->reader, name);
  CLI::Option* const json = command->add_flag_callback(
      "--json", [options] { options->framing = Framing::json; },
      "One JSON object for each message and line: position, type, size, payload (payload_hex where it is not UTF-8)");
  add_framing(*command, options->framing, json);
  auto* count = add_count(
      *command, "--count", "End after so many messages", [options](std::uint64_t value) { options->count = value; },
      "follow until stopped");
  add_milliseconds(
      *command, "--idle-exit", "End when nothing came for so long; 0: take what is there and end",
      [options](milliseconds value) { options->idle_exit = value; }, "wait for ever");
  command->add_flag_callback(
      "--newest-only",
      [options] {
        options->newest_only = true;
        options->reader.keep = Keep::frame;
      },
      "Show how things are: skip whatever is older than the newest message (of each writer, in per-writer order)");
  command->add_flag(
      "--until-finished", options->reader.until_finished,
      "End when all has been read, and no more comes: a writer said so (pub --finish), and all have left");
  command->add_flag("--wait", options->wait, "Where there is no such stream yet, wait for one instead of ending");
  command->add_flag("--follow", options->follow,
                    "When the stream was removed, go on with the next one of that name instead of ending");
  command->add_flag("--hold", options->hold, "Pin the oldest slab and sleep until a signal comes, to try recovery out")
      ->excludes(count)
      ->excludes("--follow");
  command->callback([options, &chosen] { chosen = [options] { return sub(*options); }; });
}

}  // namespace sapbuf::tools
