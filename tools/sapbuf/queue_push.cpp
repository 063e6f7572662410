// sapbuf queue push: each line of standard input becomes a block, or each part of it that a delimiter ends or a length begins.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/message_input.hpp"
#include "sapbuf/name_watch.hpp"
#include "sapbuf/queue_commands.hpp"
#include "sapbuf/tell_stopped.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAtName{1000};  // while there is no room

struct QueuePushOptions {
  std::string name;
  Framing framing = Framing::lines;
  std::uint16_t type = 0;  // where the input says none
  std::optional<std::uint64_t> key;
  std::uint64_t key_field = 0;  // from 1; 0: none
  ProducerOptions producer{.timeout = kLookAtName};
  milliseconds timeout = kForever;
};

// How long a line may wait for room, in slices.
class Patience {
 public:
  explicit Patience(milliseconds longest) : longest_(longest) {}
  milliseconds slice() const {
    const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - since_);
    return std::clamp(longest_ - waited, milliseconds{0}, kLookAtName);
  }
  bool is_over() const { return slice() == milliseconds{0}; }

 private:
  using Clock = std::chrono::steady_clock;

  const milliseconds longest_;
  const Clock::time_point since_ = Clock::now();
};

// What stands between the blanks before the `number`th field and those behind it; nothing where there is none.
std::string_view field_of(std::string_view line, std::uint64_t number) {
  constexpr std::string_view kBlanks = " \t";
  for (;;) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return {};
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
    if (--number == 0) return line.substr(0, end);
    line.remove_prefix(end);
  }
}

// FNV-1a: the same text is the same key, also of another producer.
std::uint64_t key_of_text(std::string_view text) {
  std::uint64_t key = 0xcbf29ce484222325u;
  for (const char byte : text) key = (key ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return key;
}

std::optional<std::uint64_t> key_of(std::string_view line, const QueuePushOptions& options) {
  if (options.key_field == 0) return options.key;
  const std::string_view field = field_of(line, options.key_field);
  return field.empty() ? std::nullopt : std::optional(key_of_text(field));
}

// A line is released before the next one is waited for.
class Pusher {
 public:
  Pusher(const Queue& queue, const QueuePushOptions& options)
      : options_(options),
        drops_(queue.options().on_full == OnFull::drop),
        name_(queue),
        producer_(queue, options.producer) {}

  // False: a signal came while there was no room, or nobody takes any more.
  bool push(std::string_view line, std::uint16_t type) {
    if (nobody_takes_any_more()) return false;
    const Patience patience{options_.timeout};
    ReservedBlocks block = reserve(patience);
    if (!block && drops_ && (block.status() == Status::full || block.status() == Status::exhausted)) {
      ++dropped_;
      return true;
    }
    if (!block) return end(block.status());
    std::memcpy(block[0].bytes().data(), line.data(), line.size());
    block[0].resize(line.size());
    block[0].set_type(type);
    if (const auto key = key_of(line, options_)) block[0].set_key(*key);
    if (release(block, patience)) {
      ++pushed_;
    } else if (block.empty()) {
      ++dropped_;
    } else {
      return end(block.status());
    }
    return true;
  }
  // The queue was removed, and the last consumer has left it.
  bool nobody_takes_any_more() {
    if (!deserted_ && name_.is_due()) look_at_name();
    return deserted_;
  }
  void look_at_name() { deserted_ = name_.is_gone_without(Role::consumer); }
  void tell_stop() const { tell_stopped(counted(pushed_, "block"), "pushed"); }
  void tell() const {
    const std::string dropped = dropped_ == 0 ? "" : fmt::format(", {} dropped", human_count(dropped_));
    spdlog::info("pushed {}{}", counted(pushed_, "block"), dropped);
  }

 private:
  ReservedBlocks reserve(const Patience& patience) {
    if (drops_) return producer_.reserve(1);
    for (;;) {
      ReservedBlocks block = producer_.reserve_for(1, patience.slice());
      if (block || block.status() != Status::timeout || patience.is_over() || nobody_takes_any_more()) return block;
    }
  }
  // The producer's own timeout is a slice.
  bool release(ReservedBlocks& block, const Patience& patience) {
    for (;;) {
      if (block.release() == 1) return true;
      if (block.empty() || block.status() != Status::timeout || patience.is_over() || nobody_takes_any_more())
        return false;
    }
  }
  bool end(Status status) const {
    if (status == Status::stopped || deserted_) return false;
    tell();
    if (status != Status::timeout)
      throw Failure(exit_code(status), fmt::format("{}: {}", options_.name, to_string(status)));
    throw Failure(kFailure,
                  fmt::format("no room for {} in {}, or no free buffer ('sapbuf status {}' shows who has them)",
                              human_duration(options_.timeout), options_.name, shell_operand(options_.name)));
  }

  const QueuePushOptions& options_;
  const bool drops_;  // what the queue has no room for
  NameWatch name_;
  bool deserted_ = false;
  Producer producer_;
  std::uint64_t pushed_ = 0;
  std::uint64_t dropped_ = 0;
};

int push(const QueuePushOptions& options) {
  const FacilityName name = parse_queue_name(options.name);
  const Queue queue = Queue::open(Segment::open(name.segment), name.name);
  if ((options.key || options.key_field != 0) && queue.options().keys == 0) {
    throw Failure(kFailure, fmt::format("keys mean nothing to {}: it was made without --keys", options.name));
  }
  Pusher pusher{queue, options};
  MessageInput input{options.framing, queue.block_bytes()};
  input.open(STDIN_FILENO);
  std::uint64_t too_long = 0;
  bool at_end = false;
  bool is_cut_off = false;
  std::uint16_t type = options.type;
  for (std::string_view line;;) {
    switch (input.next(line, type)) {
      case MessageInput::Next::message:
        if (line.size() > queue.block_bytes()) {
          ++too_long;
        } else if (!pusher.push(line, type)) {
          break;
        }
        continue;
      case MessageInput::Next::too_large:
        ++too_long;
        continue;
      case MessageInput::Next::failed:
        throw Failure(kFailure, fmt::format("cannot read standard input: {}", std::strerror(errno)));
      case MessageInput::Next::cut_off:
        is_cut_off = at_end = true;
        break;
      case MessageInput::Next::end:
        at_end = true;
        break;
      case MessageInput::Next::stopped:
        break;
    }
    break;
  }
  pusher.tell();
  if (too_long != 0) {
    spdlog::error("{} of more than {} left out",
                  counted(too_long, options.framing == Framing::lines ? "line" : "block"),
                  human_bytes(queue.block_bytes()));
  }
  if (is_cut_off) spdlog::error("the input ends within a block, which is not pushed");
  pusher.look_at_name();
  if (pusher.nobody_takes_any_more()) {
    spdlog::error("{} was removed, and nobody is left in it to take what comes", options.name);
    return kNoSegment;
  }
  if (!at_end) pusher.tell_stop();
  return at_end && !is_cut_off && too_long == 0 ? kDone : kFailure;
}

}  // namespace

void add_queue_push(CLI::App& queue, Action& chosen) {
  auto options = std::make_shared<QueuePushOptions>();
  CLI::App* command = queue.add_subcommand("push", "Make each line of standard input, without its newline, a block");
  command->add_option("SEGMENT/QUEUE", options->name, "The segment, and the queue's name in it")->required();
  command->add_option("--name", options->producer.name, "This producer's name, for people");
  const FramingFlags framing = add_framing(*command, options->framing);
  add_count(
      *command, "--type", "The blocks' type, a number that consumers see",
      [options](std::uint64_t value) { options->type = static_cast<std::uint16_t>(value); }, "0", 0, UINT16_MAX)
      ->excludes(framing.length_prefix);
  CLI::Option* key = add_count(
      *command, "--key", "The blocks' key, a number: blocks of one key are worked on one after the other",
      [options](std::uint64_t value) { options->key = value; }, "none");
  add_count(
      *command, "--key-field", "Which field of a line, between blanks, is its key; a line without it has none",
      [options](std::uint64_t value) { options->key_field = value; }, "none", 1)
      ->excludes(key);
  add_milliseconds(*command, "--timeout",
                   "How long to wait for room, unless the queue drops what it has none for; unless given, for ever",
                   [options](milliseconds time) {
                     options->timeout = time;
                     options->producer.timeout = std::min(time, kLookAtName);
                   });
  command->callback([options, &chosen] {
    chosen = [options] {
      options->producer.stop = &detail::stop_flag;
      return push(*options);
    };
  });
}

}  // namespace sapbuf::tools
