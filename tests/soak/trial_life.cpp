#include "soak/trial_life.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "soak/dice.hpp"
#include "soak/trial_kit.hpp"

extern char** environ;

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kProcesses = 3;
constexpr std::size_t kThreads = 2;  // of each, that write

// A child that lives on for a while with whatever it inherited.
void fork_once(Dice& dice) {
  const auto life_us = static_cast<unsigned>(dice.below(3000));
  const pid_t child = ::fork();
  if (child == 0) {
    ::usleep(life_us);
    ::_exit(0);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
}

void spawn_once() {
  char program[] = "/bin/true";
  char* const arguments[] = {program, nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, program, nullptr, nullptr, arguments, environ) == 0) ::waitpid(child, nullptr, 0);
}

// As a daemon does, and as a library does that opens files of its own afterwards.
void lose_descriptors() {
  ::closefrom(STDERR_FILENO + 1);
  for (int i = 0; i < 12; ++i) static_cast<void>(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

void misbehave(const std::atomic<bool>& over, std::uint64_t seed) {
  Dice dice{seed};
  while (!over.load()) {
    const std::uint64_t what = dice.below(4);
    if (what == 0) {
      lose_descriptors();
    } else if (what == 1) {
      spawn_once();
    } else {
      fork_once(dice);
    }
    ::usleep(static_cast<unsigned>(dice.below(2000)));
  }
}

void write_carelessly(const std::string& stream, std::size_t process, std::uint64_t messages, std::uint64_t seed) {
  const Segment segment = Segment::open(stream);
  std::atomic<bool> over{false};
  std::thread careless{[&] { misbehave(over, seed); }};
  std::vector<std::thread> writers;
  for (std::size_t t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, who = static_cast<std::uint16_t>(1 + process * kThreads + t)] {
      Writer writer{segment, {.name = fmt::format("careless-{}", who), .timeout = kTrialPatience}};
      for (std::uint64_t number = 1; number <= messages; ++number) {
        if (!write_numbered(writer, who, number)) ::_exit(3);
        if (number % 64 == 0) ::usleep(200);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  over.store(true);
  careless.join();
}

}  // namespace

void live_carelessly(const std::string& stream, const TrialOptions& options) {
  const std::uint64_t messages = options.with_all_might ? 20'000 : 2'000;
  const Segment segment = Segment::create(stream, {.slabs = 3, .slab_bytes = 16384, .participants = 32});
  Listener listener{segment};
  std::vector<Process> processes;
  for (std::size_t p = 0; p < kProcesses; ++p) {
    processes.emplace_back([&, p] { write_carelessly(stream, p, messages, mix(options.seed ^ p)); });
  }
  for (Process& process : processes) {
    std::optional<int> status;
    wait_until("a careless process to end", [&] {
      const RecoveryReport report = recover(segment);
      if (!report.dead.empty()) throw std::runtime_error(report.dead.front().name + " lives, and was declared dead");
      listener.read_what_is_there();
      status = process.reap();
      return status.has_value();
    });
    if (*status != 0) throw std::runtime_error(fmt::format("a careless process ended with status {}", *status));
  }
  listener.read_what_is_there();
  for (std::uint16_t who = 1; who <= kProcesses * kThreads; ++who) {
    if (listener.last_of(who) != messages) throw std::runtime_error(fmt::format("writer {} is not complete", who));
  }
  conclude(segment, listener);
}

}  // namespace sapbuf::soak
