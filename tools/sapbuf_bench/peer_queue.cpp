// sapbuf's queue: blocks that are filled and read in place.
#include <unistd.h>

#include <atomic>
#include <sapbuf/sapbuf.hpp>

#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

class QueuePeer final : public Peer {
 public:
  explicit QueuePeer(unsigned batch) : batch_(batch) {}

  void prepare(const Load& load) override {
    memory_ = SharedMemory{4096};
    new (memory_.get()) std::atomic<std::uint64_t>{0};
    name_ = "bench.queue." + std::to_string(::getpid());
    Segment::remove(name_);
    const Segment segment = Segment::create(name_, {.main_stream = false});
    Queue::create(segment, "jobs", {.slots = kSlots, .block_bytes = load.message_bytes});
  }

  void produce(const Load& load, const Ready& begin) override {
    Producer producer{Queue::open(Segment::open(name_), "jobs")};
    begin();
    for (std::uint64_t number = 0; number < load.messages;) {
      ReservedBlocks blocks = producer.reserve(std::min<std::uint64_t>(batch_, load.messages - number));
      if (!blocks) {
        spin_pause();
        continue;
      }
      for (ReservedBlock& block : blocks) fill(block.bytes().data(), load.message_bytes, number++);
      blocks.release();
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    Consumer consumer{Queue::open(Segment::open(name_), "jobs")};
    ready();
    const std::uint64_t wanted = load.messages * load.producers;
    std::uint64_t sum = 0;
    std::uint64_t own = 0;
    for (std::uint64_t seen = 0; seen < wanted;) {
      const std::uint64_t taken = batch_ == 1 ? take_one(consumer, sum) : take_some(consumer, sum);
      own += taken;
      if (load.consumers == 1) {
        seen = own;
      } else {
        seen = taken != 0 ? seen_by_all().fetch_add(taken) + taken : seen_by_all().load(std::memory_order_relaxed);
      }
      if (taken == 0) spin_pause();
    }
    return sum;
  }

  void clean_up() noexcept override {
    Segment::remove(name_);
    memory_ = {};
  }
  bool shares() const noexcept override { return true; }

 private:
  static constexpr std::uint64_t kSlots = 4096;

  std::atomic<std::uint64_t>& seen_by_all() const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory_.get());
  }
  static std::uint64_t take_one(Consumer& consumer, std::uint64_t& sum) {
    TakenBlock block = consumer.take();
    if (!block) return 0;
    sum += sum_of(block.bytes().data(), block.bytes().size());
    block.done();
    return 1;
  }
  std::uint64_t take_some(Consumer& consumer, std::uint64_t& sum) const {
    TakenBlocks blocks = consumer.take(batch_);
    for (TakenBlock& block : blocks) {
      sum += sum_of(block.bytes().data(), block.bytes().size());
      block.done();
    }
    return blocks.size();
  }

  const unsigned batch_;
  std::string name_;
  SharedMemory memory_;
};

}  // namespace

std::unique_ptr<Peer> make_queue(unsigned batch) { return std::make_unique<QueuePeer>(batch); }

}  // namespace sapbuf::bench
