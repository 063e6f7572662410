#include "step/pool_judge.hpp"

#include "pool/pool_core.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

PoolSnapshot figures(const PoolWorld& world) { return *inspect(world.segment).facilities.back().pool; }

// For whoever has to find out what went wrong.
std::string describe(const PoolWorld& world) {
  const PoolSnapshot now = figures(world);
  std::string text = "\n  " + std::to_string(now.count) + " buffers: " + std::to_string(now.in_use) + " in use, " +
                     std::to_string(now.cached) + " at hand, " + std::to_string(now.shared) + " shared, " +
                     std::to_string(now.free) + " free; " + std::to_string(now.waiting) + " wait";
  for (const ParticipantSnapshot& one : inspect(world.segment).participants) {
    text.append("\n  ").append(one.name).append(": ").append(to_string(one.state));
    for (const std::uint64_t number : one.held_generations) text += " " + std::to_string(number);
  }
  return text;
}

class Judge {
 public:
  Judge(PoolWorld& world, const std::vector<Stepped>& stepped, Healer healer, const std::function<void()>& leave)
      : world_(world), stepped_(stepped), healer_(healer), leave_(leave) {
    for (const Stepped& one : stepped) {
      if (one.has != nullptr) living_.push_back(one.has);
    }
    for (const Possessions* const one : world.possessions()) living_.push_back(one);
  }

  std::string run() {
    look_at_words(Motion::stopped, "after the death");
    look_at_possessions("after the death");
    if (world_.bystander) let_bystander_go_on();
    recover_now();
    let_waiter_go_on();
    take_all_that_nobody_has();
    look_at_messages();
    all_leave();
    return problem_;
  }

 private:
  void fail(const std::string& problem) {
    if (problem_.empty() && !problem.empty()) problem_ = problem + describe(world_);
  }

  void look_at_words(Motion motion, const char* when) {
    if (!problem_.empty()) return;
    std::string problem = broken_pool_invariant(world_.pool, motion);
    // A user that died while it shed leaves a slab that is being reclaimed by nobody, until somebody needs it.
    const Motion of_stream = have_all_left_ ? motion : Motion::stopped;
    if (problem.empty()) problem = broken_invariant(world_.segment, of_stream);
    if (!problem.empty()) fail(std::string(when) + ": " + problem);
  }

  void look_at_possessions(const char* when) {
    const std::string problem = broken_possession(world_.pool, living_);
    if (!problem.empty()) fail(std::string(when) + ": " + problem);
  }

  // While it is stopped, others take what they can: nothing of it.
  void let_bystander_go_on() {
    if (healer_ == Healer::recoverer) {
      recover(world_.segment);
    } else {
      SharedPossessions notes;
      Hand passer_by{world_.pool, *notes, kFreshHand};
      static_cast<void>(passer_by.take());
    }
    look_at_possessions("beside the stopped");
    world_.bystander->resume();
    if (!eventually([&] { return world_.bystander->has_ended(); })) return fail("the bystander does not end");
    if (world_.bystander->wait() != 0) fail("the bystander failed");
    world_.bystander.reset();
  }

  void recover_now() {
    if (!problem_.empty() || healer_ != Healer::recoverer) return;
    if (!eventually([&] { return !recover(world_.segment).pending; })) return fail("recovery never ends");
    look_at_words(world_.waiter ? Motion::stopped : Motion::none, "after the recovery");
  }

  void let_waiter_go_on() {
    if (!problem_.empty() || !world_.waiter) return;
    // Where the others have come to their ends without letting go of any.
    const PoolSnapshot now = figures(world_);
    const bool all_are_had = has_classes() ? now.free + now.cached == 0 : count_possessed(living_) == now.count;
    if (all_are_had && !world_.give_one()) return fail("the neighbour has nothing to give");
    if (!world_.waiter_is_served()) fail("whoever waits is not served");
  }

  // The audience shares this thread: what messages keep is let go when it has read on.
  bool has_classes() const { return world_.pool.options().max_bytes != 0; }

  // Of each class that there are blocks for, and of pieces.
  void take_of_all_classes() {
    SharedPossessions notes;
    Hand fresh{world_.pool, *notes, kFreshHand, {.name = "fresh"}};
    const auto has_them = [&] {
      world_.audience->read_all();
      fresh.take_all();
      for (const PoolClass& its : figures(world_).classes) {
        while (fresh.take(its.bytes) == Status::ok) {
        }
      }
      const PoolSnapshot now = figures(world_);
      return now.free + now.cached == 0 && now.in_use + now.shared == fresh.size() + count_possessed(living_);
    };
    if (!eventually(has_them)) {
      return fail("a fresh user gets " + std::to_string(fresh.size()) + " buffers, and not all that nobody has");
    }
    living_.push_back(&*notes);
    look_at_possessions("with a fresh user");
    living_.pop_back();
  }

  void take_all_that_nobody_has() {
    if (!problem_.empty()) return;
    if (has_classes()) return take_of_all_classes();
    SharedPossessions notes;
    Hand fresh{world_.pool, *notes, kFreshHand, {.name = "fresh"}};
    const std::uint64_t all = world_.pool.core()->geometry().max_count;
    const auto expected = [&] { return all - count_possessed(living_); };
    const auto has_them = [&] {
      world_.audience->read_all();
      while (fresh.size() < expected() && fresh.take_for(5ms) == Status::ok) {
      }
      return fresh.size() >= expected();
    };
    if (!eventually(has_them)) {
      return fail("a fresh user gets " + std::to_string(fresh.size()) + " buffers of " + std::to_string(expected()));
    }
    if (fresh.take() == Status::ok) fail("a fresh user gets a buffer that somebody has");
    living_.push_back(&*notes);
    look_at_possessions("with a fresh user");
    look_at_figures(fresh.size());
    living_.pop_back();
  }

  void look_at_figures(std::size_t fresh_has) {
    const PoolSnapshot now = figures(world_);
    if (now.in_use + now.cached + now.shared + now.free != now.count) return fail("the figures do not balance");
    if (now.in_use < fresh_has || now.free + now.cached != 0) fail("the figures are wrong");
  }

  void look_at_messages() {
    if (!problem_.empty()) return;
    PoolAudience& audience = *world_.audience;
    audience.read_all();
    fail(audience.problem());
    if (inspect(world_.segment).options.on_full == OnFull::overwrite) return;
    for (const Stepped& one : stepped_) {
      const std::size_t got = audience.messages_of(one.who);
      const std::uint64_t committed = one.diary->committed.load();
      const bool may_be_more = one.has == nullptr;
      if (got < committed) return fail("a committed message was lost");
      if (got != committed && !(may_be_more && got == committed + one.diary->at_once.load())) {
        return fail("a message was delivered that was not committed");
      }
    }
  }

  void all_leave() {
    if (!problem_.empty()) return;
    leave_();
    world_.close();
    if (!eventually([&] { return !recover(world_.segment).pending; })) return fail("recovery never ends");
    static_cast<void>(Reader{world_.segment, {.name = "another", .from = From::newest}});
    have_all_left_ = true;
    look_at_words(Motion::none, "in the end");
    SharedPossessions notes;
    Hand last{world_.pool, *notes, kFreshHand, {.name = "last"}};
    last.take_all();
    const std::uint64_t all = world_.pool.core()->geometry().max_count;
    if (last.size() != all) fail("in the end there are " + std::to_string(last.size()) + " buffers");
    const std::size_t participants = inspect(world_.segment).participants.size();
    if (participants != 3) fail("a slot was not released");  // the audience's two, and this one
  }

  PoolWorld& world_;
  const std::vector<Stepped>& stepped_;
  const Healer healer_;
  const std::function<void()>& leave_;
  std::vector<const Possessions*> living_;
  bool have_all_left_ = false;
  std::string problem_;
};

}  // namespace

std::string judge(PoolWorld& world, const std::vector<Stepped>& stepped, Healer healer,
                  const std::function<void()>& leave) {
  return Judge{world, stepped, healer, leave}.run();
}

}  // namespace sapbuf::test
