// What sapbuf-bench must not get wrong: a run whose messages are lost or damaged is no figure, and rounds in which the
// cores moved say nothing about a goal.
#include <sys/wait.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "goals.hpp"
#include "hand_over.hpp"

namespace sapbuf::bench {
namespace {

constexpr Load kLoad{.message_bytes = 64, .messages = 1000};

// A pipe whose producer does something of its own.
class OddPipe : public Peer {
 public:
  void prepare(const Load& load) override { pipe_->prepare(load); }
  void produce(const Load& load, const Ready& begin) override { pipe_->produce(load, begin); }
  std::uint64_t consume(const Load& load, const Ready& ready) override { return pipe_->consume(load, ready); }
  void clean_up() noexcept override {
    pipe_->clean_up();
    cleaned_up = true;
  }
  bool cleaned_up = false;

 protected:
  const std::unique_ptr<Peer> pipe_ = make_pipe();
};

// As many messages as were asked for, but half of them twice instead of the others.
class Repeating final : public OddPipe {
  void produce(const Load& load, const Ready& begin) override {
    Load half = load;
    half.messages /= 2;
    pipe_->produce(half, begin);
    pipe_->produce(half, [] {});
  }
};

class FailingToOpen final : public OddPipe {
  void produce(const Load&, const Ready&) override { throw std::runtime_error("as the test wants it: no end"); }
};

class FailingMidway final : public OddPipe {
  void produce(const Load& load, const Ready& begin) override {
    Load half = load;
    half.messages /= 2;
    pipe_->produce(half, begin);
    throw std::runtime_error("as the test wants it: half of it is enough");
  }
};

bool no_children_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

template <typename Odd>
void ends_the_run() {
  Odd peer;
  BOOST_CHECK_THROW(hand_over(peer, kLoad), std::runtime_error);
  BOOST_TEST(peer.cleaned_up);
  BOOST_TEST(no_children_left());
}

BOOST_AUTO_TEST_SUITE(hand_overs)

BOOST_AUTO_TEST_CASE(messages_that_arrive_make_a_figure) {
  OddPipe peer;
  BOOST_TEST(hand_over(peer, kLoad) > 0);
  BOOST_TEST(peer.cleaned_up);
  BOOST_TEST(no_children_left());
}

BOOST_AUTO_TEST_CASE(every_way_of_copying_brings_every_byte) {
  for (const Copying copying : ways_of_copying()) {
    for (const std::size_t bytes : {8, 24, 64, 4096}) {
      // All buffers twice, and a part of one.
      const Load load{.message_bytes = bytes, .messages = 2 * kSlabBytes / bytes + 3};
      BOOST_TEST_CONTEXT(to_string(copying) << ", " << bytes)
      BOOST_CHECK_NO_THROW(hand_over(*make_copy(copying), load));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_sum_ends_the_run) { ends_the_run<Repeating>(); }
BOOST_AUTO_TEST_CASE(an_end_that_does_not_open_ends_the_run) { ends_the_run<FailingToOpen>(); }
BOOST_AUTO_TEST_CASE(a_producer_that_fails_midway_ends_the_run) { ends_the_run<FailingMidway>(); }

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(goals)

// A report with what one goal needs: 64 bytes, one to one, beside rte_ring in bulk.
struct Rounds {
  std::vector<double> figures;
  std::vector<double> line_ns;
};
std::vector<Goal> goals_of_rounds(const Rounds& ours, const Rounds& theirs) {
  Options options;
  options.json = true;
  Report report{options};
  report.add({"one-to-one",
              "as measured",
              "M msg/s",
              {{"sapbuf per_writer", {}, ours.figures, ours.line_ns},
               {"DPDK rte_ring bulk 32", {}, theirs.figures, theirs.line_ns}},
              64,
              true});
  return goals_of(report);
}

double reached(const std::vector<Goal>& goals, const std::string& cores) {
  const auto found = std::find_if(goals.begin(), goals.end(), [&](const Goal& goal) { return goal.cores == cores; });
  return found == goals.end() ? -1 : found->reached;
}

BOOST_AUTO_TEST_CASE(near_and_far_cores_are_judged_apart) {
  const auto found = goals_of_rounds({.figures = {100, 90, 20, 30}, .line_ns = {70, 75, 250, 240}},
                                     {.figures = {50, 45, 20, 30}, .line_ns = {72, 70, 245, 260}});
  BOOST_TEST(found.size() == 2u);
  BOOST_TEST(reached(found, "near") == 2);
  BOOST_TEST(reached(found, "far") == 1);
}

BOOST_AUTO_TEST_CASE(rounds_in_which_the_cores_moved_say_nothing) {
  const auto found = goals_of_rounds({.figures = {100, 90, 20}, .line_ns = {70, 75, 250}},
                                     {.figures = {50, 15, 100}, .line_ns = {72, 240, 70}});
  BOOST_TEST(found.size() == 1u);
  BOOST_TEST(reached(found, "near") == 2);
}

BOOST_AUTO_TEST_CASE(where_the_cores_moved_in_all_rounds_the_goal_says_so) {
  const auto found = goals_of_rounds({.figures = {100}, .line_ns = {70}}, {.figures = {25}, .line_ns = {240}});
  BOOST_TEST(found.size() == 1u);
  BOOST_TEST(reached(found, "mixed") == 4);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::bench
