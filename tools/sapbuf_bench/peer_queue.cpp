// sapbuf's queue: blocks that are filled and read in place.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "crew.hpp"
#include "hand_over.hpp"
#include "shared_memory.hpp"

namespace sapbuf::bench {
namespace {

class QueuePeer final : public Peer {
 public:
  explicit QueuePeer(const QueueSetting& setting) : setting_(setting) {}

  void prepare(const Load& load) override {
    memory_ = SharedMemory{4096};
    new (memory_.get()) std::atomic<std::uint64_t>{0};
    name_ = "bench.queue." + std::to_string(::getpid());
    Segment::remove(name_);
    const Segment segment = Segment::create(name_, {.main_stream = false});
    const std::uint64_t slots = setting_.slots != 0 ? setting_.slots : depth_of(load);
    Queue::create(segment, "jobs", {.slots = slots, .block_bytes = load.message_bytes});
    if (setting_.beside == Beside::nobody) return;
    beside_.emplace();
    setting_.beside == Beside::stopped_producer ? stop_a_producer() : begin_a_long_job();
  }

  void produce(const Load& load, const Ready& begin) override {
    Producer producer{Queue::open(Segment::open(name_), "jobs")};
    begin();
    for (std::uint64_t number = 0; number < load.messages;) {
      ReservedBlocks blocks = producer.reserve(std::min<std::uint64_t>(setting_.batch, load.messages - number));
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
      const std::uint64_t taken = setting_.batch == 1 ? take_one(consumer, sum) : take_some(consumer, sum);
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
    beside_.reset();
    Segment::remove(name_);
    memory_ = {};
  }
  bool shares() const noexcept override { return true; }

 private:
  Queue open() const { return Queue::open(Segment::open(name_), "jobs"); }

  // Wherever it is by then. What it handed over before is taken out.
  void stop_a_producer() {
    constexpr std::uint64_t kEnough = 10'000;
    const Pipe results;
    const pid_t producer = start(1, results, [this] {
      Producer own{open()};
      for (;;) own.reserve(8).release();
    });
    beside_->add(producer);
    Consumer consumer{open()};
    for (std::uint64_t taken = 0; taken < kEnough;) taken += take_out(consumer);
    ::kill(producer, SIGSTOP);
    int status;
    if (::waitpid(producer, &status, WUNTRACED) != producer || !WIFSTOPPED(status)) {
      throw std::runtime_error("a process did not stop");
    }
    while (take_out(consumer) != 0) {
    }
  }
  void begin_a_long_job() {
    Producer producer{open()};
    ReservedBlocks pushed = producer.reserve(1);
    if (pushed.release() != 1) throw std::runtime_error("a block was not handed over");
    const Pipe results;
    beside_->add(start(1, results, [&] {
      Consumer consumer{open()};
      const TakenBlock job = consumer.take();
      results.send(job ? kReady : kFailed);
      for (;;) ::pause();
    }));
    if (results.receive() != kReady) throw std::runtime_error("a process did not begin");
  }
  static std::size_t take_out(Consumer& consumer) {
    TakenBlocks blocks = consumer.take(64);
    for (TakenBlock& block : blocks) block.done();
    return blocks.size();
  }

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
    TakenBlocks blocks = consumer.take(setting_.batch);
    for (TakenBlock& block : blocks) {
      sum += sum_of(block.bytes().data(), block.bytes().size());
      block.done();
    }
    return blocks.size();
  }

  const QueueSetting setting_;
  std::string name_;
  std::optional<Crew> beside_;
  SharedMemory memory_;
};

}  // namespace

std::unique_ptr<Peer> make_queue(const QueueSetting& setting) { return std::make_unique<QueuePeer>(setting); }

}  // namespace sapbuf::bench
