// The operations of maps, each with what comes before it.
#include <stdexcept>

#include "step/experiment.hpp"
#include "step/map_acts.hpp"
#include "step/map_judge.hpp"

namespace sapbuf::test {
namespace {

using Before = std::function<void(MapWorld&)>;

constexpr std::uint64_t kVictimsValue = 100;

struct MapOperation {
  const char* name;
  MapPart victim;
  Before before = nullptr;
  MapSetting setting{};
};

class MapExperiment final : public Experiment {
 public:
  MapExperiment(const MapOperation& operation, const MapStopPoint* point) : world_(operation.setting) {
    if (operation.before) operation.before(world_);
    victim = std::make_unique<SteppedProcess>([&] {
      return operation.victim(MapScene{world_.name, *notes_, kVictimsValue});
    });
    if (victim->state() != SteppedProcess::State::stepping) throw std::runtime_error("the victim cannot begin");
    if (point != nullptr && !world_.admit_bystander(point->kill_point)) {
      throw std::runtime_error("this point is never come to");
    }
    bytes =
        std::make_unique<SharedBytes>(world_.name, std::as_bytes(std::span{&*notes_, 1}), heartbeats(world_.segment));
  }
  const std::string& segment_name() const override { return world_.name; }
  std::string judge(Healer healer) override {
    return test::judge(world_, {&*notes_}, healer, [] {});
  }

 private:
  MapWorld world_;
  SharedMapNotes notes_;
};

void old_versions_are_left(MapWorld& world) { world.leave_old_versions(); }
Before wounded_at(KillPoint kill_point, unsigned nth = 1) {
  return [=](MapWorld& world) {
    if (!world.wound(kill_point, nth)) throw std::runtime_error("the wounded lives");
  };
}

std::vector<MapOperation> make_operations() {
  const MapSetting full{.keys = 5, .max_keys = 8};
  const MapSetting scarce{.values = 16};  // five are values
  return {
      {"map_attach", attach_to_map},
      {"map_detach", keeper_that(leave)},
      {"map_read", actor_that(read_all)},
      {"map_read_by_name", actor_that(read_by_name)},
      {"map_visit", actor_that(visit_all)},
      {"map_let_go", keeper_that(let_go)},
      {"map_put", actor_that(put)},
      {"map_put_scarce", actor_that(put), old_versions_are_left, scarce},
      {"map_put_reusing", flipper_that(put), {}, scarce},
      {"map_flip_if", actor_that(flip_if_unchanged)},
      {"map_update", actor_that(update)},
      {"map_insert", actor_that(insert)},
      {"map_insert_grows", actor_that(insert), {}, full},
      {"map_erase", actor_that(erase)},
      {"map_commit", actor_that(commit)},
      {"map_commit_inserts", actor_that(commit_with_fresh)},
      {"map_commit_inserts_grows", actor_that(commit_with_fresh), {}, full},
      {"map_recover_claimer", recover_map, wounded_at(KillPoint::map_claimed)},
      {"map_recover_flipper", recover_map, wounded_at(KillPoint::map_flipped)},
      {"map_recover_inserter", recover_map, wounded_at(KillPoint::map_keyed)},
      {"map_recover_who_comes", recover_map, wounded_at(KillPoint::map_compared)},
      {"map_recover_eraser", recover_map, wounded_at(KillPoint::map_emptied)},
      {"map_recover_committer", recover_map, wounded_at(KillPoint::map_committed)},
      {"map_recover_half_inserted", recover_map, wounded_at(KillPoint::map_indexed, 3)},
      {"map_recover_inserting_committer", recover_map, wounded_at(KillPoint::map_committed, 2)},
  };
}

}  // namespace

std::vector<Operation> map_operations() {
  std::vector<Operation> all;
  for (const MapOperation& operation : make_operations()) {
    const auto make = [operation](const MapStopPoint* point) {
      return [operation, point] { return std::make_unique<MapExperiment>(operation, point); };
    };
    std::vector<Beside> beside;
    for (const MapStopPoint& point : map_stop_points()) beside.push_back({point.name, make(&point)});
    all.push_back({operation.name, make(nullptr), std::move(beside)});
  }
  return all;
}

}  // namespace sapbuf::test
