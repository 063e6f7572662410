#include "hand_over.hpp"

#include <signal.h>

#include <chrono>
#include <stdexcept>
#include <vector>

#include "processes.hpp"

namespace sapbuf::bench {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

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
  // Where there are not enough cores, the kernel knows best who waits for whom.
  const bool a_core_each = load.producers + load.consumers <= cores();
  const auto core = [&](unsigned index) { return a_core_each ? std::optional{index} : std::nullopt; };
  for (unsigned i = 0; i < load.consumers; ++i) {
    children.push_back(start(core(cores() - 1 - i), results, [&] {
      const std::uint64_t sum = peer.consume(
          load, [](void* pipe) { static_cast<const Pipe*>(pipe)->send(1); }, const_cast<Pipe*>(&ready));
      results.send(sum);
    }));
    ready.receive();
  }
  for (unsigned i = 0; i < load.producers; ++i) {
    children.push_back(start(core(i), results, [&] {
      ready.send(1);
      go.receive();
      peer.produce(load);
    }));
    ready.receive();
  }
  const auto begin = Clock::now();
  for (unsigned i = 0; i < load.producers; ++i) go.send(1);
  bool fine = true;
  std::uint64_t shared_sum = 0;
  for (unsigned i = 0; i < load.consumers && fine; ++i) {
    const std::uint64_t sum = results.receive();
    shared_sum += sum;
    fine = peer.shares() ? sum != kFailed : sum == expected_sum(load);
  }
  if (peer.shares()) fine = fine && shared_sum == expected_sum(load);
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  for (const pid_t child : children) {
    if (!fine) ::kill(child, SIGKILL);
    wait_for_end(child);
  }
  peer.clean_up();
  if (!fine) throw std::runtime_error("messages were lost or damaged");
  return static_cast<double>(load.messages) * load.producers / seconds.count();
}

}  // namespace sapbuf::bench
