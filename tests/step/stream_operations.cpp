// The operations of writers and readers that are stepped through, each with what comes before it.
#include <cstddef>

#include "step/experiment.hpp"
#include "step/stream_acts.hpp"
#include "step/stream_judge.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

struct StreamOperation {
  const char* name;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  // In the parent, before the victim is made.
  std::function<void(StreamWorld&)> before;
  Part victim;
};

class StreamExperiment final : public Experiment {
 public:
  StreamExperiment(const StreamOperation& operation, const StreamStopPoint* point)
      : world_(operation.order, operation.on_full) {
    if (point != nullptr && !world_.admit_bystander(*point)) throw std::runtime_error("this point is never come to");
    operation.before(world_);
    const auto timeout = point == nullptr ? 20'000ms : 0ms;
    const auto prepare = [&] { return operation.victim(Scene{world_.name, *diary_, kVictimId, timeout}); };
    victim = std::make_unique<SteppedProcess>(prepare);
    if (victim->state() != SteppedProcess::State::stepping) throw std::runtime_error("the victim cannot begin");
    bytes =
        std::make_unique<SharedBytes>(world_.name, std::as_bytes(std::span{&*diary_, 1}), heartbeats(world_.segment));
  }
  const std::string& segment_name() const override { return world_.name; }
  std::string judge(Healer healer) override {
    const Departed victim_of_this{kVictimId, &*diary_};
    return test::judge(world_, std::span{&victim_of_this, 1}, healer);
  }

 private:
  StreamWorld world_;
  SharedDiary diary_;
};

std::function<void(StreamWorld&)> peer_wrote(std::uint32_t count) {
  return [=](StreamWorld& world) { world.write(count); };
}
std::function<void(StreamWorld&)> peer_wrote_unread(std::uint32_t count) {
  return [=](StreamWorld& world) { world.write(count, false); };
}
std::function<void(StreamWorld&)> wounded_at(KillPoint kill_point, unsigned nth) {
  return [=](StreamWorld& world) { world.wound(kill_point, nth); };
}
// The next slab has been used and read: it must be reclaimed and cleaned for the flip.
void past_the_middle_of_the_second_slab(StreamWorld& world) { world.advance_to(2, 3000); }
void nothing(StreamWorld&) {}
void audience_sleeps(StreamWorld& world) { world.audience->read(1ms); }
void wounded_reader(StreamWorld& world) {
  world.write(2, false);
  world.wound_reader();
}

// Some are unread, and those behind them come later.
void durable_reader_left(StreamWorld& world) {
  world.write(8);
  world.read_durably(3);
  world.write(4);
}
void durable_reader_is_new(StreamWorld& world) {
  world.write(8);
  world.read_durably_before = 0;
}
void durable_reader_died(StreamWorld& world) {
  world.write(8);
  world.wound_durable_reader(3);
}

// Messages that take more than one slab, and less than two: nobody reads meanwhile.
constexpr std::size_t kIntoBothSlabs = 24;
// Messages that pass the middle of a slab.
constexpr std::size_t kPastTheMiddle = 12;

std::vector<StreamOperation> make_operations() {
  const auto per_writer = Order::per_writer;
  const auto total = Order::total;
  const auto block = OnFull::block;
  const auto drop = OnFull::drop;
  const auto overwrite = OnFull::overwrite;
  return {
      {"attach_writer", per_writer, block, nothing, attach_writer},
      {"attach_reader", per_writer, block, peer_wrote(20), attach_reader},
      {"attach_reader_total", total, block, peer_wrote(20), attach_reader},
      {"attach_reader_overwrite", per_writer, overwrite, peer_wrote_unread(24), attach_reader},
      {"detach_writer", per_writer, block, nothing, writer_that(2, close_writer)},
      {"detach_writer_total", total, block, nothing, writer_that(2, close_writer)},
      {"detach_reader", per_writer, block, peer_wrote(20), reader_that(close_reader)},

      {"reserve_in_extent", per_writer, block, nothing, writer_that(1, only_reserve)},
      {"commit_in_extent", per_writer, block, nothing, writer_that(1, write_one)},
      {"commit_fewer_in_extent", per_writer, block, nothing, writer_that(1, commit_fewer)},
      {"commit_batch_in_extent", per_writer, block, nothing, writer_that(1, write_batch)},
      {"abort_in_extent", per_writer, block, nothing, writer_that(1, reserve_and_abort)},
      {"claim_first_extent", per_writer, block, nothing, writer_that(0, write_one)},
      {"claim_several_extents", per_writer, block, nothing, writer_that(3, write_one)},  // number 3 takes 700 bytes
      {"reserve_in_total_order", total, block, nothing, writer_that(1, only_reserve)},
      {"commit_in_total_order", total, block, nothing, writer_that(1, write_one)},
      {"commit_fewer_in_total_order", total, block, nothing, writer_that(1, commit_fewer)},
      {"commit_batch_in_total_order", total, block, nothing, writer_that(1, write_batch)},
      {"abort_in_total_order", total, block, nothing, writer_that(1, reserve_and_abort)},

      {"close_idle_writer", per_writer, block, peer_wrote(1), writer_that(0, write_several(kPastTheMiddle))},
      {"flip_per_writer", per_writer, block, nothing, writer_that(0, write_several(kIntoBothSlabs))},
      {"flip_total", total, block, nothing, writer_that(0, write_several(kIntoBothSlabs))},
      {"flip_after_dead_preparer", per_writer, block, wounded_at(KillPoint::flip_prepared, 1),
       writer_that(0, write_several(7))},
      {"flip_after_dead_limiter", total, block, wounded_at(KillPoint::flip_limited, 1),
       writer_that(0, write_several(7))},
      {"flip_after_dead_mover", per_writer, block, wounded_at(KillPoint::flip_moved, 1),
       writer_that(0, write_several(7))},
      {"flip_after_dead_cleaner", total, block, wounded_at(KillPoint::reclaim_cleaning, 1),
       writer_that(0, write_several(7))},
      {"clean_per_writer", per_writer, block, past_the_middle_of_the_second_slab, writer_that(0, write_several(7))},
      {"clean_total", total, block, past_the_middle_of_the_second_slab, writer_that(0, write_several(7))},
      {"drop_per_writer", per_writer, drop, peer_wrote_unread(60), writer_that(0, write_several(3))},
      {"overwrite_per_writer", per_writer, overwrite, peer_wrote_unread(24), writer_that(0, write_several(7))},
      {"overwrite_total", total, overwrite, peer_wrote_unread(24), writer_that(0, write_several(7))},

      {"pin_and_unpin", per_writer, block, peer_wrote(4), reader_that(pin_and_unpin)},
      {"pin_and_unpin_total", total, block, peer_wrote(4), reader_that(pin_and_unpin)},
      {"pin_overwrite", per_writer, overwrite, peer_wrote_unread(24), reader_that(read_all)},
      {"release_generation", per_writer, block, peer_wrote(20), reader_that(read_all)},
      {"release_generation_total", total, block, peer_wrote(20), reader_that(read_all)},
      {"wait", per_writer, block, nothing, reader_that(wait_shortly)},

      {"attach_durable", per_writer, block, durable_reader_is_new, attach_durable},
      {"attach_durable_total", total, block, durable_reader_is_new, attach_durable},
      {"resume_durable", per_writer, block, durable_reader_left, attach_durable},
      {"resume_durable_total", total, block, durable_reader_left, attach_durable},
      {"resume_durable_overwrite", per_writer, overwrite, durable_reader_left, attach_durable},
      {"read_durable", per_writer, block, durable_reader_left, durable_reader_that(read_durable_ranges)},
      {"read_durable_total", total, block, durable_reader_left, durable_reader_that(read_durable_ranges)},
      {"read_durable_overwrite", total, overwrite, durable_reader_left, durable_reader_that(read_durable_ranges)},
      {"detach_durable", per_writer, block, durable_reader_left, durable_reader_that(close_durable)},
      {"detach_durable_overwrite", per_writer, overwrite, durable_reader_left, durable_reader_that(close_durable)},
      {"recover_durable", per_writer, block, durable_reader_died, run_recovery},
      {"recover_durable_overwrite", total, overwrite, durable_reader_died, run_recovery},

      {"wake", per_writer, block, audience_sleeps, writer_that(1, write_one)},

      {"recover_open_extent", per_writer, block, wounded_at(KillPoint::commit_published, 3), run_recovery},
      {"recover_hole", per_writer, block, wounded_at(KillPoint::claim_taken, 2), run_recovery},
      {"recover_several_extents", per_writer, block, wounded_at(KillPoint::extent_written, 4), run_recovery},
      {"recover_hole_total", total, block, wounded_at(KillPoint::claim_taken, 3), run_recovery},
      {"recover_busy_frame", total, block, wounded_at(KillPoint::claim_busy, 3), run_recovery},
      {"recover_published_frame", total, block, wounded_at(KillPoint::commit_published, 3), run_recovery},
      {"recover_ledger_switch", per_writer, block, wounded_at(KillPoint::ledger_before_switch, 1), run_recovery},
      {"recover_flip", per_writer, block, wounded_at(KillPoint::flip_prepared, 1), run_recovery},
      {"recover_moved_flip", total, block, wounded_at(KillPoint::flip_moved, 1), run_recovery},
      {"recover_sealer", per_writer, block,
       [](StreamWorld& world) {
         world.write(1);
         world.wound(KillPoint::close_revoked, 1);
       },
       run_recovery},
      {"recover_cleaner", total, block, wounded_at(KillPoint::reclaim_cleaning, 1), run_recovery},
      {"recover_reader", per_writer, block, wounded_reader, run_recovery},
      {"recover_reader_overwrite", per_writer, overwrite, wounded_reader, run_recovery},
      {"recover_after_dead_recoverer", per_writer, block,
       [](StreamWorld& world) {
         world.wound(KillPoint::commit_published, 3);
         Child recoverer{[&](Link&) {
           const Segment own = Segment::open(world.name);
           kill_point::arm(KillPoint::recover_departed, kill_self);
           recover(own);
         }};
         recoverer.wait();
       },
       run_recovery},
  };
}

}  // namespace

std::vector<Operation> stream_operations() {
  std::vector<Operation> all;
  for (const StreamOperation& operation : make_operations()) {
    const auto make = [operation](const StreamStopPoint* point) {
      return [operation, point] { return std::make_unique<StreamExperiment>(operation, point); };
    };
    std::vector<Beside> beside;
    for (const StreamStopPoint& point : stream_stop_points()) beside.push_back({point.name, make(&point)});
    all.push_back({operation.name, make(nullptr), std::move(beside)});
  }
  return all;
}

}  // namespace sapbuf::test
