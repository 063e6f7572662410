// All streams under the daemon's eyes, each of which is looked at in its own time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sapbuf_watchdog/segment_directory.hpp"
#include "sapbuf_watchdog/segment_watch.hpp"
#include "sapbuf_watchdog/workers.hpp"

namespace sapbuf::tools {

// No stream delays another one. A look runs in a thread of its own; while it does, its SegmentWatch belongs to that
// thread, and the list keeps off it. So that nobody takes all threads for himself, the streams of one owner go through
// one lane, which is some threads wide: where an owner's looks take long, it is his own other streams that wait.
class WatchList {
 public:
  using Clock = SegmentWatch::Clock;

  WatchList(const WatchdogOptions& options, Workers& workers) : options_(options), workers_(workers) {}

  // A stream that the operator named: in a lane of its own.
  void add(const std::string& name);
  // Takes up those that are new in the list, and drops those that are not in it.
  void follow(const std::vector<ListedStream>& streams);

  // Starts the looks that are due; when the next ones will be.
  void start_due();
  Clock::time_point next_due() const;
  // Takes the looks that have ended. Prints what they have to say as JSON.
  void collect();

  // A sweep is one look at each stream, due or not.
  void begin_sweep();
  // Every look was made, or has been given up on: one that takes longer than a second does not keep the rest waiting.
  bool is_sweep_over() const;
  Clock::time_point sweep_ends() const noexcept { return sweep_ends_; }
  // False if this process lacked the resources for one of them.
  bool sweep_completed() const noexcept { return sweep_completed_; }
  std::string status() const;  // for people

  // Calls `visit` with each descriptor to poll for, and what to pass to process_ended() when it becomes readable,
  // before anything else is called here.
  template <class Visit>
  void each_process(Visit visit) {
    for (const auto& entry : watched_) {
      Watched& watched = *entry.second;
      if (watched.state != State::running) watched.watch.processes().each([&](int fd) { visit(fd, watched); });
    }
  }

 private:
  enum class State { idle, waiting, running };

  struct Watched;
  struct Lane {
    std::size_t running = 0;
    std::deque<Watched*> waiting;
  };
  struct Watched {
    Watched(const std::string& name, const WatchdogOptions& options, KilledProcesses& killed, Lane& its_lane)
        : watch(name, options, killed), lane(&its_lane) {}

    SegmentWatch watch;
    Lane* lane;
    State state = State::idle;
    Clock::time_point due{};    // idle: when it is looked at next
    Clock::time_point since{};  // otherwise: since when it waits or runs
    std::uint64_t sweep = 0;    // running: in which sweep it began; otherwise the last that it has been looked at in
    bool completed = true;
    bool gone = false;  // not in the list any more
    bool slow_told = false;
    // As of the end of the last look.
    bool is_open = false;
    bool is_recovery_pending = false;
    bool has_trouble = false;
  };

 public:
  void process_ended(Watched& watched, int fd);

 private:
  using Due = std::pair<Clock::time_point, Watched*>;

  void take_up(const std::string& name, Lane& lane);
  void make_due(Watched& watched, Clock::time_point when);
  void start(Watched& watched);
  void end(Watched& watched);
  void drop(Watched& watched);
  void tell_slow();

  const WatchdogOptions& options_;
  Workers& workers_;
  KilledProcesses killed_;
  std::map<std::uint64_t, Lane> lanes_;  // by owner; those of named streams behind all of these
  std::map<std::string, std::unique_ptr<Watched>> watched_;
  std::set<Due> due_;           // the idle
  std::set<Watched*> started_;  // the running
  std::uint64_t named_ = 0;
  std::uint64_t sweep_ = 0;
  Clock::time_point sweep_ends_{};
  bool sweep_completed_ = true;

  std::mutex mutex_;
  std::vector<Watched*> ended_;  // guarded by the mutex
};

}  // namespace sapbuf::tools
