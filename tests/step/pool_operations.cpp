// The operations of pools, and of what streams have attached, each with what comes before it.
#include <stdexcept>

#include "step/experiment.hpp"
#include "step/pool_acts.hpp"
#include "step/pool_judge.hpp"

namespace sapbuf::test {
namespace {

using Before = std::function<void(PoolWorld&)>;

struct PoolOperation {
  const char* name;
  PoolSetting setting;
  // In the parent, before the victim is made.
  Before before;
  PoolPart victim;
  // The same when it is in place.
  Before when_in_place = [](PoolWorld&) {};
  bool admits_bystanders = true;  // whoever serves may serve the bystander instead
};

class PoolExperiment final : public Experiment {
 public:
  PoolExperiment(const PoolOperation& operation, const PoolStopPoint* point) : world_(operation.setting) {
    operation.before(world_);
    victim = std::make_unique<SteppedProcess>([&] {
      return operation.victim(PoolScene{world_.name, *notes_, *diary_, kVictimHand, world_.offers});
    });
    if (victim->state() != SteppedProcess::State::stepping) throw std::runtime_error("the victim cannot begin");
    operation.when_in_place(world_);
    if (point != nullptr && !world_.admit_bystander(point->kill_point)) {
      throw std::runtime_error("this point is never come to");
    }
    bytes =
        std::make_unique<SharedBytes>(world_.name, std::as_bytes(std::span{&*diary_, 1}), heartbeats(world_.segment));
  }
  const std::string& segment_name() const override { return world_.name; }
  std::string judge(Healer healer) override {
    return test::judge(world_, {{kVictimHand, &*diary_}}, healer, [] {});
  }

 private:
  PoolWorld world_;
  SharedPossessions notes_;
  SharedDiary diary_;
};

void nothing(PoolWorld&) {}
void some_are_offered(PoolWorld& world) { world.offer(2); }
void none_is_free(PoolWorld& world) { world.leave_free(0); }
Before some_are_free(std::size_t count) {
  return [=](PoolWorld& world) { world.leave_free(count); };
}
void middle_blocks_are_free(PoolWorld& world) { world.leave_blocks_free(kMiddleBytes); }
void all_are_trimmed(PoolWorld& world) { world.pool.trim(); }
void some_are_idle(PoolWorld& world) { world.leave_idle(3); }
void some_are_unrooted(PoolWorld& world) { world.leave_unrooted(3); }
void one_waits(PoolWorld& world) {
  world.leave_free(0);
  world.admit_waiter();
}
void one_serves(PoolWorld& world) { world.admit_server(); }

// The first slab's array is full, its messages were read, and the second one's is almost full.
void both_slabs_have_attached(PoolWorld& world) { world.write_attached(2 * kAttachments - 1); }
// All that is not free hangs on messages that were read, in a slab that nobody needs.
void some_hang_on_messages(PoolWorld& world) {
  world.write_attached(kAttachments + 1);
  world.leave_free(0);
}
void unread_messages(PoolWorld& world) { world.write_attached(4, false); }

Before wounded_at(KillPoint kill_point, unsigned nth = 1) {
  return [=](PoolWorld& world) {
    if (!world.wound(kill_point, nth)) throw std::runtime_error("the wounded lives");
  };
}
void cleaner_is_wounded(PoolWorld& world) {
  both_slabs_have_attached(world);
  wounded_at(KillPoint::reclaim_unrooted)(world);
}

std::vector<PoolOperation> make_operations() {
  const PoolSetting plain;
  const PoolSetting growing{.max_buffers = kPoolBuffers + 2};
  const PoolSetting wide{.buffers = kWideBuffers};
  const PoolSetting sized{.buffers = kPieces, .has_classes = true};
  std::vector<PoolOperation> all{
      {"pool_attach_user", plain, nothing, attach_user},
      {"pool_detach_user", plain, nothing, idler_that(3, close_user)},
      {"pool_detach_with_last_buffer", plain, nothing, user_that(1, close_user_and_release)},

      {"pool_acquire_at_hand", plain, nothing, idler_that(1, acquire)},
      {"pool_acquire_refills", plain, nothing, user_that(0, acquire)},
      {"pool_acquire_takes_idle", plain, some_are_idle, user_that(0, acquire)},
      {"pool_acquire_scans", plain, some_are_unrooted, user_that(0, acquire)},
      {"pool_acquire_grows", growing, none_is_free, user_that(0, acquire_two)},

      {"pool_acquire_in_vain", plain, none_is_free, user_that(0, acquire)},
      {"pool_acquire_from_the_dead", plain, nothing, user_that(0, acquire), wounded_at(KillPoint::scan_asked)},
      {"pool_wait_in_vain", plain, none_is_free, user_that(0, wait_shortly_for_one)},
      {"pool_wait", plain, one_serves, user_that(0, wait_for_one), nothing, false},

      {"pool_release", plain, nothing, user_that(1, release)},
      {"pool_release_gives_back", plain, nothing,
       user_that(4, [](Hand& hand, const PoolScene&) { hand.release_all(); })},
      {"pool_release_elsewhere", plain, nothing, elsewhere_that(false, release)},
      {"pool_release_to_waiter", plain, some_are_free(1), user_that(1, release), one_waits},
      {"pool_release_elsewhere_to_waiter", plain, some_are_free(1), elsewhere_that(false, release), one_waits},
      {"pool_release_shared_to_waiter", plain, some_are_free(1), sharer_that(1, release), one_waits},

      {"pool_run", wide, nothing, user_that(0, acquire_run)},
      {"pool_run_joins", wide, some_are_free(kWideBuffers), user_that(0, acquire_run)},
      {"pool_run_small", plain, nothing, user_that(0, acquire_small_run)},
      {"pool_run_in_vain", plain, some_are_free(2), user_that(0, acquire_small_run)},
      {"pool_release_run", wide, nothing, runner_that(kRun, release_run)},
      {"pool_trim", wide, some_are_free(kWideBuffers), user_that(0, trim)},
      {"pool_acquire_allocates", wide, all_are_trimmed, user_that(2, acquire)},
      {"pool_run_allocates", wide, all_are_trimmed, user_that(0, acquire_run)},

      {"pool_sizes_refill", sized, nothing, user_that(0, acquire)},
      {"pool_sizes_form", sized, nothing, user_that(0, acquire_middle)},
      {"pool_sizes_at_hand", sized, nothing, user_that(0, acquire_middle_again)},
      {"pool_sizes_join", sized, some_are_free(kPieces), user_that(0, acquire_largest)},
      {"pool_sizes_part", sized, middle_blocks_are_free, user_that(0, acquire_largest)},
      {"pool_sizes_take_idle", sized, some_are_idle, user_that(0, acquire)},
      {"pool_sizes_in_vain", sized, none_is_free, user_that(0, acquire_largest)},
      {"pool_sizes_run", sized, nothing, user_that(0, acquire_run)},
      {"pool_sizes_wait_in_vain", sized, none_is_free, user_that(0, wait_shortly_for_one)},
      {"pool_sizes_wait", sized, one_serves, user_that(0, wait_for_one), nothing, false},
      {"pool_sizes_release", sized, nothing, user_that(20, [](Hand& hand, const PoolScene&) { hand.release_all(); })},
      {"pool_sizes_release_to_waiter", sized, some_are_free(1), user_that(1, release), one_waits},
      {"pool_sizes_release_elsewhere", sized, nothing, elsewhere_that(false, release)},
      {"pool_sizes_adopt", sized, some_are_offered, user_that(0, adopt)},

      {"pool_share", plain, nothing, user_that(1, share)},
      {"pool_adopt", plain, some_are_offered, user_that(0, adopt)},
      {"pool_release_adopted", plain, some_are_offered, adopter_that(release)},
      {"pool_release_adopted_elsewhere", plain, nothing, elsewhere_that(true, release)},

      {"pool_recover_user", plain, wounded_at(KillPoint::pool_adopting, 2), recover_pool},
      {"pool_recover_taker", plain, wounded_at(KillPoint::idle_taken), recover_pool},
      {"pool_recover_scanner", plain, wounded_at(KillPoint::scan_dying), recover_pool},
      {"pool_recover_waiter", plain, wounded_at(KillPoint::pool_waiting), recover_pool},
      {"pool_recover_runner", wide, wounded_at(KillPoint::chunk_marked), recover_pool},
      {"pool_recover_joiner", plain, wounded_at(KillPoint::chunk_joining), recover_pool},
      {"pool_recover_former", sized, wounded_at(KillPoint::chunk_tailed), recover_pool},
      {"pool_recover_parter", sized, wounded_at(KillPoint::chunk_parting), recover_pool},
      {"pool_recover_trimmer", wide, wounded_at(KillPoint::chunk_changing), recover_pool},
      {"pool_recover_attacher", plain, wounded_at(KillPoint::attached_linked), recover_pool},
  };
  const auto add_attaching = [&](const PoolSetting& setting, std::array<const char*, 9> names) {
    all.push_back({names[0], setting, nothing, attacher_that(1, false, attach_all)});
    all.push_back({names[1], setting, nothing, attacher_that(2, false, attach_and_abort)});
    all.push_back({names[2], setting, nothing, attacher_that(1, false, only_attach)});
    all.push_back({names[3], setting, nothing, attacher_that(3, false, attach_batch)});
    all.push_back({names[4], setting, some_are_offered, attacher_that(1, true, attach_all)});
    all.push_back({names[5], setting, both_slabs_have_attached, attacher_that(3, false, attach_all)});
    all.push_back({names[6], setting, unread_messages, read_and_adopt});
    all.push_back({names[7], setting, some_hang_on_messages, user_that(0, acquire)});
    all.push_back({names[8], setting, cleaner_is_wounded, recover_pool});
  };
  add_attaching(plain, {"attach", "attach_and_abort", "attach_only", "attach_batch", "attach_shared", "attach_and_flip",
                        "adopt_attached", "shed", "recover_cleaner_of_attached"});
  add_attaching({.order = Order::total}, {"attach_total", "attach_and_abort_total", "attach_only_total",
                                          "attach_batch_total", "attach_shared_total", "attach_and_flip_total",
                                          "adopt_attached_total", "shed_total", "recover_cleaner_of_attached_total"});
  all.push_back({"attach_overwrite",
                 {.on_full = OnFull::overwrite},
                 both_slabs_have_attached,
                 attacher_that(3, false, attach_all)});
  all.push_back({"attach_overwrite_total",
                 {.order = Order::total, .on_full = OnFull::overwrite},
                 both_slabs_have_attached,
                 attacher_that(3, false, attach_all)});
  return all;
}

}  // namespace

std::vector<Operation> pool_operations() {
  std::vector<Operation> all;
  for (const PoolOperation& operation : make_operations()) {
    const auto make = [operation](const PoolStopPoint* point) {
      return [operation, point] { return std::make_unique<PoolExperiment>(operation, point); };
    };
    std::vector<Beside> beside;
    for (const PoolStopPoint& point : pool_stop_points()) {
      if (operation.admits_bystanders) beside.push_back({point.name, make(&point)});
    }
    all.push_back({operation.name, make(nullptr), std::move(beside)});
  }
  return all;
}

}  // namespace sapbuf::test
