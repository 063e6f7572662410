// sapbuf record: writes what comes in to a file, with the times, so that it can be replayed.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "recording/error.hpp"
#include "recording/recording_writer.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/durable_option.hpp"
#include "sapbuf/from_option.hpp"
#include "sapbuf/missed.hpp"
#include "sapbuf/name_watch.hpp"
#include "sapbuf/recording_failure.hpp"
#include "sapbuf/wait_for_stream.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// What a kill of the recorder may cost: what came within this time is not in the file yet.
constexpr milliseconds kWrittenWithin{250};
constexpr std::chrono::seconds kProgressEvery{1};

struct RecordOptions {
  std::string stream;  // as it was typed
  std::string file;
  ReaderOptions reader;
  recording::RecordingOptions recording;
  std::uint64_t count = UINT64_MAX;
  std::optional<milliseconds> duration;
  std::optional<milliseconds> sync_every;
  bool wait = false;
};

class Recorder {
 public:
  // Attaches only here, with the file in hand: what fails before leaves the stream as it was, and its messages to others.
  Recorder(const Stream& stream, const RecordOptions& options, recording::File&& file)
      : options_(options),
        stream_(stream),
        name_(stream),
        resumes_(will_resume(stream, options.reader)),
        reader_(stream, options.reader),
        writer_(std::move(file), title_of(stream), wall_clock_ns(), options.recording),
        on_terminal_(::isatty(STDERR_FILENO) == 1) {}

  ExitCode run() {
    spdlog::info("recording {} to {}", options_.stream, options_.file);
    tell_missed();
    // What was given up of what a durable reader had still to come to belongs into the recording.
    if (resumes_) lost_before_ = reader_.missed_before().value_or(0);
    ExitCode code = kDone;
    try {
      code = follow();
      note_losses(since_start());
      writer_.finish();
    } catch (const recording::RecordingError& error) {
      spdlog::error("{}", error.what());
      finish_what_is_written();
      code = kFailure;
    } catch (const Error& error) {
      spdlog::error("{}", error.what());  // what came before the stream broke is kept
      writer_.finish();
      code = error.errc() == Errc::corrupt ? kNoSegment : kFailure;
    }
    show_summary();
    return code;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static std::uint64_t wall_clock_ns() {
    return static_cast<std::uint64_t>(nanoseconds{std::chrono::system_clock::now().time_since_epoch()}.count());
  }
  nanoseconds since_start() const { return Clock::now() - started_; }

  void tell_missed() const {
    const std::string missed = missed_text(reader_);
    if ((options_.reader.from == From::newest && !resumes_) || missed.empty()) return;
    spdlog::warn("{}, and are not in the recording: their slabs were needed again", missed);
  }

  ExitCode follow() {
    while (taken_ < options_.count && !is_over()) {
      drain();
      write_what_is_due();
      show_progress();
      if (name_.is_due() && nobody_writes_any_more() && !reader_.wait_for(milliseconds{0})) {
        spdlog::error("{} was removed, and nobody is left in it to write more", options_.stream);
        return kNoSegment;
      }
      if (!reader_.wait_for(wait_slice()) && options_.reader.until_finished && reader_.is_finished()) break;
    }
    return kDone;
  }

  bool is_over() const { return stop_requested() || (options_.duration && since_start() >= *options_.duration); }

  // Takes over what is there. Nothing is pinned while a block is written to a slow disk, unless the reader is durable: behind the
  // range its place has passed these messages, and what is not in the file by then would not come again.
  void drain() {
    const PinnedRange range = reader_.pin();
    for (const Frame& frame : range) {
      const nanoseconds at = since_start();
      note_losses(at);
      writer_.add_message(at, frame.type(), frame.attachments().empty() ? 0 : recording::kHadAttachments,
                          frame.bytes());
      ++taken_;
      if (taken_ == options_.count || writer_.is_full() || is_over()) [[unlikely]] {
        break;
      }
    }
    if (!options_.reader.durable || !writer_.oldest_unwritten()) return;
    try {
      writer_.write_block();
    } catch (const recording::RecordingError&) {
      reader_.abandon();  // they come again, to the next recorder of its name
      throw;
    }
  }

  void note_losses(nanoseconds at) {
    const std::uint64_t lost = lost_before_ + reader_.lost();
    if (lost == lost_noted_) return;
    writer_.add_loss(at, lost - lost_noted_);
    lost_noted_ = lost;
  }

  void write_what_is_due() {
    const nanoseconds now = since_start();
    const auto oldest = writer_.oldest_unwritten();
    if (writer_.is_full() || (oldest && now - *oldest >= kWrittenWithin)) writer_.write_block();
    if (!options_.sync_every || now - synced_at_ < *options_.sync_every) return;
    writer_.write_block();
    if (is_unsynced()) writer_.sync();
    synced_bytes_ = writer_.file_bytes();
    synced_at_ = now;
  }

  bool is_unsynced() const { return writer_.oldest_unwritten() || writer_.file_bytes() != synced_bytes_; }

  // How long the reader may wait, so that what is due is done in time.
  milliseconds wait_slice() const {
    milliseconds slice = kStopSlice;
    const auto no_longer_than = [&](nanoseconds time) {
      slice = std::clamp(std::chrono::ceil<milliseconds>(time), milliseconds{0}, slice);
    };
    const nanoseconds now = since_start();
    if (const auto oldest = writer_.oldest_unwritten()) no_longer_than(*oldest + kWrittenWithin - now);
    if (options_.sync_every && is_unsynced()) no_longer_than(synced_at_ + *options_.sync_every - now);
    if (options_.duration) no_longer_than(*options_.duration - now);
    return slice;
  }

  bool nobody_writes_any_more() { return name_.is_gone_without(Role::writer); }

  // The disk is full, say. What is in the file by now is kept, and ended as it should be where there is room for that: then the
  // file says itself how much it lacks.
  void finish_what_is_written() {
    try {
      if (const std::uint64_t lacking = lost_for_good() - writer_.written().lost; lacking != 0) {
        writer_.add_loss(since_start(), lacking);
      }
      writer_.finish();
      spdlog::info("{} ends there, and can be replayed", options_.file);
    } catch (const recording::RecordingError&) {
      spdlog::info("{} ends there, without an index, and can be replayed", options_.file);
    }
  }

  // Taken, and in no block that could be written.
  std::uint64_t dropped() const { return taken_ - writer_.written().messages; }
  // To the reader, or on the way to the file.
  std::uint64_t lost_for_good() const { return lost_noted_ + (options_.reader.durable ? 0 : dropped()); }

  void show_progress() {
    const Clock::time_point now = Clock::now();
    if (!on_terminal_ || now - shown_ < kProgressEvery) return;
    shown_ = now;
    spdlog::info("{} so far ({} in the file)", counted(taken_, "message"), human_bytes(writer_.file_bytes()));
  }

  void show_summary() const {
    const recording::Totals& totals = writer_.written();
    spdlog::info("recorded {} ({}) in {}: {} of {}", counted(totals.messages, "message"),
                 human_bytes(totals.payload_bytes), human_duration(since_start()), human_bytes(writer_.file_bytes()),
                 options_.file);
    if (dropped() != 0) {
      const bool comes_again = options_.reader.durable.has_value();
      spdlog::error("{} that came last {} not in it{}", counted(dropped(), "message"), dropped() == 1 ? "is" : "are",
                    comes_again ? fmt::format(", and come to the next recorder named {}", options_.reader.name) : "");
    }
    if (totals.with_attachments != 0) {
      spdlog::warn("{} had buffers attached: the messages are recorded, what is in the buffers is not",
                   counted(totals.with_attachments, "message"));
    }
    if (lost_noted_ != 0) {
      spdlog::warn("lost {}, whose slabs were needed before they were recorded", counted(lost_noted_, "message"));
    } else if (dropped() == 0) {
      spdlog::info("lost nothing since it came");
    }
  }

  const RecordOptions& options_;
  const Stream stream_;
  NameWatch name_;
  const bool resumes_;
  Reader reader_;
  const Clock::time_point started_ = Clock::now();
  recording::RecordingWriter writer_;
  const bool on_terminal_;
  std::uint64_t taken_ = 0;
  std::uint64_t lost_before_ = 0;
  std::uint64_t lost_noted_ = 0;
  nanoseconds synced_at_{};
  std::uint64_t synced_bytes_ = 0;
  Clock::time_point shown_ = started_;
};

int record(const RecordOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  const auto is_over = [&] {
    return options.duration && std::chrono::steady_clock::now() - begun >= *options.duration;
  };
  const std::optional<Stream> stream = options.wait
                                           ? wait_for_stream(options.stream, is_over)
                                           : std::make_optional(open_stream(parse_stream_name(options.stream)));
  if (!stream) {
    spdlog::warn("there was no {}, and nothing is recorded", options.stream);
    return kDone;
  }
  return with_recording_failures(
      [&]() -> int {
        recording::File file = recording::RecordingWriter::claim(options.file, options.recording);
        std::optional<Recorder> recorder;
        try {
          recorder.emplace(*stream, options, std::move(file));
        } catch (...) {
          if (file.is_new()) ::unlink(options.file.c_str());
          throw;
        }
        return recorder->run();
      },
      "to write over it: --force");
}

}  // namespace

void add_record(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<RecordOptions>();
  CLI::App* command = app.add_subcommand(
      "record", "Write a stream's messages to a file, with their types and the times at which they came");
  command->add_option("NAME", options->stream, "The stream: NAME or NAME/STREAM")->required();
  command->add_option("FILE", options->file, "The file, which is made; sapbuf replay reads it")->required();
  CLI::Option* const name = command->add_option("--name", options->reader.name, "The reader's name, for people")
                                ->type_name("ID")
                                ->default_str("program and pid");
  add_from(*command, options->reader.from);
  add_durable(*command, options->reader, name);
  add_count(
      *command, "--count", "End after so many messages", [options](std::uint64_t value) { options->count = value; },
      "follow until stopped");
  add_milliseconds(
      *command, "--duration", "End after so long", [options](milliseconds value) { options->duration = value; },
      "follow until stopped");
  command->add_flag("--wait", options->wait, "Where there is no such stream yet, wait for one instead of ending");
  command->add_flag("--until-finished", options->reader.until_finished,
                    "End when all has been read, and no more comes: a writer said so, and all have left");
  command->add_flag("--compress", options->recording.compress, "Make the file smaller with zstd");
  command->add_flag("--force", options->recording.overwrite, "Write over a file that is there");
  add_milliseconds(
      *command, "--sync-every", "Have the disk take what came (fdatasync) at these intervals, too",
      [options](milliseconds value) { options->sync_every = value; }, "once, at the end", 1);
  command->footer(
      "Killed at any moment, the recorder leaves a file that can be replayed; as long as the disk keeps up, it lacks "
      "what "
      "came in the last quarter of a second at the most; with --durable nothing, if the next recorder comes by the "
      "same name, to a file of its own. When the machine stops, what was not synced may be lost.");
  command->callback([options, &chosen] { chosen = [options] { return record(*options); }; });
}

}  // namespace sapbuf::tools
