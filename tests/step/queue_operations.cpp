// The operations of queues, each with what comes before it.
#include <stdexcept>

#include "step/experiment.hpp"
#include "step/queue_acts.hpp"
#include "step/queue_judge.hpp"

namespace sapbuf::test {
namespace {

using Before = std::function<void(QueueWorld&)>;

constexpr std::uint64_t kVictimsNumber = 10;
constexpr std::uint64_t kFull = 4;

struct QueueOperation {
  const char* name;
  QueuePart victim;
  QueueSetting setting{};
  Before before = nullptr;
};

class QueueExperiment final : public Experiment {
 public:
  QueueExperiment(const QueueOperation& operation, const QueueStopPoint* point) : world_(operation.setting) {
    if (operation.before) operation.before(world_);
    victim = std::make_unique<SteppedProcess>([&] {
      return operation.victim(QueueScene{world_.name, *world_.notes, kVictimsNumber});
    });
    if (victim->state() != SteppedProcess::State::stepping) throw std::runtime_error("the victim cannot begin");
    if (point != nullptr && !world_.admit_bystander(point->kill_point)) {
      throw std::runtime_error("this point is never come to");
    }
    bytes = std::make_unique<SharedBytes>(world_.name, std::as_bytes(std::span{&*world_.notes, 1}),
                                          heartbeats(world_.segment));
  }
  const std::string& segment_name() const override { return world_.name; }
  std::string judge(Healer healer) override {
    return test::judge(world_, healer, [] {});
  }

 private:
  QueueWorld world_;
};

Before wounded_at(KillPoint kill_point) {
  return [=](QueueWorld& world) {
    if (!world.wound(kill_point)) throw std::runtime_error("the wounded lives");
  };
}

std::vector<QueueOperation> make_operations() {
  const QueueSetting of_keys{.waiting = 4, .keys = 8};
  const QueueSetting mortal_of_keys{.waiting = 4, .max_deliveries = 1, .keys = 8};
  return {
      {"queue_attach", attach_to_queue},
      {"queue_detach", holder_that(2, leave_queue), {.waiting = 3}},
      {"queue_release", end_that(release_one)},
      {"queue_release_some", end_that(release_some), {.waiting = 1}},
      {"queue_release_into_full", end_that(release_one), {.waiting = kFull}},
      {"queue_take", end_that(take_one), {.waiting = 2}},
      {"queue_take_and_finish", end_that(take_and_finish), {.waiting = 2}},
      {"queue_finish", holder_that(2, finish_all), {.waiting = 3}},
      {"queue_put_back", holder_that(2, put_back_all), {.waiting = 3}},
      {"queue_put_back_later", holder_that(2, put_back_for_later), {.waiting = 3}},
      {"queue_bury", holder_that(2, put_back_all), {.waiting = 3, .max_deliveries = 1}},
      {"queue_pass", holder_that(1, pass_all), {.waiting = 2}},
      {"queue_pass_into_full", holder_that(3, pass_all), {.waiting = 4}},
      {"queue_take_of_key", end_that(take_and_finish), of_keys},
      {"queue_take_parks", holder_that(3, take_one), of_keys},
      {"queue_finish_of_key", holder_that(2, finish_all), of_keys},
      {"queue_put_back_of_key", holder_that(2, put_back_all), of_keys},
      {"queue_put_back_later_of_key", holder_that(2, put_back_for_later), of_keys},
      {"queue_bury_of_key", holder_that(2, put_back_all), mortal_of_keys},
      {"queue_pass_of_key", holder_that(2, pass_all), of_keys},
      {"queue_detach_of_key", holder_that(2, leave_queue), of_keys},
      {"queue_recover_releaser", recover_queue, {.waiting = 1}, wounded_at(KillPoint::queue_said)},
      {"queue_recover_taker", recover_queue, {.waiting = 1}, wounded_at(KillPoint::queue_taken)},
      {"queue_recover_finisher", recover_queue, {.waiting = 1}, wounded_at(KillPoint::queue_left)},
      {"queue_recover_giver", recover_queue, {.waiting = 1}, wounded_at(KillPoint::queue_returned)},
      {"queue_recover_passer", recover_queue, {.waiting = 1}, wounded_at(KillPoint::queue_renewed)},
      {"queue_recover_dead_letter",
       recover_queue,
       {.waiting = 1, .max_deliveries = 1},
       wounded_at(KillPoint::queue_taken)},
      {"queue_recover_claimer", recover_queue, {.waiting = 2, .keys = 8}, wounded_at(KillPoint::queue_lane_claimed)},
      {"queue_recover_parker", recover_queue, {.waiting = 2, .keys = 8}, wounded_at(KillPoint::queue_lane_said)},
      {"queue_recover_holder_of_key", recover_queue, {.waiting = 2, .keys = 8}, wounded_at(KillPoint::queue_taken)},
      {"queue_recover_lane_leaver",
       recover_queue,
       {.waiting = 2, .keys = 8},
       wounded_at(KillPoint::queue_lane_leaving)},
  };
}

}  // namespace

std::vector<Operation> queue_operations() {
  std::vector<Operation> all;
  for (const QueueOperation& operation : make_operations()) {
    const auto make = [operation](const QueueStopPoint* point) {
      return [operation, point] { return std::make_unique<QueueExperiment>(operation, point); };
    };
    std::vector<Beside> beside;
    for (const QueueStopPoint& point : queue_stop_points()) beside.push_back({point.name, make(&point)});
    all.push_back({operation.name, make(nullptr), std::move(beside)});
  }
  return all;
}

}  // namespace sapbuf::test
