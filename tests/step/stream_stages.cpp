// Where writers and readers meet.
#include "step/scenery.hpp"
#include "step/stream_acts.hpp"
#include "step/stream_judge.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

struct Actor {
  const char* name;
  Part part;
};

struct StreamStage {
  const char* name;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  std::function<void(StreamWorld&)> before;         // before the actors attach
  std::function<void(StreamWorld&)> when_in_place;  // when they stand at the beginning of what they do
  std::vector<Actor> actors;
};

constexpr std::uint32_t kIds[] = {kVictimId, kSecondId, kThirdId};

class StreamScenery final : public Scenery {
 public:
  StreamScenery(const StreamStage& stage, std::span<const std::size_t> actors) : world_(stage.order, stage.on_full) {
    stage.before(world_);
    for (const std::size_t actor : actors) {
      const Scene scene{world_.name, *diaries_.emplace_back(), kIds[count()], 0ms};
      enter([&] { return stage.actors[actor].part(scene); });
    }
    stage.when_in_place(world_);
    all_are_in_place(world_.name);
  }

  std::string judge() override {
    if (!all_come_to_their_ends()) return "an operation does not come to its end";
    std::vector<Departed> departed;
    for (std::size_t actor = 0; actor < count(); ++actor) departed.push_back({kIds[actor], &*diaries_[actor], false});
    kill_all();
    return test::judge(world_, departed, Healer::recoverer);
  }

 private:
  StreamWorld world_;
  std::deque<SharedDiary> diaries_;
};

void nothing(StreamWorld&) {}
void some_messages(StreamWorld& world) { world.write(3); }
void unread_messages(StreamWorld& world) { world.write(24, false); }

// The cursor stands so that ...
void at_the_end_of_the_first_slab(StreamWorld& world) { world.advance_to(1, 3900); }  // the next slab was never used
void before_the_middle_of_the_second(StreamWorld& world) {
  world.advance_to(2, 1500);
}  // the next claims close the first
void at_the_end_of_the_second_slab(StreamWorld& world) {
  world.advance_to(2, 3900);
}  // the first one must be reclaimed

std::function<void(StreamWorld&)> wounded_at(KillPoint kill_point, unsigned nth) {
  return [=](StreamWorld& world) { world.wound(kill_point, nth); };
}

std::vector<StreamStage> make_stages() {
  const auto block = OnFull::block;
  const Actor commit{"commit", writer_that(1, write_one)};
  const Actor commit_shorter{"commit_fewer", writer_that(1, commit_fewer)};
  const Actor abort{"abort", writer_that(1, reserve_and_abort)};
  const Actor claim{"claim", writer_that(0, write_one)};
  const Actor claim_large{"claim_large", writer_that(1, write_large)};
  const Actor detach{"detach_writer", writer_that(1, close_writer)};
  const Actor pin{"pin", reader_that(pin_and_unpin)};
  const Actor compare{"pin_and_compare", reader_that(pin_and_compare)};
  const Actor read{"read", reader_that(read_all)};
  const Actor wait{"wait", reader_that(wait_shortly)};
  const Actor leave{"detach_reader", reader_that(close_reader)};
  const Actor join{"attach_reader", attach_reader};
  const Actor heal{"recover", run_recovery};

  std::vector<StreamStage> all;
  for (const Order order : {Order::per_writer, Order::total}) {
    const bool total = order == Order::total;
    all.push_back({total ? "total_open_slab" : "open_slab",
                   order,
                   block,
                   some_messages,
                   nothing,
                   {commit, commit_shorter, abort, claim, detach, pin, wait, join}});
    all.push_back({total ? "total_flip" : "flip",
                   order,
                   block,
                   nothing,
                   at_the_end_of_the_first_slab,
                   {claim_large, claim, detach, read, join, heal}});
    all.push_back({total ? "total_close" : "close",
                   order,
                   block,
                   nothing,
                   before_the_middle_of_the_second,
                   {claim_large, commit, commit_shorter, abort, detach, read}});
    all.push_back({total ? "total_clean" : "clean",
                   order,
                   block,
                   nothing,
                   at_the_end_of_the_second_slab,
                   {claim_large, commit, claim, leave, join}});
    all.push_back({total ? "total_overwrite" : "overwrite",
                   order,
                   OnFull::overwrite,
                   unread_messages,
                   nothing,
                   {claim_large, claim, compare, read, join}});
  }
  all.push_back({"dead_writer",
                 Order::per_writer,
                 block,
                 wounded_at(KillPoint::commit_published, 3),
                 nothing,
                 {heal, claim_large, read, join, detach}});
  all.push_back({"dead_claimer",
                 Order::per_writer,
                 block,
                 wounded_at(KillPoint::claim_taken, 2),
                 nothing,
                 {heal, claim, commit, read, join}});
  all.push_back({"dead_flipper",
                 Order::per_writer,
                 block,
                 wounded_at(KillPoint::flip_prepared, 1),
                 nothing,
                 {heal, claim, read, join}});
  all.push_back({"total_dead_claimer",
                 Order::total,
                 block,
                 wounded_at(KillPoint::claim_taken, 3),
                 nothing,
                 {heal, commit, read, join}});
  all.push_back({"total_dead_flipper",
                 Order::total,
                 block,
                 wounded_at(KillPoint::flip_moved, 1),
                 nothing,
                 {heal, commit, read, join}});
  return all;
}

}  // namespace

std::vector<Stage> stream_stages() {
  std::vector<Stage> all;
  for (const StreamStage& stage : make_stages()) {
    std::vector<const char*> names;
    for (const Actor& actor : stage.actors) names.push_back(actor.name);
    all.push_back({stage.name, std::move(names), [stage](std::span<const std::size_t> actors) {
                     return std::make_unique<StreamScenery>(stage, actors);
                   }});
  }
  return all;
}

}  // namespace sapbuf::test
