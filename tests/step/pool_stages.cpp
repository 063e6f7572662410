// Where users of a pool meet, and those who attach its buffers.
#include "step/pool_acts.hpp"
#include "step/pool_judge.hpp"
#include "step/scenery.hpp"

namespace sapbuf::test {
namespace {

struct Actor {
  const char* name;
  PoolPart part;
};

struct PoolStage {
  const char* name;
  PoolSetting setting;
  std::function<void(PoolWorld&)> before;         // before the actors attach
  std::function<void(PoolWorld&)> when_in_place;  // when they stand at the beginning of what they do
  std::vector<Actor> actors;
};

constexpr std::uint32_t kHands[] = {kVictimHand, kSecondHand, kThirdHand};

class PoolScenery final : public Scenery {
 public:
  PoolScenery(const PoolStage& stage, std::span<const std::size_t> actors) : world_(stage.setting) {
    stage.before(world_);
    for (const std::size_t actor : actors) {
      const PoolScene scene{world_.name, *notes_.emplace_back(), *diaries_.emplace_back(), kHands[count()],
                            world_.offers};
      enter([&] { return stage.actors[actor].part(scene); });
    }
    stage.when_in_place(world_);
    all_are_in_place(world_.name);
  }

  std::string judge() override {
    if (!all_come_to_their_ends()) return "an operation does not come to its end";
    std::vector<Stepped> stepped;
    for (std::size_t actor = 0; actor < count(); ++actor) {
      stepped.push_back({kHands[actor], &*diaries_[actor], &*notes_[actor]});
    }
    return test::judge(world_, stepped, Healer::recoverer, [this] { kill_all(); });
  }

 private:
  PoolWorld world_;
  std::deque<SharedPossessions> notes_;
  std::deque<SharedDiary> diaries_;
};

void nothing(PoolWorld&) {}
void none_is_free(PoolWorld& world) { world.leave_free(0); }
void some_are_offered(PoolWorld& world) { world.offer(3); }
// What was offered is nobody's any more, and nothing else can be had.
void offers_are_let_go(PoolWorld& world) {
  world.let_go_of_offers();
  world.leave_free(0);
}
void one_waits(PoolWorld& world) {
  world.leave_free(0);
  world.admit_waiter();
}
void first_slab_is_full_and_read(PoolWorld& world) { world.write_attached(kAttachments + 1); }
// The next one of three messages flips, and reclaims what was read.
void both_slabs_have_attached(PoolWorld& world) {
  world.offer(1);
  world.write_attached(2 * kAttachments - 1);
}
// In chunks that somebody split.
void all_are_free(PoolWorld& world) { world.leave_free(kWideBuffers); }
void all_pieces_are_free(PoolWorld& world) { world.leave_free(kPieces); }
// In blocks for buffers that are no longer wanted.
void middle_blocks_are_free(PoolWorld& world) { world.leave_blocks_free(kMiddleBytes); }
void one_is_dead(PoolWorld& world) { world.wound(KillPoint::scan_asked); }

std::vector<PoolStage> make_stages() {
  const PoolSetting plain;
  const PoolSetting growing{.max_buffers = kPoolBuffers + 4};
  const Actor take{"acquire", user_that(0, acquire)};
  const Actor take_two{"acquire_two", user_that(0, acquire_two)};
  const Actor take_at_hand{"acquire_at_hand", idler_that(2, acquire)};
  const Actor come_and_go{"acquire_and_release", idler_that(2, acquire_and_release)};
  const Actor put_back{"release", user_that(1, release)};
  const Actor put_back_elsewhere{"release_elsewhere", elsewhere_that(false, release)};
  const Actor wait{"wait_shortly", user_that(0, wait_shortly_for_one)};
  const Actor leave{"detach_user", idler_that(2, close_user)};
  const Actor join{"attach_user", attach_user};
  const Actor give{"share", user_that(1, share)};
  const Actor give_and_go{"share_and_release", user_that(1, share_and_release)};
  const Actor let_go{"release_shared", sharer_that(1, release)};
  const Actor let_go_adopted{"release_adopted", adopter_that(release)};
  const Actor get{"adopt", user_that(0, adopt)};
  const Actor get_and_go{"adopt_and_release", user_that(0, adopt_and_release)};
  const Actor attach{"attach", attacher_that(3, false, attach_all)};
  const Actor attach_shared{"attach_shared", attacher_that(1, true, attach_all)};
  const Actor attach_in_vain{"attach_and_abort", attacher_that(2, false, attach_and_abort)};
  const Actor read{"read_and_adopt", read_and_adopt};
  const Actor take_run{"run", user_that(0, acquire_run)};
  const Actor take_small_run{"small_run", user_that(0, acquire_small_run)};
  const Actor put_run_back{"release_run", runner_that(3, release_run)};
  const Actor shrink{"trim", user_that(0, trim)};
  const PoolSetting sized{.buffers = kPieces, .has_classes = true};
  const Actor take_middle{"middle", user_that(0, acquire_middle)};
  const Actor take_largest{"largest", user_that(0, acquire_largest)};
  const Actor middle_comes_and_goes{"middle_again", user_that(0, acquire_middle_again)};
  const Actor heal{"recover", recover_pool};

  std::vector<PoolStage> all{
      {"pool_refill", plain, nothing, nothing, {take, take_two, come_and_go, put_back, leave, join}},
      {"pool_idle",
       plain,
       nothing,
       none_is_free,
       {take, take_at_hand, come_and_go, put_back, leave, put_back_elsewhere}},
      {"pool_scan",
       plain,
       some_are_offered,
       offers_are_let_go,
       {take, get, get_and_go, let_go_adopted, give, give_and_go, let_go}},
      {"pool_wait",
       plain,
       nothing,
       none_is_free,
       {wait, take, put_back, put_back_elsewhere, let_go, come_and_go, leave}},
      {"pool_served", plain, nothing, one_waits, {put_back, put_back_elsewhere, let_go, wait, take}},
      {"pool_growth", growing, none_is_free, nothing, {take, take_two, wait, join, heal}},
      {"pool_run",
       {.buffers = kWideBuffers},
       nothing,
       nothing,
       {take_run, take_small_run, put_run_back, take, come_and_go, shrink}},
      {"pool_join", {.buffers = kWideBuffers}, all_are_free, nothing, {take_run, take_small_run, take, shrink}},
      {"pool_sizes_form", sized, nothing, nothing, {take, take_middle, take_largest, middle_comes_and_goes, take_run}},
      {"pool_sizes_idle",
       sized,
       nothing,
       none_is_free,
       {take, take_at_hand, come_and_go, put_back, put_back_elsewhere}},
      {"pool_sizes_join", sized, all_pieces_are_free, nothing, {take_largest, take_middle, take, take_run, leave}},
      {"pool_sizes_part", sized, middle_blocks_are_free, nothing, {take_largest, take_middle, take, shrink}},
      {"pool_sizes_wait", sized, nothing, none_is_free, {wait, take, take_middle, put_back, put_back_elsewhere}},
      {"pool_sizes_served", sized, nothing, one_waits, {put_back, put_back_elsewhere, wait, take}},
      {"pool_dead_user", plain, nothing, one_is_dead, {heal, take, wait, put_back, join}},
  };
  for (const Order order : {Order::per_writer, Order::total}) {
    const bool total = order == Order::total;
    all.push_back({total ? "total_attach" : "attach",
                   {.order = order},
                   both_slabs_have_attached,
                   nothing,
                   {attach, attach_shared, attach_in_vain, read, heal}});
    all.push_back({total ? "total_shed" : "shed",
                   {.order = order},
                   first_slab_is_full_and_read,
                   none_is_free,
                   {take, attach, read, wait}});
  }
  all.push_back({"attach_overwrite",
                 {.on_full = OnFull::overwrite},
                 both_slabs_have_attached,
                 nothing,
                 {attach, attach_shared, read, take}});
  return all;
}

}  // namespace

std::vector<Stage> pool_stages() {
  std::vector<Stage> all;
  for (const PoolStage& stage : make_stages()) {
    std::vector<const char*> names;
    for (const Actor& actor : stage.actors) names.push_back(actor.name);
    all.push_back({stage.name, std::move(names), [stage](std::span<const std::size_t> actors) {
                     return std::make_unique<PoolScenery>(stage, actors);
                   }});
  }
  return all;
}

}  // namespace sapbuf::test
