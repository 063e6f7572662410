// Nobody is called hung who makes progress, or was looked at too seldom.
#include <boost/test/unit_test.hpp>

#include "sapbuf_watchdog/progress.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using tools::ProgressWatch;

// A participant that is looked at every 100 ms, and called hung after a second.
struct Scene {
  Scene() {
    options.interval = 100ms;
    options.hung_after = 1s;
    snapshot.participants.resize(1);
    it().incarnation = 1;
    it().role = Role::writer;
    it().in_operation = true;
    look_for(0ms);
  }

  ParticipantSnapshot& it() { return snapshot.participants[0]; }
  void look_for(std::chrono::milliseconds time) {
    for (const auto until = now + time;; now += 100ms) {
      progress.look(snapshot, now);
      if (now >= until) return;
    }
  }
  bool stands_still() { return progress.stands_still(it()); }

  tools::WatchdogOptions options;
  ProgressWatch progress{options};
  Snapshot snapshot;
  ProgressWatch::Clock::time_point now = ProgressWatch::Clock::now();
};

BOOST_AUTO_TEST_SUITE(progress)

BOOST_AUTO_TEST_CASE(one_that_shows_the_same_for_long_stands_still) {
  Scene scene;
  scene.look_for(900ms);
  BOOST_TEST(!scene.stands_still());
  scene.look_for(100ms);
  BOOST_TEST(scene.stands_still());
}

BOOST_AUTO_TEST_CASE(one_that_commits_now_and_then_does_not) {
  Scene scene;
  for (int i = 0; i < 5; ++i) {
    scene.look_for(900ms);
    BOOST_TEST(!scene.stands_still());
    ++scene.it().ledger.committed;
  }
}

// It had nothing to do before.
BOOST_AUTO_TEST_CASE(one_that_has_just_begun_with_something_does_not) {
  Scene scene;
  scene.it().in_operation = false;
  scene.look_for(5s);
  scene.it().in_operation = true;
  scene.look_for(900ms);
  BOOST_TEST(!scene.stands_still());
}

BOOST_AUTO_TEST_CASE(a_reader_that_moves_on_does_not_and_one_before_which_more_comes_does) {
  Scene scene;
  scene.it().role = Role::reader;
  scene.it().held_generations = {1, 2};
  scene.look_for(900ms);
  scene.it().held_generations = {1, 2, 3};
  scene.look_for(100ms);
  BOOST_TEST(scene.stands_still());
  scene.it().held_generations = {2, 3};
  scene.look_for(0ms);
  BOOST_TEST(!scene.stands_still());
}

BOOST_AUTO_TEST_CASE(who_comes_next_into_its_slot_does_not) {
  Scene scene;
  scene.look_for(1s);
  ++scene.it().incarnation;
  BOOST_TEST(!scene.stands_still());
  scene.look_for(0ms);
  BOOST_TEST(!scene.stands_still());
}

// All of the machine, or of the container.
BOOST_AUTO_TEST_CASE(time_in_which_nobody_looked_counts_little) {
  for (const auto frozen : {500ms, 600ms, 1000ms, 60000ms}) {
    Scene scene;
    scene.now += frozen;
    scene.look_for(0ms);
    BOOST_TEST(!scene.stands_still());
    scene.look_for(500ms);
    BOOST_TEST(!scene.stands_still());
    scene.look_for(1s);
    BOOST_TEST(scene.stands_still());
  }
}

BOOST_AUTO_TEST_CASE(behind_a_long_pause_all_begins_anew) {
  Scene scene;
  scene.look_for(900ms);
  scene.now += 2s;
  scene.look_for(900ms);
  BOOST_TEST(!scene.stands_still());
  scene.look_for(100ms);
  BOOST_TEST(scene.stands_still());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
