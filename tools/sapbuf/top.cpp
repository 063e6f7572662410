// sapbuf top: what goes on in segments, as it goes on.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sapbuf/text.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "common/terminal.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/top_sample.hpp"
#include "sapbuf/top_screen.hpp"
#include "sapbuf/top_text.hpp"

namespace sapbuf::tools {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kChangesShown = 3;

struct TopOptions {
  std::vector<std::string> segments;  // none: all
  milliseconds interval{1000};
  std::optional<std::uint64_t> count;
  bool batch = false;
  TopOrder order = TopOrder::name;
};

std::string time_of_day() {
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  return human_time(static_cast<std::uint64_t>(now.count())).substr(11, 8);
}

// Looks one below the other, for pipes and files. The first one is there to be compared with, and not shown.
class TopBatch {
 public:
  explicit TopBatch(const TopOptions& options) : options_(options), sampler_(options.segments) {}

  void run() {
    look();
    for (std::uint64_t shown = 0; shown < options_.count.value_or(UINT64_MAX); ++shown) {
      wait_for_next();
      if (stop_requested() || output_.look_if_closed()) return;
      show(look());
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  TopSample look() {
    next_ = Clock::now() + options_.interval;
    return sampler_.look();
  }

  void wait_for_next() {
    while (!stop_requested() && !output_.look_if_closed() && Clock::now() < next_) {
      sleep_unless_stopped(std::min(std::chrono::ceil<milliseconds>(next_ - Clock::now()), kStopSlice));
    }
  }

  void show(TopSample sample) {
    sort(sample, options_.order);
    if (std::exchange(shown_any_, true)) output_.line(std::string_view{});
    output_.line(fmt::format("{} sapbuf top, by {}", time_of_day(), to_string(options_.order)));
    for (const std::string& change : sample.changes) output_.line(std::string_view{change});
    for (const std::string& line : top_lines(sample, std::min(output_width(), kWidestBatch))) {
      output_.line(std::string_view{line});
    }
    output_.flush();
  }

  static constexpr std::size_t kWidestBatch = 140;

  const TopOptions& options_;
  TopSampler sampler_;
  Output output_;
  Clock::time_point next_{};
  bool shown_any_ = false;
};

class TopOnScreen {
 public:
  explicit TopOnScreen(const TopOptions& options)
      : options_(options), order_(options.order), sampler_(options.segments) {}

  void run() {
    for (std::uint64_t looks = 0; looks < options_.count.value_or(UINT64_MAX); ++looks) {
      look();
      draw();
      wait();
      if (is_over_ || stop_requested()) return;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  void look() {
    sample_ = sampler_.look();
    next_ = Clock::now() + options_.interval;
    for (const std::string& change : sample_.changes) {
      changes_.push_back(time_of_day() + " " + change);
      if (changes_.size() > kChangesShown) changes_.erase(changes_.begin());
    }
  }

  void draw() {
    sort(sample_, order_);
    const std::size_t width = screen_.width();
    const std::size_t room = screen_.height() - 1;  // below the title
    std::vector<std::string> lines = top_lines(sample_, width);
    const std::size_t below = std::min(changes_.size(), room - std::min<std::size_t>(room, 2));
    scroll(lines, room - below);
    for (std::size_t at = changes_.size() - below; at < changes_.size(); ++at) {
      lines.push_back(shortened(changes_[at], width));
    }
    screen_.show(shortened(title(), width), lines);
  }

  // Leaves the titles, and so many lines in all; the last one says that there are more.
  void scroll(std::vector<std::string>& lines, std::size_t room) {
    if (lines.size() <= room || room < 3) {
      first_ = 0;
      lines.resize(std::min(lines.size(), room));
      return;
    }
    const std::size_t shown = room - 2;
    first_ = std::min(first_, lines.size() - 1 - shown);
    const std::size_t left = lines.size() - 1 - shown - first_;
    lines.erase(lines.begin() + 1, lines.begin() + 1 + static_cast<std::ptrdiff_t>(first_));
    lines.resize(1 + shown);
    lines.push_back(fmt::format("({} more above, {} below: k, j)", first_, left));
  }

  std::string title() const {
    return fmt::format("sapbuf top {}{}, every {}, by {}   q quit  p {}  s sort", time_of_day(),
                       is_paused_ ? " PAUSED" : "", human_duration(options_.interval), to_string(order_),
                       is_paused_ ? "go on" : "pause");
  }

  // Until it is time for the next look. What a key changes is shown at once.
  void wait() {
    while (!is_over_ && !stop_requested()) {
      const auto left = std::chrono::ceil<milliseconds>(next_ - Clock::now());
      if (!is_paused_ && left.count() <= 0) return;
      const Screen::Event event = screen_.wait(is_paused_ ? kStopSlice : left);
      if (event == Screen::Event::redraw || (event == Screen::Event::key && take_key(screen_.key()))) draw();
    }
  }

  // False if it means nothing.
  bool take_key(char key) {
    switch (key) {
      case 'q':
        is_over_ = true;
        return true;
      case 'p':
      case ' ':
        is_paused_ = !is_paused_;
        return true;
      case 's':
        order_ = next_order(order_);
        return true;
      case 'j':
      case 'B':
        ++first_;
        return true;
      case 'k':
      case 'A':
        first_ -= std::min<std::size_t>(first_, 1);
        return true;
      default:
        return false;
    }
  }

  const TopOptions& options_;
  TopOrder order_;
  TopSampler sampler_;
  TopSample sample_;
  std::vector<std::string> changes_;  // the newest last
  Clock::time_point next_{};
  std::size_t first_ = 0;  // line that is shown
  bool is_paused_ = false;
  bool is_over_ = false;
  Screen screen_;
};

// What is not there is an error.
void check_segment(const std::string& name) {
  if (const StreamName whole = parse_stream_name(name); !whole.whole_segment) {
    throw Failure(kUsage, fmt::format("'{}' is in a segment, and whole segments are shown: sapbuf top {}", name,
                                      shell_operand(whole.segment)));
  }
  static_cast<void>(inspect(name, {.lag = false}));
}

int top(const TopOptions& options) {
  for (const std::string& name : options.segments) check_segment(name);
  options.batch || !has_screen() ? TopBatch{options}.run() : TopOnScreen{options}.run();
  return kDone;
}

}  // namespace

void add_top(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* command = app.add_subcommand(
      "top", "Show what goes on in segments, as it goes on: rates, room, and how far each reader is behind");
  command->add_option("SEGMENT", options->segments, "Which ones; without any, all that there are at the time");
  add_milliseconds(
      *command, "--interval", "Look at these intervals", [options](milliseconds value) { options->interval = value; },
      "1000", 1);
  add_count(
      *command, "--count", "End after so many looks", [options](std::uint64_t value) { options->count = value; },
      "until stopped", 1);
  command->add_flag("--batch", options->batch,
                    "One look below the other, for pipes and files; also where the output is no terminal");
  add_choice<TopOrder>(*command, "--sort", options->order,
                       {{"bytes", TopOrder::bytes},
                        {"held", TopOrder::held},
                        {"lag", TopOrder::lag},
                        {"name", TopOrder::name},
                        {"rate", TopOrder::rate},
                        {"used", TopOrder::used}},
                       "What comes first", "name");
  command->footer(
      "RATE/S: messages committed or delivered, buffers acquired, keys changed, blocks pushed or taken, values stored. "
      "USED: part of the room. HELD: what others may wait for. LAG: messages that a reader has still to come to. WHO: "
      "writers (w), readers (r), users of a pool (u). Keys: q quit, p pause, s sort by something else, j and k "
      "scroll.");
  command->callback([options, &chosen] { chosen = [options] { return top(*options); }; });
}

}  // namespace sapbuf::tools
