#include "soak/queue_audit.hpp"

#include <fmt/format.h>

#include <vector>

#include <sapbuf/inspect.hpp>

#include "support/pool_invariants.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

class QueueAudit {
 public:
  QueueAudit(const std::string& segment, QueueBoard& board, std::uint32_t groups, RoundResult& result)
      : segment_(Segment::open(segment)),
        board_(board),
        groups_(groups),
        result_(result),
        drained_(board.last_number.load() + 1) {}

  void run() {
    const std::string broken = test::broken_pool_invariant(Pool::open(segment_, kBlocks));
    if (!broken.empty()) complain(broken);
    for (std::uint32_t group = 0; group < groups_; ++group) drain(kJobs, group);
    drain(kAnswers, 0);
    if (groups_ == 1) drain(kFailed, 0);
    for (std::uint64_t number = 1; number < drained_.size(); ++number) {
      for (std::uint32_t group = 0; group < groups_; ++group) judge(number, group);
    }
    judge_counts();
    count_blocks();
  }

 private:
  void complain(const std::string& text) { result_.violations.push_back("the queue: " + text); }

  void drain(std::string_view name, std::uint32_t group) {
    Consumer consumer{Queue::open(segment_, name), {.name = "auditor", .group = group}};
    const auto finish = [&](TakenBlock& block) {
      ++drained_.at(number_of_message(block, true)).at(group);
      block.done();
    };
    // What was put back with a delay is due soon.
    while (TakenBlocks blocks = consumer.take_for(16, 40ms)) {
      for (TakenBlock& block : blocks) finish(block);
    }
    while (TakenBlocks letters = consumer.take_dead(16)) {
      for (TakenBlock& block : letters) finish(block);
    }
  }

  void judge(std::uint64_t number, std::uint32_t group) {
    const MessageRecord& message = board_.messages[number];
    const MessageFate& fate = message.fates[group];
    const unsigned done = fate.finished.load() + drained_[number][group];
    if (done > 1) complain(fmt::format("message {} was done with {} times in group {}", number, done, group));
    if (done == 0 && message.released.load() && !fate.finishing.load()) {
      ++result_.jobs_lost;
      complain(fmt::format("message {} is lost for group {}", number, group));
    }
    if (done != 0 && !message.releasing.load()) complain(fmt::format("message {} was not released", number));
  }

  // The queue's own figures are exact, whoever died.
  void judge_counts() {
    const Snapshot snapshot = inspect(segment_);
    for (const FacilitySnapshot& facility : snapshot.facilities) {
      if (facility.info.name != kJobs || !facility.queue) continue;
      const std::uint64_t pushed = facility.queue->pushed;
      std::uint64_t released = 0;
      std::uint64_t begun = 0;
      for (std::uint64_t number = 1; number < drained_.size(); ++number) {
        released += board_.messages[number].released.load() ? 1 : 0;
        begun += board_.messages[number].releasing.load() ? 1 : 0;
      }
      if (pushed < released || pushed > begun) {
        complain(fmt::format("{} came into it, of {} that were released, and {} begun", pushed, released, begun));
      }
      if (facility.queue->ended != pushed * groups_) {
        complain(fmt::format("{} left it, of {} for {} groups", facility.queue->ended, pushed, groups_));
      }
    }
  }

  void count_blocks() {
    PoolUser auditor{Pool::open(segment_, kBlocks), {.name = "auditor"}};
    std::vector<Buffer> all;
    while (Buffer buffer = auditor.acquire_for(1ms)) all.push_back(std::move(buffer));
    result_.buffers_leaked += kBlockCount - all.size();
    if (all.size() != kBlockCount) complain(fmt::format("{} blocks of {} are free", all.size(), kBlockCount));
  }

  const Segment segment_;
  QueueBoard& board_;
  const std::uint32_t groups_;
  RoundResult& result_;
  std::vector<std::array<std::uint8_t, kQueueGroups>> drained_;  // of each message, in each group
};

}  // namespace

void audit_queues(const std::string& segment, QueueBoard& board, std::uint32_t groups, RoundResult& result) {
  QueueAudit{segment, board, groups, result}.run();
}

}  // namespace sapbuf::soak
