// Producers hand messages to consumers, each in a process of its own: what every peer is measured by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <sapbuf/options.hpp>
#include <span>
#include <string>

namespace sapbuf::bench {

struct Load {
  std::size_t message_bytes = 16;      // a multiple of 8, 8 at least
  std::uint64_t messages = 1'000'000;  // of each producer
  unsigned producers = 1;
  unsigned consumers = 1;

  // For those who cannot be told that no more will come, while they wait: each takes as many as the others.
  std::uint64_t messages_of_each_consumer() const noexcept { return messages * producers / consumers; }
};

// What each end calls when it is open: nothing that is done before belongs to the figure. A producer's returns when all
// ends are open.
using Ready = std::function<void()>;

// Something that hands over messages. Made before the processes are; each process opens its own end by `name`.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void prepare(const Load& load) = 0;                      // in the parent
  virtual void produce(const Load& load, const Ready& begin) = 0;  // in each producer
  // In each consumer; returns the sum of all words.
  virtual std::uint64_t consume(const Load& load, const Ready& ready) = 0;
  virtual void clean_up() noexcept = 0;  // in the parent
  // Several consumers: whether each message goes to one of them, or to all.
  virtual bool shares() const noexcept { return false; }
};

std::unique_ptr<Peer> make_sapbuf(const SegmentOptions& options, unsigned batch = 1);  // messages a publication
std::unique_ptr<Peer> make_message_queue();
std::unique_ptr<Peer> make_lockfree(const Load& load);
std::unique_ptr<Peer> make_mutex();
std::unique_ptr<Peer> make_condition();
std::unique_ptr<Peer> make_pipe();
std::unique_ptr<Peer> make_unix_socket();
// Who else is at a queue, and does nothing: a producer that was stopped in the middle of its work, or a consumer that works on one
// block all the time.
enum class Beside { nobody, stopped_producer, slow_consumer };
struct QueueSetting {
  unsigned batch = 1;       // messages a call
  std::uint64_t slots = 0;  // 0: as many as rings have
  Beside beside = Beside::nobody;
};
std::unique_ptr<Peer> make_queue(const QueueSetting& setting);
std::unique_ptr<Peer> make_posix_mq();
inline constexpr std::size_t kMostOfPosixMq = 8192;  // bytes of a message, for an ordinary user
// Whether a ring knows that it has one producer, or consumer, only; in the head-tail-synchronised mode of many, nobody begins before the
// one before has ended.
enum class Ends { as_there_are, many, many_hts };
std::unique_ptr<Peer> make_rte_ring(unsigned batch,
                                    Ends ends = Ends::as_there_are);  // messages a call; SAPBUF_BENCH_DPDK
std::unique_ptr<Peer> make_zeromq();                                  // SAPBUF_BENCH_ZEROMQ

// Ways to bring bytes from one core to another, for what the machine itself allows. One producer only.
enum class Copying { stores, memcpy, rep_movsb, streaming_stores };
std::span<const Copying> ways_of_copying() noexcept;  // those that this machine has
const char* to_string(Copying copying) noexcept;
std::unique_ptr<Peer> make_copy(Copying copying);

// What peers get that have room for bytes: a ring one of these, what has two buffers, or is a heap of messages, two, as
// sapbuf has two slabs. Others are as deep as their makers have them: a socket, ZeroMQ (1,000 messages at each end), a
// POSIX queue (10).
inline constexpr std::size_t kSlabBytes = 1 << 20;

// Messages that a ring, or a queue of sapbuf, has room for: with more processes than cores, that is also how long one of them may be
// off its core without anybody waiting for it.
inline std::uint64_t depth_of(const Load& load) noexcept {
  std::uint64_t count = 64;
  while (count * 2 * load.message_bytes <= kSlabBytes) count *= 2;
  return count;
}

inline void spin_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A payload whose sum the consumer checks: every word is the message's number.
std::uint64_t expected_sum(const Load& load) noexcept;
inline void fill(std::byte* payload, std::size_t bytes, std::uint64_t number) noexcept {
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) std::memcpy(payload + at, &number, 8);
}
inline std::uint64_t sum_of(const std::byte* payload, std::size_t bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, payload + at, 8);
    sum += word;
  }
  return sum;
}

// Runs it once. Where there is a core for each process: producers from the first core on, consumers from the last on.
// Messages a second, from the producers' start to the last consumer's last message. Throws if an end fails, or a
// message is missing or damaged; no process of the run is left then, either.
double hand_over(Peer& peer, const Load& load);

}  // namespace sapbuf::bench
