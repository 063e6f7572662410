#include "hand_over.hpp"

#include <chrono>
#include <stdexcept>

#include "crew.hpp"
#include "processes.hpp"

namespace sapbuf::bench {
namespace {

using Clock = std::chrono::steady_clock;

class Prepared {
 public:
  Prepared(Peer& peer, const Load& load) : peer_(peer) { peer.prepare(load); }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared() { peer_.clean_up(); }

 private:
  Peer& peer_;
};

// From each consumer, what it added up.
bool all_arrived(const Peer& peer, const Load& load, const Pipe& results) {
  std::uint64_t shared_sum = 0;
  for (unsigned i = 0; i < load.consumers; ++i) {
    const std::uint64_t sum = results.receive();
    if (sum == kFailed || (!peer.shares() && sum != expected_sum(load))) return false;
    shared_sum += sum;
  }
  return !peer.shares() || shared_sum == expected_sum(load);
}

}  // namespace

std::uint64_t expected_sum(const Load& load) noexcept {
  const std::uint64_t n = load.messages;
  return n * (n - 1) / 2 * (load.message_bytes / 8) * load.producers;
}

double hand_over(Peer& peer, const Load& load) {
  const Prepared prepared{peer, load};
  const Pipe go;
  const Pipe results;
  Crew crew;
  // Where there are not enough cores, the kernel knows best who waits for whom.
  const bool a_core_each = load.producers + load.consumers <= cores();
  const auto open_end = [&](unsigned core, const std::function<void()>& code) {
    crew.add(start(a_core_each ? std::optional{core} : std::nullopt, results, code));
    if (results.receive() != kReady) throw std::runtime_error("an end did not open");
  };
  for (unsigned i = 0; i < load.consumers; ++i) {
    open_end(cores() - 1 - i, [&] { results.send(peer.consume(load, [&] { results.send(kReady); })); });
  }
  for (unsigned i = 0; i < load.producers; ++i) {
    open_end(i, [&] {
      peer.produce(load, [&] {
        results.send(kReady);
        go.receive();
      });
    });
  }
  const auto begin = Clock::now();
  for (unsigned i = 0; i < load.producers; ++i) go.send(1);
  if (!all_arrived(peer, load, results)) throw std::runtime_error("messages were lost or damaged");
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  crew.wait_for_ends();
  return static_cast<double>(load.messages) * load.producers / seconds.count();
}

}  // namespace sapbuf::bench
