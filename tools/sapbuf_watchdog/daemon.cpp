// sapbuf-watchdog as a daemon: sleeps in one poll() until a process ends, a segment appears, or an interval is over.
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "sapbuf_watchdog/options.hpp"
#include "sapbuf_watchdog/segment_directory.hpp"
#include "sapbuf_watchdog/segment_watch.hpp"
#include "sapbuf_watchdog/service_manager.hpp"

namespace sapbuf::tools {

namespace {

using Clock = SegmentWatch::Clock;

class Daemon {
 public:
  explicit Daemon(const WatchdogOptions& options) : options_(options) {
    for (const std::string& name : options.names) watch(name);
    if (options.all) directory_.emplace();
  }

  int run() {
    while (!stop_requested()) {
      if (directory_ && directory_->is_due()) follow_directory_if_possible();
      if (manager_.wants_sweep()) {
        sweep();
      } else {
        tick_those_due();
      }
      wait();
    }
    manager_.stopping();
    spdlog::info("stopped");
    return kDone;
  }

 private:
  void watch(const std::string& name) { watches_.push_back(std::make_unique<SegmentWatch>(name, options_)); }

  void follow_directory_if_possible() {
    try {
      follow_directory();
      directory_trouble_.clear();
    } catch (const std::exception& error) {
      if (directory_trouble_ != error.what()) spdlog::error("{}", error.what());
      directory_trouble_ = error.what();
    }
  }

  void follow_directory() {
    std::vector<std::string> names = Segment::list();
    for (const std::string& name : names) {
      const auto is_it = [&](const auto& known) { return known->name() == name; };
      if (std::none_of(watches_.begin(), watches_.end(), is_it)) watch(name);
    }
    std::erase_if(watches_, [&](const auto& known) {
      const bool gone = !std::binary_search(names.begin(), names.end(), known->name());
      if (gone && known->is_open()) spdlog::info("{}: removed", known->name());
      return gone;
    });
  }

  void tick_those_due() {
    const Clock::time_point now = Clock::now();
    for (const auto& watch : watches_) {
      if (watch->next_due() <= now) watch->tick();
    }
  }

  // A look at every stream, due or not, of which the service manager is told.
  void sweep() {
    bool completed = directory_trouble_.empty();
    for (const auto& watch : watches_) completed = watch->tick() && completed;
    manager_.swept(completed, status());
  }

  std::string status() const {
    const auto those = [&](auto property) {
      return std::count_if(watches_.begin(), watches_.end(), [&](const auto& watch) { return (*watch.*property)(); });
    };
    std::string text = "watching " + counted(static_cast<std::uint64_t>(those(&SegmentWatch::is_open)), "stream");
    if (const auto pending = those(&SegmentWatch::is_recovery_pending)) {
      text += fmt::format("; recovery pending in {}", pending);
    }
    if (const auto troubled = those(&SegmentWatch::has_trouble)) text += fmt::format("; trouble with {}", troubled);
    return text;
  }

  void wait() {
    polled_.clear();
    owners_.clear();
    Clock::time_point until = std::min(Clock::now() + std::chrono::seconds{1}, manager_.next_sweep());
    for (const auto& watch : watches_) {
      until = std::min(until, watch->next_due());
      watch->processes().each([&](int fd) {
        polled_.push_back({fd, POLLIN, 0});
        owners_.push_back(watch.get());
      });
    }
    if (directory_ && directory_->fd() >= 0) polled_.push_back({directory_->fd(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    const int timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
    if (::poll(polled_.data(), polled_.size(), timeout) <= 0) return;
    for (std::size_t at = 0; at < owners_.size(); ++at) {
      if (polled_[at].revents != 0) owners_[at]->process_ended(polled_[at].fd);
    }
  }

  const WatchdogOptions& options_;
  ServiceManager manager_;
  std::vector<std::unique_ptr<SegmentWatch>> watches_;
  std::optional<SegmentDirectory> directory_;
  std::string directory_trouble_;  // told already
  std::vector<pollfd> polled_;
  std::vector<SegmentWatch*> owners_;  // of the first so many in `polled_`
};

// A descriptor for each process, and a few for each segment: more than the usual 1,024 may be needed.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run_daemon(const WatchdogOptions& options) {
  raise_descriptor_limit();
  spdlog::info("watching {}{}, every {}", options.all ? "every stream" : counted(options.names.size(), "stream"),
               options.dry_run ? " without touching anything" : "", human_duration(options.interval));
  return Daemon{options}.run();
}

}  // namespace sapbuf::tools
