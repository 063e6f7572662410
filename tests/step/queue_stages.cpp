// Where producers and consumers of a queue meet.
#include "step/queue_acts.hpp"
#include "step/queue_judge.hpp"
#include "step/scenery.hpp"

namespace sapbuf::test {
namespace {

struct Actor {
  const char* name;
  QueuePart part;
};

struct QueueStage {
  const char* name;
  QueueSetting setting;
  std::vector<Actor> actors;
};

class QueueScenery final : public Scenery {
 public:
  QueueScenery(const QueueStage& stage, std::span<const std::size_t> actors) : world_(stage.setting) {
    for (const std::size_t actor : actors) {
      const QueueScene scene{world_.name, *world_.notes, 10 * (count() + 1)};
      enter([&] { return stage.actors[actor].part(scene); });
    }
    all_are_in_place(world_.name);
  }

  std::string judge() override {
    if (!all_come_to_their_ends()) return "an operation does not come to its end";
    return test::judge(world_, Healer::recoverer, [this] { kill_all(); });
  }

 private:
  QueueWorld world_;
};

std::vector<QueueStage> make_stages() {
  const Actor release{"release", end_that(release_one)};
  const Actor release_more{"release_some", end_that(release_some)};
  const Actor take{"take", end_that(take_one)};
  const Actor take_done{"take_and_finish", end_that(take_and_finish)};
  const Actor done{"finish", holder_that(1, finish_all)};
  const Actor put_back{"put_back", holder_that(1, put_back_all)};
  const Actor pass{"pass", holder_that(1, pass_all)};
  const Actor goes{"leave", holder_that(1, leave_queue)};
  return {
      {"queue_empty", {}, {release, release_more, take, take_done}},
      {"queue_full", {.waiting = 4}, {release, release_more, take, take_done, done}},
      {"queue_returned", {.waiting = 4}, {put_back, take, take_done, goes}},
      {"queue_passed", {.waiting = 4}, {pass, release, take_done, put_back}},
      {"queue_of_keys", {.waiting = 4, .keys = 8}, {take_done, put_back, pass, goes, release}},
      {"queue_buried", {.waiting = 4, .max_deliveries = 1}, {put_back, goes, take_done, release}},
  };
}

}  // namespace

std::vector<Stage> queue_stages() {
  std::vector<Stage> all;
  for (const QueueStage& stage : make_stages()) {
    std::vector<const char*> names;
    for (const Actor& actor : stage.actors) names.push_back(actor.name);
    all.push_back({stage.name, std::move(names), [stage](std::span<const std::size_t> actors) {
                     return std::make_unique<QueueScenery>(stage, actors);
                   }});
  }
  return all;
}

}  // namespace sapbuf::test
