#include "step/queue_judge.hpp"

#include <algorithm>

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

class Judge {
 public:
  Judge(QueueWorld& world, Healer healer, const std::function<void()>& leave)
      : world_(world), healer_(healer), leave_(leave) {}

  std::string run() {
    if (world_.bystander) let_bystander_go_on();
    leave_();
    if (healer_ == Healer::recoverer) recover_now();
    take_all();
    look_at_messages();
    look_at_what_is_left();
    return problem_;
  }

 private:
  struct Last {
    explicit Last(const Queue& queue) : consumer(queue), has_lanes(queue.options().keys != 0) {}
    Consumer consumer;
    const bool has_lanes;
  };

  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }

  void let_bystander_go_on() {
    recover(world_.segment);
    world_.bystander->resume();
    if (!eventually([&] { return world_.bystander->has_ended(); })) return fail("the bystander does not end");
    if (world_.bystander->wait() != 0) fail("the bystander failed");
    world_.bystander.reset();
  }

  void recover_now() {
    if (!eventually([&] { return !recover(world_.segment).pending; })) fail("recovery never ends");
  }

  bool must_be_there(std::uint64_t number) const {
    const QueueNotes& notes = *world_.notes;
    return notes.released[number] && !notes.finishing[number];
  }

  // A message comes once, so those that must be there come before anybody waits in vain.
  void take_from(Last& last, std::chrono::milliseconds patience) {
    while (TakenBlocks taken = last.consumer.take_for(1, patience)) {
      ++seen_[number_of(taken[0])];
      if (last.has_lanes) look_at_order(taken[0]);
      taken[0].done();
    }
  }

  void look_at_order(const TakenBlock& block) {
    const auto key = block.key();
    if (!key || *key >= kMessageKeys) return fail("a message has not the key that it was released with");
    if (block.position() < newest_[*key]) fail("a message comes behind a newer one of its key");
    newest_[*key] = block.position();
  }

  // Whoever waits runs recovery, so nothing else is needed for what the dead had.
  void take_all() {
    if (!problem_.empty()) return;
    std::vector<std::unique_ptr<Last>> consumers;
    for (const FacilityInfo& facility : world_.segment.facilities()) {
      if (facility.kind != "queue") continue;
      consumers.push_back(std::make_unique<Last>(Queue::open(world_.segment, facility.name)));
    }
    const auto is_any_missing = [&] {
      for (std::uint64_t number = 0; number < kNumbers; ++number) {
        if (must_be_there(number) && seen_[number] == 0) return true;
      }
      return false;
    };
    const bool all_came = eventually([&] {
      for (const auto& consumer : consumers) take_from(*consumer, is_any_missing() ? 2ms : 0ms);
      return !is_any_missing();
    });
    if (!all_came) return fail("a message that was released is lost");
    recover_now();
    for (const auto& consumer : consumers) take_from(*consumer, 5ms);
  }

  void look_at_messages() {
    if (!problem_.empty()) return;
    const QueueNotes& notes = *world_.notes;
    for (std::uint64_t number = 0; number < kNumbers; ++number) {
      const std::string which = "message " + std::to_string(number);
      if (seen_[number] > 1) fail(which + " came twice");
      if (seen_[number] != 0 && !notes.releasing[number]) fail(which + " was never released");
      if (seen_[number] != 0 && notes.finished[number]) fail(which + " came again, though somebody was done with it");
    }
  }

  void look_at_what_is_left() {
    if (!problem_.empty()) return;
    const Snapshot snapshot = inspect(world_.segment);
    for (const FacilitySnapshot& facility : snapshot.facilities) {
      if (!facility.queue) continue;
      const QueueGroupSnapshot& group = facility.queue->groups.front();
      if (group.queued + group.returned + group.held + group.dead != 0) fail(facility.info.name + " is not empty");
      // A pass that somebody died of may be counted twice where the block went.
      const std::uint64_t more = facility.queue->pushed - facility.queue->ended;
      if (more > (facility.info.name == "jobs" ? 0U : 1U)) fail(facility.info.name + ": what came did not leave");
    }
    if (!snapshot.participants.empty()) fail("a slot was not released");
    PoolUser last{world_.pool};
    std::vector<Buffer> all;
    while (Buffer buffer = last.acquire()) all.push_back(std::move(buffer));
    if (all.size() != world_.pool.count()) fail("in the end there are " + std::to_string(all.size()) + " buffers");
  }

  QueueWorld& world_;
  const Healer healer_;
  const std::function<void()>& leave_;
  std::array<unsigned, kNumbers> seen_{};
  std::array<std::uint64_t, kMessageKeys> newest_{};  // position, of each key
  std::string problem_;
};

}  // namespace

std::string judge(QueueWorld& world, Healer healer, const std::function<void()>& leave) {
  return Judge{world, healer, leave}.run();
}

}  // namespace sapbuf::test
