// Producers and consumers of two queues that live on while the words under them change: the input is a script of steps.
// Nobody may get what is no block of the pool. Where the input is peaceful, each message that was released is in exactly one
// place after each step, and no key is worked on by two.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

#include <sapbuf/inspect.hpp>

#include "fuzz/queue_world.hpp"
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"
#include "queue/queue_core.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;
using detail::PoolCore;

constexpr std::size_t kHandles = 3;
constexpr std::size_t kMostHeld = 16;
constexpr unsigned kMostHandlesMade = 6;  // attaching costs more than all other steps
constexpr unsigned kMostOpened = 2;

using Delivery = std::pair<std::uint64_t, std::uint32_t>;  // number of a message, group

struct LiveProducer {
  explicit LiveProducer(const Queue& queue)
      : producer(queue, {.timeout = 0ms}), groups(queue.core()->geometry().groups) {}
  Producer producer;
  const std::uint32_t groups;
  std::optional<ReservedBlocks> reserved;
};

struct LiveConsumer {
  LiveConsumer(const Queue& queue, std::uint32_t which_group, bool is_jobs)
      : consumer(queue, {.group = which_group}), group(which_group), of_jobs(is_jobs) {}
  Consumer consumer;
  std::uint32_t group;
  bool of_jobs;
};

struct Held {
  TakenBlock block;
  std::uint32_t group;
  bool has_lane;  // its key is claimed for it
};

class Script {
 public:
  Script(FacilityWorld& world, std::uint8_t choice, const Segment& segment, Input& input)
      : world_(world),
        two_groups_(has_two_groups(choice)),
        keys_(has_keys(choice)),
        segment_(segment),
        jobs_(Queue::open(segment, "jobs")),
        answers_(Queue::open(segment, "answers")),
        pool_(jobs_.core()->pool()),
        input_(input) {}

  void run() {
    take_steps(
        world_, input_, [&] { take_step(); }, [&] { account(); });
  }

 private:
  // Each message: in one place of each group, or done with there.
  void account() const {
    std::map<Delivery, unsigned> places = finished_;
    const auto count = [&](const Queue& queue) {
      for (const QueueBlock& block : list_blocks(queue, sizeof(std::uint64_t))) {
        ++places[{read_number(block.content), block.group}];
      }
    };
    count(jobs_);
    count(answers_);
    if (!two_groups_) count(Queue::open(segment_, "failed"));
    for (const Delivery& delivery : released_) {
      if (places[delivery] != 1) throw std::logic_error("a message is nowhere, or more than once");
    }
    const bool settled = find_dead(segment_).dead.empty();
    const auto motion = settled ? test::Motion::none : test::Motion::stopped;
    const std::string problem = test::broken_pool_invariant(Pool::open(segment_, "blocks"), motion);
    if (!problem.empty()) throw std::logic_error(problem);
  }

  void take_step() {
    const std::uint8_t step = input_.byte();
    const std::size_t which = step >> 4 & 3;
    const bool high = (step & 0x80) != 0;
    switch (step & 15) {
      case 0:
        return world_.edit(input_);
      case 1:
        return world_.edit_on_the_way(input_);
      case 2:
        return make_producer(which, high);
      case 3:
        return make_consumer(which, high);
      case 4:
        return reserve(which, high);
      case 5:
      case 6:
        return release(which, high);
      case 7:
      case 8:
        return take(which, high);
      case 9:
        return take_dead(which);
      case 10:
        return end(high);
      case 11:
        return put_back(high);
      case 12:
        return pass(which);
      case 13:
        return wait(which, high);
      case 14:
        return look(step >> 4);
      default:
        return high ? open_anew() : close(which, (step & 0x40) != 0);
    }
  }

  void make_producer(std::size_t which, bool of_answers) {
    if (made_++ >= kMostHandlesMade) return;
    producers_[which % kHandles].reset();
    producers_[which % kHandles] = std::make_unique<LiveProducer>(of_answers ? answers_ : jobs_);
  }
  void make_consumer(std::size_t which, bool high) {
    if (made_++ >= kMostHandlesMade) return;
    const std::uint32_t group = high && two_groups_ ? 1 : 0;
    const bool of_jobs = !high || two_groups_;
    consumers_[which % kHandles].reset();
    consumers_[which % kHandles] = std::make_unique<LiveConsumer>(of_jobs ? jobs_ : answers_, group, of_jobs);
  }

  void reserve(std::size_t which, bool waits) {
    LiveProducer* const live = producers_[which % kHandles].get();
    if (live == nullptr) return;
    const std::size_t up_to = input_.byte() % 6;
    live->reserved.reset();
    live->reserved.emplace(waits ? live->producer.reserve_for(up_to, 1us) : live->producer.reserve(up_to));
    for (ReservedBlock& block : *live->reserved) check_is_block(block.bytes());
  }
  void release(std::size_t which, bool all) {
    LiveProducer* const live = producers_[which % kHandles].get();
    if (live == nullptr) return;
    if (!live->reserved) live->reserved.emplace(live->producer.reserve(1));
    ReservedBlocks& blocks = *live->reserved;
    std::vector<std::uint64_t> numbers;
    for (ReservedBlock& block : blocks) {
      numbers.push_back(++last_number_);
      write_number(block.bytes(), last_number_);
      if (last_number_ % 4 != 0) block.set_key(last_number_ % kFuzzedKeys);
      block.resize(last_number_ % 5 == 0 ? sizeof last_number_ : kFuzzedBlockBytes);
    }
    const std::size_t released = blocks.release(all ? blocks.size() : std::min<std::size_t>(blocks.size(), 1));
    for (std::size_t i = 0; i < released; ++i) {
      for (std::uint32_t group = 0; group < live->groups; ++group) released_.emplace_back(numbers[i], group);
    }
    if (blocks.empty()) live->reserved.reset();
  }

  void check_is_block(std::span<std::byte> bytes) const {
    const auto at = static_cast<std::uint64_t>(bytes.data() - pool_->buffers());
    const layout::PoolGeometry& geometry = pool_->geometry();
    if (bytes.size() > kFuzzedBlockBytes || at % geometry.stride_bytes != 0 ||
        at / geometry.stride_bytes >= geometry.max_count) {
      throw std::logic_error("what somebody got is no block of the pool");
    }
  }

  void take(std::size_t which, bool several) {
    LiveConsumer* const live = consumers_[which % kHandles].get();
    if (live == nullptr || held_.size() >= kMostHeld) return;
    if (!several) return keep(live->consumer.take(), *live, true);
    const std::size_t up_to = input_.byte() % 6;
    for (TakenBlock& block : live->consumer.take_for(up_to, 1us)) keep(std::move(block), *live, true);
  }
  void take_dead(std::size_t which) {
    LiveConsumer* const live = consumers_[which % kHandles].get();
    if (live == nullptr || held_.size() >= kMostHeld) return;
    for (TakenBlock& block : live->consumer.take_dead(2)) keep(std::move(block), *live, false);
  }

  void keep(TakenBlock&& block, const LiveConsumer& live, bool is_taken_in_order) {
    if (!block) return;
    check_is_block(block.room());
    check_is_block(block.bytes());
    const bool has_lane = keys_ && live.of_jobs && is_taken_in_order && block.key().has_value();
    if (world_.is_peaceful()) {
      for (const Held& other : held_) {
        if (has_lane && other.has_lane && other.group == live.group && other.block.key() == block.key()) {
          throw std::logic_error("a key is worked on by two");
        }
      }
    } else {
      std::memset(block.room().data(), 0xff, block.room().size());
    }
    held_.push_back({std::move(block), live.group, has_lane});
  }

  // One of those that are held, the last one from here on.
  Held* pick() {
    if (held_.empty()) return nullptr;
    std::swap(held_[input_.byte() % held_.size()], held_.back());
    return &held_.back();
  }
  void end(bool retries) {
    Held* const held = pick();
    if (held == nullptr) return;
    const Delivery delivery{read_number(held->block.bytes()), held->group};
    if (retries) {
      held->block.retry();
    } else if (held->block.done()) {
      ++finished_[delivery];
    }
    held_.pop_back();
  }
  void put_back(bool later) {
    Held* const held = pick();
    if (held == nullptr) return;
    if (later) held->block.put_back_after(1h);
    held_.pop_back();
  }
  void pass(std::size_t which) {
    Held* const held = pick();
    LiveProducer* const to = producers_[which % kHandles].get();
    if (held == nullptr || to == nullptr) return;
    if (held->block.pass_to(to->producer) == Status::ok) held_.pop_back();
  }
  void wait(std::size_t which, bool of_producer) {
    LiveConsumer* const consumer = consumers_[which % kHandles].get();
    LiveProducer* const producer = producers_[which % kHandles].get();
    if (!of_producer && consumer != nullptr) static_cast<void>(consumer->consumer.wait_for(1us));
    if (of_producer && producer != nullptr) static_cast<void>(producer->producer.reserve_for(1, 1us));
  }

  void look(unsigned how) {
    switch (how % 4) {
      case 0:
        return static_cast<void>(recover(segment_));
      case 1:
        return static_cast<void>(find_dead(segment_));
      case 2:
        return static_cast<void>(inspect(segment_));
      default:
        static_cast<void>(list_blocks(answers_, kFuzzedBlockBytes));
        return static_cast<void>(list_blocks(jobs_, kFuzzedBlockBytes));
    }
  }

  void close(std::size_t which, bool of_producer) {
    if (of_producer) {
      producers_[which % kHandles].reset();
    } else {
      consumers_[which % kHandles].reset();
    }
  }

  void open_anew() {
    if (opened_++ >= kMostOpened) return;
    const Segment segment = Segment::open_in(world_.memory());
    tolerate([&] { static_cast<void>(inspect(segment)); });
    const Queue queue = Queue::open(segment, "jobs");
    static_cast<void>(queue.options());
  }

  FacilityWorld& world_;
  const bool two_groups_;
  const bool keys_;
  const Segment& segment_;
  const Queue jobs_;
  const Queue answers_;
  const std::shared_ptr<PoolCore> pool_;
  Input& input_;
  unsigned made_ = 0;
  unsigned opened_ = 0;
  std::uint64_t last_number_ = kFirstNumber;
  std::vector<Delivery> released_;
  std::map<Delivery, unsigned> finished_;
  std::unique_ptr<LiveProducer> producers_[kHandles];
  std::unique_ptr<LiveConsumer> consumers_[kHandles];
  std::vector<Held> held_;
};

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sapbuf;
  fuzz::Input input{data, size};
  const std::uint8_t choice = input.byte();
  fuzz::FacilityWorld world{fuzz::busy_queue(choice), choice, input};
  fuzz::tolerate([&] {
    const Segment segment = Segment::open_in(world.memory());
    fuzz::Script{world, choice, segment, input}.run();
  });
  return 0;
}
