#include "sapbuf_watchdog/watch_list.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/human.hpp"
#include "common/output.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kThreadsOfOneOwner = 16;
constexpr std::chrono::seconds kSweepPatience{1};
// A look takes microseconds, and milliseconds where it waits for a lock.
constexpr std::chrono::milliseconds kSlow{500};
// Where the system has no thread to give.
constexpr std::chrono::milliseconds kOpenAgainAfter{100};
constexpr std::uint64_t kNamedLanes = std::uint64_t{1} << 32;  // user ids have 32 bits

}  // namespace

void WatchList::add(const std::string& name) { take_up(name, lanes_[kNamedLanes + named_++]); }

void WatchList::follow(const std::vector<ListedStream>& streams) {
  for (const auto& [name, watched] : watched_) watched->gone = true;
  for (const ListedStream& stream : streams) {
    Lane& lane = lanes_[stream.owner];
    const auto known = watched_.find(stream.name);
    if (known == watched_.end()) {
      take_up(stream.name, lane);
      continue;
    }
    known->second->gone = false;
    if (known->second->state == State::idle) known->second->lane = &lane;  // its name may be somebody else's by now
  }
  std::vector<Watched*> gone;
  for (const auto& [name, watched] : watched_) {
    if (watched->gone && watched->state == State::idle) gone.push_back(watched.get());
  }
  for (Watched* const watched : gone) drop(*watched);
}

void WatchList::take_up(const std::string& name, Lane& lane) {
  auto& watched = watched_[name];
  if (watched != nullptr) return;
  watched = std::make_unique<Watched>(name, options_, killed_, lane);
  make_due(*watched, Clock::now());
}

void WatchList::make_due(Watched& watched, Clock::time_point when) {
  due_.erase({watched.due, &watched});
  watched.due = when;
  due_.insert({when, &watched});
}

void WatchList::start_due() {
  const Clock::time_point now = Clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    Watched& watched = *due_.begin()->second;
    due_.erase(due_.begin());
    watched.since = now;
    if (watched.lane->running < kThreadsOfOneOwner) {
      start(watched);
    } else {
      watched.state = State::waiting;
      watched.lane->waiting.push_back(&watched);
    }
  }
  tell_slow();
}

void WatchList::start(Watched& watched) {
  watched.state = State::running;
  watched.since = Clock::now();
  watched.sweep = sweep_;
  const bool started = workers_.start([this, &watched] {
    watched.completed = watched.watch.tick();
    const std::lock_guard guard{mutex_};
    ended_.push_back(&watched);
  });
  if (started) {
    ++watched.lane->running;
    started_.insert(&watched);
    return;
  }
  watched.state = State::idle;
  sweep_completed_ = false;
  make_due(watched, Clock::now() + kOpenAgainAfter);
}

WatchList::Clock::time_point WatchList::next_due() const {
  Clock::time_point next = due_.empty() ? Clock::time_point::max() : due_.begin()->first;
  for (const Watched* const watched : started_) {
    if (!watched->slow_told) next = std::min(next, watched->since + kSlow);
  }
  return next;
}

void WatchList::collect() {
  std::vector<Watched*> ended;
  {
    const std::lock_guard guard{mutex_};
    ended.swap(ended_);
  }
  for (Watched* const watched : ended) end(*watched);
}

void WatchList::end(Watched& watched) {
  started_.erase(&watched);
  Lane& lane = *watched.lane;
  --lane.running;
  watched.state = State::idle;
  watched.is_open = watched.watch.is_open();
  watched.is_recovery_pending = watched.watch.is_recovery_pending();
  watched.has_trouble = watched.watch.has_trouble();
  if (watched.slow_told) spdlog::info("{}: that look has ended", watched.watch.name());
  watched.slow_told = false;
  if (watched.sweep == sweep_ && !watched.completed) sweep_completed_ = false;
  if (const std::string output = watched.watch.take_output(); !output.empty()) print(output);
  if (watched.gone) {
    drop(watched);
  } else {
    make_due(watched, watched.sweep == sweep_ ? watched.watch.next_due() : Clock::time_point{});
  }
  while (!lane.waiting.empty() && lane.running < kThreadsOfOneOwner) {
    Watched& next = *lane.waiting.front();
    lane.waiting.pop_front();
    start(next);
    if (next.state != State::running) break;
  }
}

void WatchList::drop(Watched& watched) {
  due_.erase({watched.due, &watched});
  const std::string name = watched.watch.name();
  if (watched.is_open) spdlog::info("{}: removed", name);
  watched_.erase(name);
}

void WatchList::process_ended(Watched& watched, int fd) {
  watched.watch.process_ended(fd);
  if (watched.state == State::idle) make_due(watched, Clock::time_point{});
}

void WatchList::tell_slow() {
  const Clock::time_point now = Clock::now();
  for (Watched* const watched : started_) {
    if (watched->slow_told || now < watched->since + kSlow) continue;
    watched->slow_told = true;
    spdlog::warn("{}: this look takes long; the other segments do not wait for it", watched->watch.name());
  }
}

void WatchList::begin_sweep() {
  ++sweep_;
  sweep_completed_ = true;
  sweep_ends_ = Clock::now() + kSweepPatience;
  for (const auto& [name, watched] : watched_) {
    if (watched->state == State::idle) make_due(*watched, Clock::time_point{});
  }
}

bool WatchList::is_sweep_over() const {
  if (Clock::now() >= sweep_ends_) return true;
  return std::all_of(watched_.begin(), watched_.end(), [&](const auto& entry) {
    return entry.second->state == State::idle && entry.second->sweep == sweep_;
  });
}

std::string WatchList::status() const {
  const auto those = [&](auto property) {
    return std::count_if(watched_.begin(), watched_.end(), [&](const auto& entry) { return property(*entry.second); });
  };
  std::string text =
      "watching " + counted(static_cast<std::uint64_t>(those([](const Watched& it) { return it.is_open; })), "segment");
  if (const auto pending = those([](const Watched& it) { return it.is_recovery_pending; })) {
    text += fmt::format("; recovery pending in {}", pending);
  }
  if (const auto troubled = those([](const Watched& it) { return it.has_trouble; })) {
    text += fmt::format("; trouble with {}", troubled);
  }
  const Clock::time_point now = Clock::now();
  const auto is_slow = [&](const Watched& it) { return it.state != State::idle && now >= it.since + kSlow; };
  if (const auto slow = those(is_slow)) text += fmt::format("; {} take long", slow);
  return text;
}

}  // namespace sapbuf::tools
