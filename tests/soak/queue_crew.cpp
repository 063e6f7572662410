#include "soak/queue_crew.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <stdexcept>
#include <vector>

#include "soak/queue_audit.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBlockBytes = 128;
constexpr std::uint32_t kMostDeliveries = 5;
constexpr std::size_t kFeeders = 2;
constexpr std::size_t kWorkers = 4;

constexpr std::uint32_t groups_in(const Plan& plan) { return 1 + plan.number % 2; }

// Those who are stopped may keep all blocks, or the queue full, for longer than this waits.
void check_patience(Status status, std::string_view who) {
  switch (status) {
    case Status::ok:
    case Status::full:
    case Status::timeout:
    case Status::exhausted:
    case Status::not_found:
      return;
    default:
      throw std::runtime_error(fmt::format("{} is told {}", who, to_string(status)));
  }
}

class Feeding {
 public:
  Feeding(const std::string& segment, QueueBoard& board, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        producer_(Queue::open(segment_, kJobs), {.timeout = 5ms}) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      if (board_.last_number.load() + 64 < kMostMessages) release_some();
      ::usleep(static_cast<unsigned>(dice_.below(300)));
    }
  }

 private:
  void release_some() {
    ReservedBlocks blocks = producer_.reserve_for(dice_.between(1, 6), 2ms);
    if (!blocks) return check_patience(blocks.status(), "a feeder");
    std::vector<std::uint64_t> numbers;
    for (ReservedBlock& block : blocks) {
      const std::uint64_t number = board_.last_number.fetch_add(1) + 1;
      fill_message(block.bytes().first(bytes_of_message(number)), number, MessageKind::question);
      block.resize(bytes_of_message(number));
      block.set_type(static_cast<std::uint16_t>(MessageKind::question));
      if (!dice_.one_in(3)) block.set_key(dice_.below(kQueueKeys));
      numbers.push_back(number);
    }
    const std::size_t wanted = dice_.one_in(4) ? dice_.between(1, blocks.size()) : blocks.size();
    for (std::size_t i = 0; i < wanted; ++i) board_.messages[numbers[i]].releasing.store(true);
    const std::size_t released = blocks.release(wanted);
    for (std::size_t i = 0; i < wanted; ++i) {
      MessageRecord& message = board_.messages[numbers[i]];
      (i < released ? message.released : message.releasing).store(i < released);
    }
    board_.released.fetch_add(released);
    check_patience(blocks.status(), "a feeder");
  }

  QueueBoard& board_;
  Dice dice_;
  const Segment segment_;
  Producer producer_;
};

// A message that somebody works on.
struct Job {
  TakenBlock block;
  std::uint64_t number = 0;
  std::optional<std::uint64_t> key;  // claimed for it
};

// One group's worker, or a clerk.
class Working {
 public:
  Working(QueueBoard& board, std::uint32_t group) : board_(board), group_(group) {}

  // In its key's order, unless it is a dead letter.
  Job begin(TakenBlock&& block, bool is_in_order, bool may_be_half_answered) {
    Job job{.block = std::move(block), .number = 0, .key = {}};
    job.number = number_of_message(job.block, may_be_half_answered);
    if (is_in_order) job.key = job.block.key();
    if (!board_.messages[job.number].releasing.load())
      throw std::runtime_error("a message comes that was not released");
    fate(job).workplace.enter("a message");
    fate(job).finishing.store(false);  // it came, so who was about to be done with it was not
    if (job.key) enter_key(job);
    board_.taken.fetch_add(1, std::memory_order_relaxed);
    if (job.block.deliveries() > 1) board_.redelivered.fetch_add(1, std::memory_order_relaxed);
    return job;
  }

  void finish(Job job) {
    fate(job).finishing.store(true);
    let_go(job, true);
    if (!job.block.done()) throw std::runtime_error("a message was not its holder's any more");
    fate(job).finished.fetch_add(1);
  }
  void put_back(Job job, std::chrono::milliseconds delay) {
    let_go(job, false);
    const bool was_own = delay == 0ms ? job.block.put_back() : job.block.put_back_after(delay);
    if (!was_own) throw std::runtime_error("a message was not its holder's any more");
  }
  void retry(Job job) {
    fate(job).retried.store(true);
    let_go(job, false);
    if (!job.block.retry()) throw std::runtime_error("a dead letter was not its holder's any more");
  }
  void answer(Job job, Producer& to) {
    fill_message(job.block.bytes(), job.number, MessageKind::answer);
    let_go(job, true);
    const std::size_t bytes = job.block.bytes().size();
    const Status status = job.block.pass_to(to, bytes, static_cast<std::uint16_t>(MessageKind::answer));
    if (status != Status::ok) throw std::runtime_error(fmt::format("passing on says {}", to_string(status)));
  }

 private:
  MessageFate& fate(const Job& job) { return board_.messages[job.number].fates[group_]; }
  KeyRecord& key_of(const Job& job) { return board_.keys[group_].at(*job.key); }

  void enter_key(const Job& job) {
    key_of(job).workplace.enter("a key");
    if (fate(job).retried.load() || job.block.position() >= key_of(job).finished_up_to.load()) return;
    throw std::runtime_error("a message comes behind a newer one of its key");
  }

  // Right before others may get it.
  void let_go(const Job& job, bool is_over) {
    if (job.key) {
      if (is_over && !fate(job).retried.load()) key_of(job).finished_up_to.store(job.block.position());
      key_of(job).workplace.leave("a key");
    }
    fate(job).workplace.leave("a message");
  }

  QueueBoard& board_;
  const std::uint32_t group_;
};

class Worker {
 public:
  Worker(const std::string& segment, QueueBoard& board, std::uint32_t who, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        jobs_(Queue::open(segment_, kJobs)),
        groups_(jobs_.options().groups),
        group_(who % groups_),
        consumer_(jobs_, {.group = group_}),
        answers_(Queue::open(segment_, kAnswers), {.timeout = 5ms}),
        working_(board, group_) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      take_some();
      if (groups_ > 1 && dice_.one_in(32)) look_after_dead_letters();
      while (held_.size() > dice_.below(6)) decide();
      if (dice_.one_in(8)) ::usleep(static_cast<unsigned>(dice_.below(500)));
    }
    while (!held_.empty()) decide();
  }

 private:
  void take_some() {
    if (held_.size() >= 6) return;
    TakenBlocks blocks = consumer_.take_for(dice_.between(1, 4), 3ms);
    if (!blocks) return check_patience(blocks.status(), "a worker");
    for (TakenBlock& block : blocks) held_.push_back(working_.begin(std::move(block), true, groups_ == 1));
  }

  void look_after_dead_letters() {
    for (TakenBlock& block : consumer_.take_dead(2)) {
      Job job = working_.begin(std::move(block), false, false);
      dice_.one_in(2) ? working_.retry(std::move(job)) : working_.finish(std::move(job));
    }
  }

  void decide() {
    std::swap(held_[dice_.below(held_.size())], held_.back());
    Job job = std::move(held_.back());
    held_.pop_back();
    const std::uint64_t what = dice_.below(16);
    if (what < 2) {
      working_.put_back(std::move(job), 0ms);
    } else if (what < 3) {
      working_.put_back(std::move(job), std::chrono::milliseconds{dice_.between(1, 20)});
    } else if (what < 8 && groups_ == 1) {
      working_.answer(std::move(job), answers_);
    } else {
      working_.finish(std::move(job));
    }
  }

  QueueBoard& board_;
  Dice dice_;
  const Segment segment_;
  const Queue jobs_;
  const std::uint32_t groups_;
  const std::uint32_t group_;
  Consumer consumer_;
  Producer answers_;
  Working working_;
  std::vector<Job> held_;
};

class Clerk {
 public:
  Clerk(const std::string& segment, QueueBoard& board, std::uint32_t groups, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        answers_(Queue::open(segment_, kAnswers)),
        working_(board, 0) {
    if (groups == 1) failed_.emplace(Queue::open(segment_, kFailed));
  }

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      for (TakenBlock& block : answers_.take_for(4, 3ms)) decide(working_.begin(std::move(block), false, false));
      if (!failed_) continue;
      for (TakenBlock& block : failed_->take(4)) decide(working_.begin(std::move(block), false, true));
    }
  }

 private:
  void decide(Job job) { dice_.one_in(8) ? working_.put_back(std::move(job), 0ms) : working_.finish(std::move(job)); }

  QueueBoard& board_;
  Dice dice_;
  const Segment segment_;
  Consumer answers_;
  std::optional<Consumer> failed_;
  Working working_;
};

}  // namespace

QueueCrew::QueueCrew(std::string segment, const Plan& plan, RoundResult& result)
    : segment_(std::move(segment)),
      result_(result),
      groups_(groups_in(plan)),
      crew_(plan, 3, result, &RoundResult::queue_kills, *board_,
            {{"a queue's feeder", kFeeders,
              [this](std::uint32_t, Dice dice) {
                Feeding{segment_, *board_, dice}.run();
              }},
             {"a queue's worker", kWorkers,
              [this](std::uint32_t who, Dice dice) {
                Worker{segment_, *board_, who, dice}.run();
              }},
             {"a queue's clerk", 1, [this](std::uint32_t, Dice dice) {
                Clerk{segment_, *board_, groups_, dice}.run();
              }}}) {
  Dice dice{mix(plan.seed ^ 2)};
  const Segment own = Segment::open(segment_);
  Pool::create(own, kBlocks, {.buffer_bytes = kBlockBytes, .count = kBlockCount});
  Queue::create(own, kAnswers, {.pool = std::string(kBlocks), .slots = dice.one_of({2u, 32u})});
  Queue::create(own, kJobs,
                {.pool = std::string(kBlocks),
                 .slots = dice.one_of({8u, 64u}),
                 .groups = groups_,
                 .max_deliveries = kMostDeliveries,
                 .dead_letters = groups_ == 1 ? std::string(kFailed) : std::string(),
                 .keys = dice.one_of({4u, 64u}),
                 .on_full = dice.one_in(2) ? OnFull::block : OnFull::drop});
}

void QueueCrew::await_end() {
  board_->finish.store(true);
  crew_.await_end();
  result_.jobs_released += board_->released.load();
  result_.jobs_taken += board_->taken.load();
  result_.jobs_redelivered += board_->redelivered.load();
}

void QueueCrew::audit() { audit_queues(segment_, *board_, groups_, result_); }

}  // namespace sapbuf::soak
