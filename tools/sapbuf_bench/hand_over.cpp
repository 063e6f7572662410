#include "hand_over.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <vector>

namespace sapbuf::bench {
namespace {

using Clock = std::chrono::steady_clock;

unsigned cores() noexcept { return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

void pin_to(unsigned core) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % cores(), &set);
  ::sched_setaffinity(0, sizeof set, &set);  // a hint: where it is not allowed, the run is only noisier
}

class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void send(std::uint64_t value) const {
    if (::write(ends_[1], &value, sizeof value) != sizeof value)
      throw std::runtime_error("a process of the run is gone");
  }
  std::uint64_t receive() const {
    std::uint64_t value = 0;
    if (::read(ends_[0], &value, sizeof value) != sizeof value)
      throw std::runtime_error("a process of the run is gone");
    return value;
  }

 private:
  int ends_[2];
};

constexpr std::uint64_t kFailed = ~std::uint64_t{0};

pid_t start(unsigned core, const Pipe& results, const std::function<void()>& code) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to(core);
  int status = 0;
  try {
    code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sapbuf-bench: %s\n", error.what());
    results.send(kFailed);
    status = 1;
  }
  ::_exit(status);
}

}  // namespace

void fill(std::byte* payload, std::size_t bytes, std::uint64_t number) noexcept {
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) std::memcpy(payload + at, &number, 8);
}

std::uint64_t sum_of(const std::byte* payload, std::size_t bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, payload + at, 8);
    sum += word;
  }
  return sum;
}

std::uint64_t expected_sum(const Load& load) noexcept {
  const std::uint64_t n = load.messages;
  return n * (n - 1) / 2 * (load.message_bytes / 8) * load.producers;
}

double hand_over(Peer& peer, const Load& load) {
  peer.prepare(load);
  const Pipe ready;
  const Pipe go;
  const Pipe results;
  std::vector<pid_t> children;
  children.push_back(start(cores() - 1, results, [&] {
    const std::uint64_t sum = peer.consume(
        load, [](void* pipe) { static_cast<const Pipe*>(pipe)->send(1); }, const_cast<Pipe*>(&ready));
    results.send(sum);
  }));
  ready.receive();
  for (unsigned i = 0; i < load.producers; ++i) {
    const unsigned core = cores() == 1 ? 0 : (load.producers == 1 ? 0 : i % cores());
    children.push_back(start(core, results, [&] {
      ready.send(1);
      go.receive();
      peer.produce(load);
    }));
    ready.receive();
  }
  const auto begin = Clock::now();
  for (unsigned i = 0; i < load.producers; ++i) go.send(1);
  const std::uint64_t sum = results.receive();
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  for (const pid_t child : children) {
    if (sum == kFailed) ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  peer.clean_up();
  if (sum != expected_sum(load)) throw std::runtime_error("messages were lost or damaged");
  return static_cast<double>(load.messages) * load.producers / seconds.count();
}

}  // namespace sapbuf::bench
