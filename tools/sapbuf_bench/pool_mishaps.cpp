// What others cost who keep buffers: owners that do nothing with those they released, or are stopped, and one that is
// killed while it holds many.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <vector>

#include "crew.hpp"
#include "pool_place.hpp"
#include "scenarios.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

Buffer must_acquire(PoolUser& user) {
  Buffer buffer = user.acquire_for(10s);
  if (!buffer) throw std::runtime_error("sapbuf: " + std::string(to_string(buffer.status())));
  return buffer;
}

// Nobody may be left who keeps one.
void check_all_are_there(PoolUser& user, std::uint64_t count) {
  std::vector<Buffer> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(must_acquire(user));
}

// A process that does something with the pool and then nothing any more, until it is killed.
class Bystander {
 public:
  Bystander(const PoolPlace& place, const std::function<void(const Pool&, const std::function<void()>& rest)>& act) {
    const Pipe ready;
    pid_ = start(1, ready, [&] {
      act(place.pool(), [&] {
        ready.send(kReady);
        for (;;) ::pause();
      });
    });
    crew_.add(pid_);
    if (ready.receive() != kReady) throw std::runtime_error("a process did not get what it was to keep");
  }
  void stop() const {
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  void kill() const noexcept { ::kill(pid_, SIGKILL); }
  void wait_for_end() noexcept { crew_.wait_for_ends(); }

 private:
  Crew crew_;
  pid_t pid_ = 0;
};

// --- Starving ------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kKept = 1024;
constexpr unsigned kOwners = 64;

// Each owner has had its part of all buffers, and released it.
void keep_released(const Pool& pool, const std::function<void()>& rest) {
  std::vector<PoolUser> owners;
  for (unsigned i = 0; i < kOwners; ++i) {
    PoolUser& owner = owners.emplace_back(pool);
    std::vector<Buffer> part;
    for (std::uint64_t n = 0; n < kKept / kOwners; ++n) part.push_back(must_acquire(owner));
  }
  rest();
}

double us_until_served(bool stopped) {
  const PoolPlace place{{.buffer_bytes = 64, .count = kKept}};
  const Bystander owners{place, keep_released};
  if (stopped) owners.stop();
  PoolUser user{place.pool()};
  const auto begin = Clock::now();
  const Buffer served = must_acquire(user);
  const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
  check_all_are_there(user, kKept - 1);
  return took.count();
}

// --- Death ---------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kHeld = 100'000;

void hold_all(const Pool& pool, const std::function<void()>& rest) {
  PoolUser holder{pool};
  std::vector<Buffer> all;
  for (std::uint64_t i = 0; i < kHeld; ++i) all.push_back(must_acquire(holder));
  rest();
}

// Milliseconds until all buffers of a dead process are free again.
struct Death {
  double from_kill = 0;
  double from_end = 0;  // of the process, as its parent sees it: what the pool itself needs
};

Death death_of_a_holder() {
  const PoolPlace place{{.buffer_bytes = 64, .count = kHeld}};
  const Segment segment = place.segment();
  PoolUser user{place.pool()};
  Bystander holder{place, hold_all};
  const auto killed = Clock::now();
  holder.kill();
  holder.wait_for_end();
  const auto ended = Clock::now();
  while (recover(segment).dead.empty()) {
  }
  const auto recovered = Clock::now();
  check_all_are_there(user, kHeld);
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return {Milliseconds{recovered - killed}.count(), Milliseconds{recovered - ended}.count()};
}

}  // namespace

void measure_pool_starving(Report& report) {
  report.measure({"pool-starving",
                  fmt::format("a buffer, when all are with {} owners who released them", kOwners),
                  "us",
                  {{"idle owners", [] { return us_until_served(false); }},
                   {"stopped owners", [] { return us_until_served(true); }}}},
                 report.options().quick ? 3 : 25);
}

void measure_pool_death(Report& report) {
  Death death;
  report.measure({"pool-death",
                  fmt::format("SIGKILL of one who holds {} buffers -> all are free again", kHeld),
                  "ms",
                  {{"from the SIGKILL", [&] { return (death = death_of_a_holder()).from_kill; }},
                   {"from the process's end", [&] { return death.from_end; }}}},
                 report.options().quick ? 3 : 25);
}

}  // namespace sapbuf::bench
