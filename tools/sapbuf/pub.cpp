// sapbuf pub: publishes what it reads: each line a message, or each part of the input that a delimiter ends or a length begins.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/process.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/message_input.hpp"
#include "sapbuf/publisher.hpp"
#include "sapbuf/tell_stopped.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::uint64_t kBadMessagesTold = 10;
constexpr std::uint64_t kMessagesBetweenLooks = 8192;

// One run over the files, as often as asked.
class Run {
 public:
  Run(const Stream& stream, const PubOptions& options)
      : options_(options),
        max_message_bytes_(stream.max_message_bytes()),
        input_(options.framing, max_message_bytes_),
        publisher_(stream, options) {}

  ExitCode all() {
    const ExitCode code = publish_files();
    if (options_.finish && !stopped_) publisher_.finish();
    publisher_.show_summary();
    if (publisher_.nobody_left()) {
      spdlog::error("{} was removed, and nobody is left in it to read what comes", options_.stream);
      return kNoSegment;
    }
    if (!stopped_) return code;
    tell_stopped(counted(publisher_.totals().messages, "message"), "published");
    return kFailure;
  }

 private:
  ExitCode publish_files() {
    for (std::uint64_t round = 0; round < options_.repeat; ++round) {
      bool any = false;
      for (const std::string& file : options_.files) {
        if (unreadable(file)) continue;
        any = true;
        if (!publish_file(file)) return failed_ ? kFailure : kDone;
      }
      if (!any) break;
    }
    return failed_ || publisher_.totals().too_large != 0 ? kFailure : kDone;
  }

  bool unreadable(const std::string& file) const {
    return std::find(unreadable_.begin(), unreadable_.end(), file) != unreadable_.end();
  }

  void give_up_on(const std::string& file) {
    spdlog::error("{}: {}", file, std::strerror(errno));
    unreadable_.push_back(file);
    failed_ = true;
  }

  // False if the whole run is over.
  bool publish_file(const std::string& file) {
    Descriptor opened;
    if (file != "-") {
      opened = Descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
      if (!opened) {
        if (errno == EINTR && stop_requested()) return stop();  // a pipe that nobody opened for writing
        give_up_on(file);
        return true;
      }
    }
    input_.open(opened ? opened.get() : STDIN_FILENO);
    return publish_all_of(file == "-" ? "standard input" : file);
  }

  // Not all of the input was handed over, and what is left is not.
  bool stop() noexcept {
    stopped_ = true;
    return false;
  }

  bool publish_all_of(const std::string& file) {
    std::string_view message;
    std::uint16_t type = options_.type;
    for (std::uint64_t number = 1;; ++number) {
      if (number % kMessagesBetweenLooks == 0) {
        publisher_.show_progress();
        if (stop_requested()) return stop();
      }
      switch (input_.next(message, type)) {
        case MessageInput::Next::message:
          if (!publish(message, type, file, number)) return false;
          break;
        case MessageInput::Next::too_large:
          publisher_.count_too_large();
          tell_too_large(file, number);
          break;
        case MessageInput::Next::end:
          return true;
        case MessageInput::Next::cut_off:
          spdlog::error("{}:{}: the input ends within this message, which is not published", file, number);
          failed_ = true;
          return true;
        case MessageInput::Next::stopped:
          return stop();
        case MessageInput::Next::failed:
          give_up_on(file);
          return true;
      }
    }
  }

  bool publish(std::string_view message, std::uint16_t type, const std::string& file, std::uint64_t number) {
    switch (publisher_.publish(message, type)) {
      case Publisher::Result::taken:
        return true;
      case Publisher::Result::too_large:
        tell_too_large(file, number);
        return true;
      case Publisher::Result::timed_out:
        spdlog::error("{}:{}: no room for {}: readers hold every slab of {}; to see who: sapbuf status {}", file,
                      number, human_duration(*options_.timeout), options_.stream, shell_operand(options_.stream));
        failed_ = true;
        return false;
      case Publisher::Result::stopped:
        return stop();
    }
    return false;
  }

  void tell_too_large(const std::string& file, std::uint64_t number) {
    const std::uint64_t so_far = publisher_.totals().too_large;
    if (so_far > kBadMessagesTold) return;
    spdlog::error("{}:{}: the {} is too large: {} takes messages of {} bytes at most{}", file, number,
                  options_.framing == Framing::lines ? "line" : "message", options_.stream,
                  human_count(max_message_bytes_), so_far == kBadMessagesTold ? "; further ones are only counted" : "");
  }

  const PubOptions& options_;
  std::size_t max_message_bytes_;
  MessageInput input_;
  Publisher publisher_;
  std::vector<std::string> unreadable_;
  bool failed_ = false;
  bool stopped_ = false;  // before the end of the input
};

int pub(PubOptions options) {
  if (options.files.empty()) options.files.emplace_back("-");
  const auto from_stdin = std::count(options.files.begin(), options.files.end(), "-");
  if (from_stdin > 1 || (from_stdin == 1 && options.repeat > 1)) {
    throw Failure(kUsage, "standard input can be read once only: name files to repeat them");
  }
  return Run{open_stream(parse_stream_name(options.stream)), options}.all();
}

}  // namespace

void add_pub(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<PubOptions>();
  CLI::App* command =
      app.add_subcommand("pub", "Publish what comes in: each line, without its newline, is one message");
  command->add_option("NAME", options->stream, "The stream: NAME or NAME/STREAM")->required();
  command->add_option("FILE", options->files, "Files to publish, one after the other; - or none: standard input");
  command->add_option("--name", options->name, "The writer's name, for people")
      ->type_name("ID")
      ->default_str("program and pid");
  const FramingFlags framing = add_framing(*command, options->framing);
  add_count(
      *command, "--type", "The messages' type, a number that readers see",
      [options](std::uint64_t value) { options->type = static_cast<std::uint16_t>(value); }, "0", 0, UINT16_MAX)
      ->excludes(framing.length_prefix);
  command->add_flag("--finish", options->finish, "Say at the end that no more comes: sub --until-finished ends then");
  add_count(
      *command, "--repeat", "Go over the files so many times",
      [options](std::uint64_t value) { options->repeat = value; }, "1", 1);
  add_milliseconds(
      *command, "--timeout", "Where the stream blocks: give up when there was no room for a message for so long",
      [options](std::chrono::milliseconds value) { options->timeout = value; }, "wait for ever");
  command->callback([options, &chosen] { chosen = [options] { return pub(*options); }; });
}

}  // namespace sapbuf::tools
