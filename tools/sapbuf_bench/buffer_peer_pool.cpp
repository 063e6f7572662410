// The pool itself: a buffer is shared, its reference travels, and the other process adopts it.
#include <atomic>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "buffer_peers.hpp"
#include "pool_place.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

void check(Status status) {
  if (status != Status::ok) throw std::runtime_error("sapbuf: " + std::string(to_string(status)));
}

class OverRing {
 public:
  explicit OverRing(const PoolPlace&) {}

  auto sender() const noexcept {
    return [this](const BufferReference& reference) { push(*ring_, reference); };
  }
  // Calls `take` with so many references, as they come.
  template <typename Take>
  void receive(std::uint64_t count, const Ready& ready, const Take& take) const {
    ready();
    for (std::uint64_t seen = 0; seen < count; ++seen) take(pop(*ring_));
  }

 private:
  const SharedMemory memory_{sizeof(Ring<BufferReference>)};
  Ring<BufferReference>* const ring_ = new (memory_.get()) Ring<BufferReference>;
};

class OverStream {
 public:
  explicit OverStream(const PoolPlace& place) : place_(place) { Stream::create(place.segment(), kName); }

  auto sender() const {
    return [writer = Writer{Stream::open(place_.segment(), kName)}](const BufferReference& reference) mutable {
      check(writer.write(std::as_bytes(std::span{&reference, 1})));
    };
  }
  template <typename Take>
  void receive(std::uint64_t count, const Ready& ready, const Take& take) const {
    Reader reader{Stream::open(place_.segment(), kName)};
    ready();
    for (std::uint64_t seen = 0; seen < count;) {
      if (!reader.wait_for(20s)) throw std::runtime_error("sapbuf: nothing came for 20 s");
      for (const Frame& frame : reader.pin()) {
        BufferReference reference;
        std::memcpy(&reference, frame.bytes().data(), sizeof reference);
        take(reference);
        ++seen;
      }
    }
  }

 private:
  static constexpr const char* kName = "references";
  const PoolPlace& place_;
};

template <typename Over>
class PoolPeer final : public Peer {
 public:
  void prepare(const Load& load) override {
    place_.emplace(PoolOptions{.buffer_bytes = load.message_bytes, .count = kHandedBuffers});
    over_.emplace(*place_);
    new (memory_.get()) std::atomic<std::uint64_t>{0};
  }

  // Whoever shares a buffer keeps it until it is adopted.
  void produce(const Load& load, const Ready& begin) override {
    std::array<Buffer, kMostGiven> given;
    PoolUser user{place_->pool()};
    auto send = over_->sender();
    begin();
    std::uint64_t known = 0;
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      Buffer& buffer = given[number % given.size()];
      while (known + given.size() <= number) known = wait_for_more_than(known);
      buffer = user.acquire_for(20s);
      check(buffer.status());
      fill(buffer.bytes().data(), load.message_bytes, number);
      send(buffer.share());
    }
    while (known < load.messages) known = wait_for_more_than(known);
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    PoolUser user{place_->pool()};
    std::uint64_t sum = 0;
    std::uint64_t seen = 0;
    over_->receive(load.messages, ready, [&](const BufferReference& reference) {
      const Buffer buffer = user.adopt(reference);
      check(buffer.status());
      adopted().store(++seen, std::memory_order_release);
      sum += sum_of(buffer.bytes().data(), buffer.bytes().size());
    });
    return sum;
  }

  void clean_up() noexcept override {
    over_.reset();
    place_.reset();
  }

 private:
  static constexpr std::size_t kMostGiven = 240;  // a user can hold 248

  std::atomic<std::uint64_t>& adopted() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.get());
  }
  std::uint64_t wait_for_more_than(std::uint64_t known) const noexcept {
    for (;;) {
      const std::uint64_t now = adopted().load(std::memory_order_acquire);
      if (now > known) return now;
      spin_pause();
    }
  }

  const SharedMemory memory_{4096};
  std::optional<PoolPlace> place_;
  std::optional<Over> over_;
};

}  // namespace

std::unique_ptr<Peer> make_pool(Carrier carrier) {
  if (carrier == Carrier::ring) return std::make_unique<PoolPeer<OverRing>>();
  return std::make_unique<PoolPeer<OverStream>>();
}

Call pool_alone() {
  return {kPoolOverRing, [](benchmark::State& state) {
            const PoolPlace place{{.buffer_bytes = kHandedBytes, .count = kHandedBuffers}};
            const OverRing ring{place};
            PoolUser here{place.pool()};
            PoolUser there{place.pool()};
            const auto send = ring.sender();
            std::uint64_t number = 0;
            for (auto _ : state) {
              Buffer given = here.acquire();
              if (!given) return state.SkipWithError("no buffer");
              fill(given.bytes().data(), kHandedBytes, ++number);
              send(given.share());
              ring.receive(
                  1, [] {},
                  [&](const BufferReference& reference) {
                    const Buffer taken = there.adopt(reference);
                    given.release();
                    if (!taken) return state.SkipWithError("not adopted");
                    benchmark::DoNotOptimize(sum_of(taken.bytes().data(), kHandedBytes));
                  });
            }
          }};
}

}  // namespace sapbuf::bench
