#include "soak/trials.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>
#include <vector>

#include "soak/dice.hpp"
#include "soak/trial_kit.hpp"
#include "soak/trial_life.hpp"
#include "support/invariants.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

// --- An incarnation storm: histories longer than any one life ------------------------------------------------------

// Attaches, tries to reserve, leaves; again and again. What there is room for is committed, or aborted.
void incarnate(const std::string& stream, std::uint16_t who, std::uint64_t times, std::uint64_t seed) {
  const Segment segment = Segment::open(stream);
  Dice dice{mix(seed ^ who)};
  std::uint64_t number = 0;
  for (std::uint64_t i = 0; i < times; ++i) {
    Writer writer{segment, {.name = "incarnation", .timeout = 0ms}};
    if (dice.one_in(4)) {
      static_cast<void>(writer.reserve(kTrialMessageBytes, who));  // aborted
    } else if (write_numbered(writer, who, number + 1)) {
      ++number;
    }
  }
}

// First into a stream that is full and stays so, then into one that is read. Some are killed on the way.
void storm(const std::string& stream, const TrialOptions& options, Order order) {
  constexpr std::size_t kAtOnce = 3;
  constexpr std::uint16_t kFiller = 1;
  const std::uint64_t times = options.with_all_might ? 100'000 : 600;
  const Segment segment =
      Segment::create(stream, {.slabs = 2, .slab_bytes = 8192, .order = order, .extent_bytes = 0, .participants = 16});
  Listener listener{segment};
  {
    Writer filler{segment, {.name = "filler", .timeout = 0ms}};
    for (std::uint64_t number = 1; write_numbered(filler, kFiller, number); ++number) {
    }
  }
  std::uint16_t next = kFiller + 1;
  for (const bool flowing : {false, true}) {
    std::vector<Process> stormers;
    const auto start = [&] {
      stormers.emplace_back([&, who = next++] { incarnate(stream, who, times / kAtOnce, options.seed); });
    };
    for (std::size_t i = 0; i < kAtOnce; ++i) start();
    for (std::size_t kills = options.with_all_might ? 100 : 5; kills > 0; --kills) {
      ::usleep(10'000);
      stormers[kills % kAtOnce].send(SIGKILL);
      stormers[kills % kAtOnce].reap_within(kPatience);
      stormers.erase(stormers.begin() + static_cast<std::ptrdiff_t>(kills % kAtOnce));
      start();
      if (flowing) listener.read_what_is_there();
    }
    for (Process& stormer : stormers) await_good_end(stormer, flowing ? &listener : nullptr);
    settle(segment);
  }
  conclude(segment, listener);
}

// --- A crowd: many writers that wait for room ----------------------------------------------------------------------

void crowd(const std::string& stream, const TrialOptions& options) {
  constexpr std::size_t kProcesses = 8;
  constexpr std::uint64_t kMessages = 600;  // of each writer: more than the stream has room for
  const std::size_t threads = options.with_all_might ? 50 : 3;
  const Segment segment = Segment::create(stream, {.slabs = 2, .slab_bytes = 16384, .participants = 512});
  Listener listener{segment};
  std::vector<Process> processes;
  for (std::size_t p = 0; p < kProcesses; ++p) {
    processes.emplace_back([&, p] {
      const Segment own = Segment::open(stream);
      std::vector<std::thread> writers;
      for (std::size_t t = 0; t < threads; ++t) {
        writers.emplace_back([&own, who = static_cast<std::uint16_t>(1 + p * threads + t)] {
          Writer writer{own, {.name = "one of many", .timeout = kTrialPatience}};
          for (std::uint64_t number = 1; number <= kMessages; ++number) {
            if (!write_numbered(writer, who, number)) ::_exit(3);
          }
        });
      }
      for (std::thread& writer : writers) writer.join();
    });
  }
  const std::size_t all = kProcesses * threads;
  wait_until("the crowd to come", [&] { return inspect(segment).participants.size() == all + 1; });
  // Long enough that most of them sleep, and wake to look, for several times.
  ::usleep(options.with_all_might ? 2'000'000 : 100'000);
  for (const std::size_t victim : {std::size_t{1}, std::size_t{4}}) {
    processes[victim].send(SIGKILL);
    processes[victim].reap_within(kPatience);
  }
  for (std::size_t p = 0; p < kProcesses; ++p) {
    if (!processes[p].runs()) continue;
    await_good_end(processes[p], &listener);
    listener.read_what_is_there();
    for (std::size_t t = 0; t < threads; ++t) {
      const auto who = static_cast<std::uint16_t>(1 + p * threads + t);
      if (listener.last_of(who) != kMessages) throw std::runtime_error(fmt::format("writer {} is not complete", who));
    }
  }
  conclude(segment, listener);
}

// --- Large heaps: what dies slowly ---------------------------------------------------------------------------------

void large_heap(const std::string& stream, const TrialOptions& options) {
  const std::size_t bytes = std::size_t{options.with_all_might ? 768u : 48u} << 20;
  const Segment segment = Segment::create(stream, {.slabs = 2, .slab_bytes = 65536, .participants = 8});
  Listener listener{segment};
  Process large{[&] {
    const std::vector<char> heap(bytes, 'x');
    const Segment own = Segment::open(stream);
    Reader reader{own, {.name = "large reader"}};
    Writer writer{own, {.name = "large writer"}};
    const Reservation open = writer.reserve(kTrialMessageBytes, 1);
    for (;;) ::pause();
  }};
  wait_until("the large process to hold a slab", [&] {
    for (const ParticipantSnapshot& one : inspect(segment).participants) {
      if (one.name == "large writer" && one.in_operation) return true;
    }
    return false;
  });
  Writer writer{segment, {.name = "writer", .timeout = 0ms}};
  std::uint64_t number = 1;
  while (write_numbered(writer, 2, number)) ++number;
  large.send(SIGKILL);
  // Nobody but the writer looks for the dead.
  wait_until("room behind the dead", [&] {
    listener.read_what_is_there();
    return write_numbered(writer, 2, number);
  });
  if (!large.reap_within(kPatience)) throw std::runtime_error("the large process does not end");
  writer.close();
  conclude(segment, listener);
}

}  // namespace

std::span<const Trial> trials() {
  static const Trial all[] = {
      {"storm",
       [](const std::string& stream, const TrialOptions& options) { storm(stream, options, Order::per_writer); }},
      {"storm-total",
       [](const std::string& stream, const TrialOptions& options) { storm(stream, options, Order::total); }},
      {"crowd", crowd},
      {"large-heap", large_heap},
      {"careless-life", live_carelessly},
  };
  return all;
}

std::string run_trial(const Trial& trial, const TrialOptions& options) {
  const std::string stream = fmt::format("soak.{}.{}", ::getpid(), trial.name);
  std::string problem;
  try {
    trial.run(stream, options);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  Segment::remove(stream);
  return problem;
}

}  // namespace sapbuf::soak
