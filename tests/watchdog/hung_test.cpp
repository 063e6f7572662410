// --on-hung kill: nobody is killed who is not the one that hung, or does not hang any more.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <fstream>

#include <sapbuf/layout/header.hpp>

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
    tools::KilledProcesses killed;
    Descriptor process;
    return act_on_hung(segment, options, on, killed, process);
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
  BOOST_TEST(::chmod(("/dev/shm/sapbuf." + scene.name.str()).c_str(), 0666) == 0);  // whatever the umask
  const ParticipantSnapshot seen = scene.hung();
  Child unprivileged{[&](Link&) {
    require(::setgid(kNobody) == 0 && ::setuid(kNobody) == 0, "cannot become another user");
    const Segment own = Segment::open(scene.name);
    tools::KilledProcesses killed;
    Descriptor process;
    const HungParticipant result = act_on_hung(own, scene.options, seen, killed, process);
    require(!result.killed && result.action.find("Permission denied") != std::string::npos, result.action);
  }};
  BOOST_TEST(unprivileged.wait() == 0);
  BOOST_TEST(scene.lives());
}

// --- Claims that are not true ----------------------------------------------------------------------------------------

std::string path_of(const std::string& name) { return "/dev/shm/sapbuf." + name; }

// What whoever may write to a segment can do to a slot of it.
class Forger {
 public:
  explicit Forger(const std::string& name) {
    const int file = ::open(path_of(name).c_str(), O_RDWR | O_CLOEXEC);
    struct stat information {};
    require(file >= 0 && ::fstat(file, &information) == 0, "cannot open the segment");
    bytes_ = static_cast<std::size_t>(information.st_size);
    base_ = static_cast<std::byte*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    ::close(file);
    require(base_ != MAP_FAILED, "cannot map the segment");
    ::madvise(base_, bytes_, MADV_DONTFORK);  // a child would have the segment mapped, too
  }
  Forger(const Forger&) = delete;
  Forger& operator=(const Forger&) = delete;
  ~Forger() { ::munmap(base_, bytes_); }

  void claim_to_be(pid_t pid) const {
    slot().pid.store(static_cast<std::uint64_t>(pid));
    slot().start_time.store(tools::process_start_time(pid).value());
  }
  void claim_to_be_the_next_one() const {
    const layout::SlotRegistration now{slot().registration.load()};
    slot().registration.store(layout::SlotRegistration::make(now.incarnation() + 1, now.role(), now.state()).word);
  }

 private:
  layout::ParticipantSlot& slot() const {
    const auto& header = *reinterpret_cast<const layout::SegmentHeader*>(base_);
    return *reinterpret_cast<layout::ParticipantSlot*>(base_ + header.geometry.slots_at);
  }

  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

// Somebody who has nothing to do with the stream, or only what `prepare` does.
Child bystander(const std::function<void()>& prepare = {}) {
  return Child{[=](Link& link) {
    if (prepare) prepare();
    link.say(1);
    link.hear();
  }};
}

void map(const std::string& path, int flags, int rights = PROT_READ | PROT_WRITE) {
  const int file = ::open(path.c_str(), (rights & PROT_WRITE) != 0 ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
  require(file >= 0, "cannot open it");
  require(::mmap(nullptr, 4096, rights, flags, file, 0) != MAP_FAILED, "cannot map it");
}

BOOST_AUTO_TEST_CASE(a_process_that_does_not_have_the_segment_mapped_is_left_alone) {
  Scene scene;
  const TestName other;
  const Segment another = Segment::create(other, {.slab_bytes = 4096});
  const std::function<void()> lives[] = {
      [] {},
      [&] { map(path_of(other), MAP_SHARED); },
      [&] { map(path_of(scene.name), MAP_PRIVATE); },
      [&] { map(path_of(scene.name), MAP_SHARED, PROT_READ); },  // as those do who only look
      [&] { static_cast<void>(::open(path_of(scene.name).c_str(), O_RDWR)); },
  };
  const Forger forger{scene.name};
  for (const auto& life : lives) {
    Child innocent = bystander(life);
    innocent.hear();
    forger.claim_to_be(innocent.pid());
    const HungParticipant result = scene.act(scene.hung());
    BOOST_TEST(!result.killed);
    BOOST_TEST(result.action.find("does not have this segment mapped") != std::string::npos, result.action);
    BOOST_TEST(innocent.running());
  }
}

BOOST_AUTO_TEST_CASE(the_watchdog_does_not_kill_itself) {
  Scene scene;
  Child watching{[&](Link&) {
    const Segment own = Segment::open(scene.name);
    const Forger forger{scene.name};
    forger.claim_to_be(::getpid());
    tools::KilledProcesses killed;
    Descriptor process;
    const ParticipantSnapshot claims = inspect(own, {.hung_after = scene.options.hung_after}).participants.at(0);
    const HungParticipant result = act_on_hung(own, scene.options, claims, killed, process);
    require(!result.killed && result.action == "not killed: the slot claims to be this watchdog", result.action);
  }};
  BOOST_TEST(watching.wait() == 0);
}

// Both takes capabilities, of which a container may lack the second one.
bool may_see_all_processes() {
  Child another = bystander([] {
    require(::getuid() != kNobody && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0, "cannot become another user");
  });
  try {
    another.hear();
  } catch (const std::exception&) {
    return false;
  }
  std::ifstream maps{"/proc/" + std::to_string(another.pid()) + "/maps"};
  return maps.peek() != std::ifstream::traits_type::eof();
}

BOOST_AUTO_TEST_CASE(a_looker_who_may_not_write_is_left_alone_and_one_who_may_is_not) {
  if (!may_see_all_processes()) {
    skip("this process may not become another user, or not see what that one has mapped");
    return;
  }
  const struct {
    mode_t mode;
    bool member;  // of the file's group
    bool killed;
  } cases[] = {{0644, true, false}, {0664, false, false}, {0664, true, true}, {0646, false, true}, {0646, true, false}};
  for (const auto& it : cases) {
    Scene scene;
    BOOST_TEST(::chown(path_of(scene.name).c_str(), 0, kNobody) == 0);
    BOOST_TEST(::chmod(path_of(scene.name).c_str(), it.mode) == 0);
    Child looker = bystander([&] {
      map(path_of(scene.name), MAP_SHARED);
      const gid_t group = kNobody;
      require(::setgroups(it.member ? 1 : 0, &group) == 0 && ::setgid(kNobody - 1) == 0 && ::setuid(kNobody) == 0,
              "cannot become another user");
    });
    looker.hear();
    const Forger forger{scene.name};
    forger.claim_to_be(looker.pid());
    BOOST_TEST_CONTEXT("mode " << it.mode << ", member " << it.member) {
      const HungParticipant result = scene.act(scene.hung());
      BOOST_TEST(result.killed == it.killed, result.action);
      if (!it.killed) {
        BOOST_TEST(result.action.find("may not write to this segment") != std::string::npos, result.action);
        BOOST_TEST(looker.running());
      }
    }
  }
}

// The daemon says so once for each slot, whatever is made up next, and goes on to kill who really hangs.
BOOST_AUTO_TEST_CASE(the_daemon_spares_the_innocent_and_says_so_once) {
  Scene scene;
  Child innocent = bystander();
  innocent.hear();
  const pid_t reader = inspect(scene.segment).participants.at(0).pid;
  const Forger forger{scene.name};
  forger.claim_to_be(innocent.pid());
  Daemon daemon{{scene.name, "--interval", "1", "--hung-after", "20", "--on-hung", "kill"}};
  const auto times_told = [&] {
    std::size_t times = 0;
    const std::string text = daemon.messages();
    for (std::size_t at = 0; (at = text.find("not killed", at)) != std::string::npos; ++at) ++times;
    return times;
  };
  BOOST_TEST(eventually([&] { return times_told() == 1; }));
  for (int i = 0; i < 20; ++i) {  // most of which a look falls between
    forger.claim_to_be_the_next_one();
    ::usleep(2000);
  }
  BOOST_TEST(times_told() == 1U);
  BOOST_TEST(innocent.running());
  forger.claim_to_be(reader);
  forger.claim_to_be_the_next_one();
  BOOST_TEST(scene.reader.wait() == -SIGKILL);
  BOOST_TEST(innocent.running());
  BOOST_TEST(daemon.end() == 0);
}

// --- Those who make progress -------------------------------------------------------------------------------------------

// Its heartbeat is old, as it beats once for many messages, and it is nearly always in the middle of one.
BOOST_AUTO_TEST_CASE(a_slow_writer_that_makes_progress_is_left_alone) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 1 << 20, .order = Order::total});
  Child slow{[&](Link& link) {
    Writer writer{Segment::open(name)};
    for (;;) {
      Reservation open = writer.reserve(8);
      link.say(1);
      ::usleep(95'000);
      open.commit();
      ::usleep(5'000);
    }
  }};
  slow.hear();
  Daemon daemon{{name, "--interval", "1", "--hung-after", "1500", "--on-hung", "kill"}};
  BOOST_TEST(
      eventually([&] { return inspect(segment, {.hung_after = 1500ms}).participants.at(0).state == Liveness::hung; }));
  for (int i = 0; i < 40; ++i) slow.hear();
  BOOST_TEST(slow.running());
  BOOST_TEST(!daemon.says("hangs"), daemon.messages());
  Daemon once{{name, "--once", "--hung-after", "1500", "--on-hung", "kill"}};
  BOOST_TEST(once.process().wait() == 0, once.messages());
  BOOST_TEST(slow.running());
}

// A container that is paused, or a machine.
BOOST_AUTO_TEST_CASE(those_who_were_frozen_with_the_watchdog_are_left_alone) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child writer{[&](Link& link) {
    Writer own{Segment::open(name)};
    link.hear();
    Reservation open = own.reserve(8);
    link.say(1);
    ::usleep(100'000);
    open.commit();
    link.say(2);
    link.hear();
  }};
  Daemon daemon{{name, "--interval", "10", "--hung-after", "1000", "--on-hung", "kill"}};
  BOOST_TEST(eventually([&] { return daemon.says("watching"); }));
  writer.say(1);
  writer.hear();
  writer.stop();
  daemon.process().stop();
  ::usleep(1'500'000);
  daemon.process().resume();
  ::usleep(100'000);
  BOOST_TEST(!daemon.says("hangs"), daemon.messages());
  writer.resume();
  BOOST_TEST(writer.hear() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
