// Where readers and writers of a map meet.
#include "step/map_acts.hpp"
#include "step/map_judge.hpp"
#include "step/scenery.hpp"

namespace sapbuf::test {
namespace {

struct Actor {
  const char* name;
  MapPart part;
};

struct MapStage {
  const char* name;
  MapSetting setting;
  bool is_scarce;  // all buffers are values, or old versions
  std::vector<Actor> actors;
};

class MapScenery final : public Scenery {
 public:
  MapScenery(const MapStage& stage, std::span<const std::size_t> actors) : world_(stage.setting) {
    if (stage.is_scarce) world_.leave_old_versions();
    for (const std::size_t actor : actors) {
      const MapScene scene{world_.name, *notes_.emplace_back(), 100 * (count() + 1)};
      enter([&] { return stage.actors[actor].part(scene); });
    }
    all_are_in_place(world_.name);
  }

  std::string judge() override {
    if (!all_come_to_their_ends()) return "an operation does not come to its end";
    std::vector<const MapNotes*> stepped;
    for (const SharedMapNotes& notes : notes_) stepped.push_back(&*notes);
    return test::judge(world_, stepped, Healer::recoverer, [this] { kill_all(); });
  }

 private:
  MapWorld world_;
  std::deque<SharedMapNotes> notes_;
};

std::vector<MapStage> make_stages() {
  const MapSetting scarce{.values = 16};  // five are values; and what the others keep
  return {
      {"map_flips",
       {},
       false,
       {{"put", actor_that(put)}, {"flip_if", actor_that(flip_if_unchanged)}, {"read", actor_that(read_all)}}},
      {"map_updates", {}, false, {{"update", actor_that(update)}, {"read", actor_that(read_all)}}},
      {"map_keys",
       {},
       false,
       {{"insert", actor_that(insert)},
        {"commit", actor_that(commit_with_fresh)},
        {"erase", actor_that(erase)},
        {"visit", actor_that(visit_all)},
        {"leave", keeper_that(leave)}}},
      {"map_pairs", {}, false, {{"commit", actor_that(commit)}, {"read", actor_that(read_all)}}},
      {"map_scarce",
       scarce,
       true,
       {{"put", actor_that(put)},
        {"update", actor_that(update)},
        {"let_go", keeper_that(let_go)},
        {"read", actor_that(read_all)}}},
  };
}

}  // namespace

std::vector<Stage> map_stages() {
  std::vector<Stage> all;
  for (const MapStage& stage : make_stages()) {
    std::vector<const char*> names;
    for (const Actor& actor : stage.actors) names.push_back(actor.name);
    all.push_back({stage.name, std::move(names), [stage](std::span<const std::size_t> actors) {
                     return std::make_unique<MapScenery>(stage, actors);
                   }});
  }
  return all;
}

}  // namespace sapbuf::test
