#include "soak/pool_crew.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "soak/board.hpp"
#include "support/pool_invariants.hpp"
#include "support/possessions.hpp"

namespace sapbuf::soak {

namespace {

using namespace std::chrono_literals;
using test::Content;

constexpr std::string_view kFrames = "frames";    // the pool
constexpr std::string_view kCarrier = "carrier";  // the stream
constexpr std::uint64_t kMostBuffers = 64;
constexpr std::size_t kSenders = 2;
constexpr std::size_t kReceivers = 2;

// What a process has, and what must stand in it until it lets go.
class Kept {
 public:
  void add(Buffer buffer, Content content) { all_.push_back({std::move(buffer), content}); }
  std::size_t size() const noexcept { return all_.size(); }
  // Throws if somebody else has written into it.
  std::pair<Buffer, Content> take(std::size_t which) {
    auto taken = std::move(all_.at(which));
    all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(which));
    if (test::content_of(taken.first.bytes()) != taken.second) {
      throw std::runtime_error("a buffer was changed under its holder");
    }
    return taken;
  }

 private:
  std::vector<std::pair<Buffer, Content>> all_;
};

class Sender {
 public:
  Sender(const std::string& segment, PoolBoard& board, std::uint32_t who, Dice dice)
      : board_(board),
        who_(who),
        dice_(dice),
        segment_(Segment::open(segment)),
        user_(Pool::open(segment_, kFrames), {.budget = dice_.one_of({0u, 4u, 24u})}),
        writer_(Stream::open(segment_, kCarrier), {.timeout = 5ms}) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      if (!fill_one() || kept_.size() > dice_.below(16)) let_go();
      if (dice_.one_in(4)) ::usleep(static_cast<unsigned>(dice_.below(300)));
    }
  }

 private:
  bool fill_one() {
    Buffer buffer = dice_.one_in(4) ? user_.acquire_for(2ms) : user_.acquire();
    switch (buffer.status()) {
      case Status::ok:
        break;
      case Status::exhausted:
      case Status::timeout:
      case Status::over_budget:
        return false;
      default:
        throw std::runtime_error(fmt::format("acquire says {}", to_string(buffer.status())));
    }
    const Content content = Content::make(who_, number_++);
    test::fill(buffer.bytes(), content);
    board_.filled.fetch_add(1, std::memory_order_relaxed);
    kept_.add(std::move(buffer), content);
    return true;
  }

  void let_go() {
    if (kept_.size() == 0) return;
    auto [buffer, content] = kept_.take(dice_.below(kept_.size()));
    if (dice_.one_in(4)) return;
    if (dice_.one_in(4)) buffer.share();
    Reservation slot = writer_.reserve(sizeof content);
    if (!slot) return;
    std::memcpy(slot.bytes().data(), &content, sizeof content);
    if (slot.attach(std::move(buffer)) && !dice_.one_in(16)) slot.commit();
  }

  PoolBoard& board_;
  const std::uint32_t who_;
  std::uint32_t number_ = 0;
  Dice dice_;
  const Segment segment_;
  PoolUser user_;
  Writer writer_;
  Kept kept_;
};

class Receiver {
 public:
  Receiver(const std::string& segment, PoolBoard& board, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        user_(Pool::open(segment_, kFrames)),
        reader_(Stream::open(segment_, kCarrier)) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      if (reader_.wait_for(5ms)) read();
      while (kept_.size() > dice_.below(8)) kept_.take(dice_.below(kept_.size()));
    }
  }

 private:
  void read() {
    for (const Frame& frame : reader_.pin()) {
      Content said;
      if (frame.bytes().size() != sizeof said) throw std::runtime_error("a torn message");
      std::memcpy(&said, frame.bytes().data(), sizeof said);
      for (const BufferReference& reference : frame.attachments()) adopt(reference, said);
      if (dice_.one_in(64)) break;
    }
  }

  void adopt(const BufferReference& reference, Content said) {
    Buffer buffer = user_.adopt(reference);
    if (!buffer) throw std::runtime_error(fmt::format("what is attached: {}", to_string(buffer.status())));
    if (test::content_of(buffer.bytes()) != said) throw std::runtime_error("what is attached is another's");
    board_.adopted.fetch_add(1, std::memory_order_relaxed);
    if (dice_.one_in(2)) kept_.add(std::move(buffer), said);
  }

  PoolBoard& board_;
  Dice dice_;
  const Segment segment_;
  PoolUser user_;
  Reader reader_;
  Kept kept_;
};

}  // namespace

PoolCrew::PoolCrew(std::string segment, const Plan& plan, RoundResult& result)
    : segment_(std::move(segment)),
      result_(result),
      crew_(plan, 1, result, &RoundResult::pool_kills, *board_,
            {{"a pool's sender", kSenders,
              [this](std::uint32_t who, Dice dice) {
                Sender{segment_, *board_, who, dice}.run();
              }},
             {"a pool's receiver", kReceivers, [this](std::uint32_t, Dice dice) {
                Receiver{segment_, *board_, dice}.run();
              }}}) {
  Dice dice{mix(plan.seed)};
  const Segment own = Segment::open(segment_);
  Stream::create(own, kCarrier,
                 {.slabs = 2,
                  .slab_bytes = 16384,
                  .order = plan.options.order,
                  .on_full = plan.options.on_full,
                  .attachments = dice.one_of({0u, 6u, 16u})});
  Pool::create(own, kFrames, {.buffer_bytes = 512, .count = dice.one_of({8u, 48u}), .max_count = kMostBuffers});
}

void PoolCrew::await_end() {
  board_->finish.store(true);
  crew_.await_end();
  result_.buffers_filled += board_->filled.load();
  result_.buffers_adopted += board_->adopted.load();
}

void PoolCrew::audit() {
  const Pool pool = Pool::open(Segment::open(segment_), kFrames);
  if (const std::string broken = test::broken_pool_invariant(pool); !broken.empty()) {
    result_.violations.push_back("the pool: " + broken);
  }
  PoolUser auditor{pool, {.name = "auditor"}};
  std::vector<Buffer> all;
  while (Buffer buffer = auditor.acquire_for(1ms)) all.push_back(std::move(buffer));
  result_.buffers_leaked += kMostBuffers - all.size();
  if (all.size() != kMostBuffers) {
    result_.violations.push_back(fmt::format("the auditor gets {} buffers of {}", all.size(), kMostBuffers));
  }
}

}  // namespace sapbuf::soak
