#include "sapbuf/room_watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::chrono::seconds kLong{1};
constexpr std::chrono::milliseconds kLookEvery{100};

// A thread that no signal of others goes to: they are to interrupt the one that reads and writes. SIGBUS is its own:
// the stream may be truncated while this looks at it.
template <typename Code>
std::thread start_without_signals(Code code) {
  sigset_t others;
  sigset_t before;
  ::sigfillset(&others);
  ::sigdelset(&others, SIGBUS);
  ::pthread_sigmask(SIG_SETMASK, &others, &before);
  std::thread thread{code};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// "generation 4: archiver, tail" for each slab that somebody keeps from being reclaimed.
std::vector<std::string> keepers(const StreamSnapshot& stream) {
  std::vector<std::string> found;
  for (const SlabSnapshot& slab : stream.slabs) {
    if (slab.state != "sealed" || slab.held_by.empty()) continue;
    std::vector<std::string> names;
    std::transform(slab.held_by.begin(), slab.held_by.end(), std::back_inserter(names), printable_name);
    found.push_back(fmt::format("generation {} by {}", slab.generation, fmt::join(names, ", ")));
  }
  return found;
}

std::string what_keeps(const Stream& stream) {
  const Snapshot segment = inspect(stream.segment(), {.lag = false});
  const FacilitySnapshot* const found = find_stream(segment, stream.name());
  const StreamSnapshot snapshot = found != nullptr ? *found->stream : StreamSnapshot{};
  if (snapshot.awaits_first_reader) return "it keeps everything until a first reader comes";
  if (auto holders = find_lock_holders(stream.segment())) {
    if (holders->empty()) return "a lock of its segment is held by " + holder_text(*holders);
    std::erase_if(*holders, [&](const LockHolder& holder) { return holder.facility != stream.name(); });
    if (!holders->empty()) return "its lock is held by " + holder_text(*holders);
  }
  const std::vector<std::string> kept = keepers(snapshot);
  if (kept.empty()) return "somebody is in the middle of a step";
  return fmt::format("held: {}", fmt::join(kept, "; "));
}

}  // namespace

RoomWatch::RoomWatch(const Stream& stream)
    : stream_(stream), name_(stream), thread_(start_without_signals([this] { run(); })) {}

RoomWatch::~RoomWatch() {
  {
    const std::lock_guard guard{mutex_};
    is_over_ = true;
  }
  over_.notify_one();
  thread_.join();
}

void RoomWatch::run() {
  std::uint64_t seen = 0;
  Clock::time_point since = Clock::now();
  std::unique_lock lock{mutex_};
  while (!over_.wait_for(lock, kLookEvery, [this] { return is_over_; })) {
    const std::uint64_t now = steps_.load(std::memory_order_relaxed);
    if (now != seen) {
      seen = now;
      since = Clock::now();
    } else if (seen % 2 != 0 && !told_.load(std::memory_order_relaxed) && Clock::now() - since >= kLong) {
      tell_who_keeps_it();
      waits_since_ = since;
      told_.store(true, std::memory_order_release);
    }
    if (name_.is_due()) look_at_name_locked();
  }
}

void RoomWatch::look_at_name() {
  const std::lock_guard guard{mutex_};
  look_at_name_locked();
}

void RoomWatch::look_at_name_locked() {
  if (nobody_left()) return;
  try {
    if (!name_.is_gone_without(Role::reader)) return;
  } catch (const std::exception&) {
    return;  // the writer's own calls say what is the matter
  }
  nobody_left_.store(true, std::memory_order_relaxed);
  request_stop();
}

void RoomWatch::tell_who_keeps_it() const {
  try {
    spdlog::warn("waiting for room in {}: {}", title_of(stream_), what_keeps(stream_));
  } catch (const Error& error) {
    spdlog::warn("waiting for room in {}: {}", title_of(stream_), error.what());
  }
}

void RoomWatch::tell_the_end(bool went_on) {
  if (went_on) spdlog::info("goes on after {}", human_duration(Clock::now() - waits_since_));
  told_.store(false, std::memory_order_release);
}

}  // namespace sapbuf::tools
