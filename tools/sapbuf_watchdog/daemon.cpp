// sapbuf-watchdog as a daemon: sleeps in one poll() until a process ends, a segment appears, a look ends, or an
// interval is over. What may take its time happens in other threads.
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "sapbuf_watchdog/options.hpp"
#include "sapbuf_watchdog/privileges.hpp"
#include "sapbuf_watchdog/segment_directory.hpp"
#include "sapbuf_watchdog/service_manager.hpp"
#include "sapbuf_watchdog/watch_list.hpp"
#include "sapbuf_watchdog/workers.hpp"

namespace sapbuf::tools {

namespace {

using Clock = WatchList::Clock;

constexpr std::chrono::milliseconds kPatienceAtTheEnd{1000};

// The list of segments, looked at in another thread: whoever fills the directory delays nothing but that.
class Follower {
 public:
  explicit Follower(Workers& workers) : workers_(workers) {}

  void look_if_due() {
    if (looks_ || !directory_.is_due()) return;
    looks_ = workers_.start([this] { look(); });
  }

  // The streams of a look that has ended since.
  std::optional<std::vector<ListedStream>> take() {
    std::optional<Result> result;
    {
      const std::lock_guard guard{mutex_};
      result.swap(result_);
    }
    if (!result) return std::nullopt;
    looks_ = false;
    directory_.looked(result->it_took);
    if (result->trouble != trouble_ && !result->trouble.empty()) spdlog::error("{}", result->trouble);
    trouble_ = result->trouble;
    if (!trouble_.empty()) return std::nullopt;
    has_looked_ = true;
    left_out_.tell(result->listing);
    return std::move(result->listing.streams);
  }

  bool has_looked() const noexcept { return has_looked_; }
  bool has_trouble() const noexcept { return !trouble_.empty(); }
  int fd() const noexcept { return looks_ ? -1 : directory_.fd(); }
  Clock::time_point next() const noexcept { return looks_ ? Clock::time_point::max() : directory_.next(); }

 private:
  struct Result {
    Listing listing;
    std::string trouble;
    Clock::duration it_took{};
  };

  void look() noexcept {
    Result result;
    const Clock::time_point begin = Clock::now();
    try {
      result.listing = list_streams();
    } catch (const std::exception& error) {
      result.trouble = error.what();
    }
    result.it_took = Clock::now() - begin;
    const std::lock_guard guard{mutex_};
    result_ = std::move(result);
  }

  Workers& workers_;
  SegmentDirectory directory_;
  LeftOut left_out_;
  std::string trouble_;  // told already
  bool has_looked_ = false;
  bool looks_ = false;  // in this moment
  std::mutex mutex_;
  std::optional<Result> result_;  // guarded by the mutex
};

class Daemon {
 public:
  explicit Daemon(const WatchdogOptions& options) : list_(options, workers_) {
    for (const std::string& name : options.names) list_.add(name);
    if (options.all) follower_.emplace(workers_);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  // Threads that are still at something need what would be destroyed now.
  ~Daemon() {
    if (!workers_.end(kPatienceAtTheEnd)) std::_Exit(stop_requested() ? kDone : kFailure);
  }

  int run() {
    while (!stop_requested()) {
      workers_.clear();
      list_.collect();
      if (follower_) follow();
      sweep_if_wanted();
      list_.start_due();
      wait();
    }
    manager_.stopping();
    spdlog::info("stopped");
    return kDone;
  }

 private:
  void follow() {
    follower_->look_if_due();
    if (const auto streams = follower_->take()) list_.follow(*streams);
  }

  // A look at every stream, due or not, of which the service manager is told. The first one needs the list of them.
  void sweep_if_wanted() {
    if (!manager_.wants_sweep() || !may_sweep()) return;
    if (!sweeps_) {
      list_.begin_sweep();
      sweeps_ = true;
    }
    if (list_.is_sweep_over()) {
      manager_.swept(list_.sweep_completed() && !(follower_ && follower_->has_trouble()), list_.status());
      sweeps_ = false;
    }
  }

  bool may_sweep() const noexcept { return !follower_ || follower_->has_looked(); }

  void wait() {
    polled_.clear();
    owners_.clear();
    Clock::time_point until = std::min(Clock::now() + std::chrono::seconds{1}, list_.next_due());
    if (sweeps_ || may_sweep()) until = std::min(until, sweeps_ ? list_.sweep_ends() : manager_.next_sweep());
    if (follower_) until = std::min(until, follower_->next());
    list_.each_process([&](int fd, auto& watched) {
      polled_.push_back({fd, POLLIN, 0});
      owners_.push_back([this, &watched](int ended) { list_.process_ended(watched, ended); });
    });
    polled_.push_back({workers_.fd(), POLLIN, 0});
    if (follower_ && follower_->fd() >= 0) polled_.push_back({follower_->fd(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    const int timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
    if (::poll(polled_.data(), polled_.size(), timeout) <= 0) return;
    for (std::size_t at = 0; at < owners_.size(); ++at) {
      if (polled_[at].revents != 0) owners_[at](polled_[at].fd);
    }
  }

  ServiceManager manager_;
  Workers workers_;
  WatchList list_;
  std::optional<Follower> follower_;
  bool sweeps_ = false;  // a sweep has begun, and is not over
  std::vector<pollfd> polled_;
  std::vector<std::function<void(int)>> owners_;  // of the first so many in `polled_`
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
  keep_needed_capabilities(options.on_hung == OnHung::kill);
  spdlog::info("watching {}{}, every {}", options.all ? "every segment" : counted(options.names.size(), "segment"),
               options.dry_run ? " without touching anything" : "", human_duration(options.interval));
  return Daemon{options}.run();
}

}  // namespace sapbuf::tools
