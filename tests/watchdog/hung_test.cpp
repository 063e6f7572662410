// --on-hung kill: nobody is killed who is not the one that hung, or does not hang any more.
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "sapbuf_watchdog/hung.hpp"
#include "support/skip.hpp"
#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using tools::act_on_hung;
using tools::Descriptor;
using tools::HungParticipant;
using tools::WatchdogOptions;

constexpr unsigned kNobody = 65534;

WatchdogOptions kill_after(std::chrono::milliseconds time) {
  WatchdogOptions options;
  options.hung_after = time;
  options.on_hung = tools::OnHung::kill;
  return options;
}

// A stream whose sealed slab a reader holds; the reader lets go when it is spoken to, and then says 2.
struct Scene {
  explicit Scene(unsigned mode = 0600) : segment{Segment::create(name, {.slab_bytes = 4096, .mode = mode})} {
    BOOST_TEST(reader.hear() == 1U);
    Writer writer{segment, {.timeout = 0ms}};
    while (writer.write(std::string(200, 'x')) == Status::ok) {
    }
    BOOST_TEST_REQUIRE(eventually([&] { return hung().state == Liveness::hung; }));
  }

  ParticipantSnapshot hung() const { return inspect(segment, {.hung_after = options.hung_after}).participants.at(0); }
  HungParticipant act(const ParticipantSnapshot& on) const {
    Descriptor process;
    return act_on_hung(segment, options, on, process);
  }
  bool lives() { return inspect(segment).participants.size() == 1 && reader.running(); }

  TestName name;
  Segment segment;
  const WatchdogOptions options = kill_after(20ms);
  Child reader{[this](Link& link) {
    Reader own{Segment::open(name), {.name = "reader"}};
    link.say(1);
    link.hear();
    while (own.wait_for(0ms)) {
      for ([[maybe_unused]] const Frame& frame : own.pin()) {
      }
    }
    link.say(2);
    link.hear();
  }};
};

BOOST_AUTO_TEST_SUITE(on_hung_kill)

BOOST_AUTO_TEST_CASE(one_that_hangs_is_killed) {
  Scene scene;
  BOOST_TEST(scene.act(scene.hung()).killed);
  BOOST_TEST(scene.reader.wait() == -SIGKILL);
  BOOST_TEST(recover(scene.segment).dead.size() == 1U);
}

BOOST_AUTO_TEST_CASE(one_that_goes_on_between_the_look_and_the_kill_is_left_alone) {
  Scene scene;
  const ParticipantSnapshot seen = scene.hung();
  scene.reader.say(1);
  BOOST_TEST(scene.reader.hear() == 2U);
  const HungParticipant result = scene.act(seen);
  BOOST_TEST(!result.killed);
  BOOST_TEST(result.action == "not killed: it goes on again");
  BOOST_TEST(scene.lives());
}

BOOST_AUTO_TEST_CASE(one_whose_pid_means_somebody_else_by_now_is_left_alone) {
  Scene scene;
  ParticipantSnapshot seen = scene.hung();
  ++seen.start_time;
  BOOST_TEST(scene.act(seen).action == "not killed: its process cannot be identified");
  BOOST_TEST(scene.lives());
}

BOOST_AUTO_TEST_CASE(one_in_another_pid_namespace_is_left_alone) {
  Scene scene;
  ParticipantSnapshot seen = scene.hung();
  ++seen.pid_namespace;
  BOOST_TEST(scene.act(seen).action.find("another pid namespace") != std::string::npos);
  BOOST_TEST(scene.lives());
}

// Its slot belongs to somebody else by then, who also hangs, and in the same process.
BOOST_AUTO_TEST_CASE(one_that_has_left_is_not_mistaken_for_the_next_one_in_its_slot) {
  Scene scene;
  ParticipantSnapshot seen = scene.hung();
  ++seen.incarnation;
  BOOST_TEST(scene.act(seen).action == "not killed: it goes on again");
  BOOST_TEST(scene.lives());
}

BOOST_AUTO_TEST_CASE(a_watchdog_without_the_right_to_kill_says_so) {
  if (::getuid() != 0) {
    skip("only root can become another user");
    return;
  }
  Scene scene{0666};
  const ParticipantSnapshot seen = scene.hung();
  Child unprivileged{[&](Link&) {
    require(::setgid(kNobody) == 0 && ::setuid(kNobody) == 0, "cannot become another user");
    const Segment own = Segment::open(scene.name);
    Descriptor process;
    const HungParticipant result = act_on_hung(own, scene.options, seen, process);
    require(!result.killed && result.action.find("not permitted") != std::string::npos, result.action);
  }};
  BOOST_TEST(unprivileged.wait() == 0);
  BOOST_TEST(scene.lives());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
