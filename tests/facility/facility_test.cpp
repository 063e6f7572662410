// The floor under facilities, with one that is no stream: attaching, deaths, recovery that is killed itself, looking on,
// and removal, beside a stream in the same segment.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "facility/counter.hpp"
#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

const SegmentOptions kSmall{.slab_bytes = 16384, .participants = 8};

// Counts to seven, and is killed with an eighth begun.
class CountingVictim {
 public:
  explicit CountingVictim(const TestName& name)
      : child_{[&name](Link& link) {
          CounterUser user{Segment::open(name), "clicks", "victim"};
          for (int i = 0; i < 7; ++i) {
            user.begin();
            user.count();
            user.end();
          }
          user.begin();
          link.say(1);
          link.hear();
        }} {
    child_.hear();
  }
  void kill() { child_.kill(); }

 private:
  Child child_;
};

// Writes seven messages, and is killed with an eighth begun.
class WritingVictim {
 public:
  explicit WritingVictim(const TestName& name)
      : child_{[&name](Link& link) {
          const Segment own = Segment::open(name);
          Writer writer{own, {.name = "victim"}};
          for (std::uint32_t i = 0; i < 7; ++i) {
            if (put(writer, {0, i}, 50) != Status::ok) throw std::runtime_error("not accepted");
          }
          const Reservation open = writer.reserve(50);
          link.say(1);
          link.hear();
        }} {
    child_.hear();
  }
  void kill() { child_.kill(); }

 private:
  Child child_;
};

const FacilitySnapshot& counter_in(const Snapshot& snapshot) {
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    if (facility.info.kind == "counter") return facility;
  }
  throw std::runtime_error("there is no counter");
}

BOOST_AUTO_TEST_SUITE(facility)

BOOST_AUTO_TEST_CASE(its_participants_are_in_the_segments_registry) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  {
    CounterUser user{segment, "clicks", "user"};
    const Writer writer{segment, {.name = "writer"}};
    BOOST_TEST(user.slot() != writer.slot());
    user.begin();
    const Snapshot now = inspect(segment);
    BOOST_TEST_REQUIRE(now.participants.size() == 2U);
    BOOST_TEST(now.participants[0].facility == "clicks");
    BOOST_TEST(now.participants[0].name == "user");
    BOOST_TEST(now.participants[0].state == Liveness::alive);
    BOOST_TEST(now.participants[0].held_generations == std::vector<std::uint64_t>{1}, boost::test_tools::per_element());
    BOOST_TEST(now.participants[1].facility == "main");
    BOOST_TEST(!counter_in(now).stream);
    user.end();
  }
  BOOST_TEST(inspect(segment).participants.empty());
}

BOOST_AUTO_TEST_CASE(the_dead_of_each_are_settled_by_it) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  CountingVictim counting{name};
  WritingVictim writing{name};
  counting.kill();
  writing.kill();
  const RecoveryReport found = find_dead(segment);
  BOOST_TEST(found.dead.size() == 2U);
  BOOST_TEST(found.released == 1U);
  const RecoveryReport report = recover(segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 2U);
  for (const DeadParticipant& dead : report.dead) {
    BOOST_TEST(dead.repairs == 1U);
    BOOST_TEST((dead.facility == "clicks" || dead.facility == "main"));
  }
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.participants.empty());
  BOOST_TEST(counter_in(now).recoveries == 1U);
  BOOST_TEST(counter_in(now).released == 1U);
  BOOST_TEST_REQUIRE(counter_in(now).journal.size() == 1U);
  BOOST_TEST(counter_in(now).journal[0].repairs == 1U);
  BOOST_TEST(counter_in(now).journal[0].repaired_bytes == 8U);
  BOOST_TEST_REQUIRE(now.journal.size() == 1U);
  BOOST_TEST(now.journal[0].repairs == 1U);
  BOOST_TEST(now.departed.committed == 7U);
  BOOST_TEST(Counter::find(segment, "clicks")->total() == 7U);
}

// Killed at each step of either's settling: the next one goes on, and nothing is counted twice.
BOOST_DATA_TEST_CASE(a_recoverer_may_die_at_any_step,
                     data::make({KillPoint::recover_locked, KillPoint::recover_noted, KillPoint::journal_filled,
                                 KillPoint::counter_repaired, KillPoint::recover_repaired, KillPoint::counter_released,
                                 KillPoint::recover_departed, KillPoint::recover_finished}),
                     point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const bool once = to_string(point).starts_with("counter") || point == KillPoint::recover_departed;
  unsigned rounds = 0;
  for (const unsigned nth : {1u, 2u}) {
    if (once && nth == 2) continue;
    ++rounds;
    CountingVictim counting{name};
    WritingVictim writing{name};
    counting.kill();
    writing.kill();
    Child recoverer{[&](Link&) {
      const Segment own = Segment::open(name);
      kill_point::arm(point, kill_self, nth);
      recover(own);
    }};
    BOOST_TEST(recoverer.wait() == -SIGKILL);
    recover(segment);
    const Snapshot now = inspect(segment);
    BOOST_TEST(now.participants.empty());
    BOOST_TEST(counter_in(now).recoveries == rounds);
    BOOST_TEST(counter_in(now).journal.size() == rounds);
    BOOST_TEST(now.journal.size() == rounds);
    BOOST_TEST(now.departed_participants == rounds);
    BOOST_TEST(now.departed.committed == 7 * rounds);
    BOOST_TEST(Counter::find(segment, "clicks")->total() == 7 * rounds);
  }
}

BOOST_AUTO_TEST_CASE(it_is_removed_when_nobody_uses_it_and_its_place_is_anothers) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  {
    CounterUser user{segment, "clicks", "user"};
    BOOST_TEST(error_of([&] { detail::directory::remove(*segment.core(), "clicks"); }) == Errc::busy);
    CountingVictim victim{name};
    victim.kill();
  }
  const layout::FacilityId removed = Counter::find(segment, "clicks")->id();
  BOOST_TEST(detail::directory::remove(*segment.core(), "clicks"));
  BOOST_TEST((detail::find_facility(*segment.core(), removed) == nullptr));
  BOOST_TEST(error_of([&] { CounterUser(segment, "clicks", "late"); }) == Errc::not_found);
  detail::directory::make(*segment.core(), Counter::plan("more", kSmall.participants));
  BOOST_TEST(Counter::find(segment, "more")->total() == 0U);
  CounterUser user{segment, "more", "user"};
  user.count();
  BOOST_TEST(Counter::find(segment, "more")->total() == 1U);
}

// What another one keeps its values in, say.
BOOST_AUTO_TEST_CASE(what_another_one_needs_is_removed_behind_that) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  detail::SegmentCore& core = *segment.core();
  detail::FacilityPlan plan = Counter::plan("upper", kSmall.participants);
  plan.needs = Counter::find(segment, "clicks")->id();
  detail::directory::make(core, plan);
  BOOST_TEST(error_of([&] { detail::directory::remove(core, "clicks"); }) == Errc::busy);
  CounterUser{segment, "clicks", "user"}.count();  // it is as it was
  BOOST_TEST(detail::directory::remove(core, "upper"));
  BOOST_TEST(detail::directory::remove(core, "clicks"));
  BOOST_TEST(error_of([&] { detail::directory::make(core, plan); }) == Errc::not_found);
}

// A newer version's: this one leaves it alone, says so, and looks after what it knows.
BOOST_AUTO_TEST_CASE(the_dead_of_an_unknown_kind_are_left_alone) {
  const TestName name;
  {
    const Segment segment = Segment::create(name, kSmall);
    CountingVictim counting{name};
    WritingVictim writing{name};
    const int file = ::open(("/dev/shm/sapbuf." + name.str()).c_str(), O_RDWR | O_CLOEXEC);
    const std::uint64_t kind = 999;
    const auto entry = static_cast<off_t>(segment.core()->geometry().directory_at + sizeof(layout::DirectoryEntry));
    BOOST_TEST(::pwrite(file, &kind, sizeof kind, entry + off_t{offsetof(layout::DirectoryEntry, kind)}) == 8);
    ::close(file);
    counting.kill();
    writing.kill();
  }
  const Segment segment = Segment::open(name);
  const RecoveryReport report = recover(segment);
  BOOST_TEST(report.dead.size() == 1U);
  BOOST_TEST(report.left_alone == 1U);
  const std::vector<FacilityInfo> all = segment.facilities();
  BOOST_TEST_REQUIRE(all.size() == 2U);
  BOOST_TEST(all[1].kind == "unknown");
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.facilities.size() == 2U);
  BOOST_TEST_REQUIRE(now.participants.size() == 1U);
  BOOST_TEST(now.participants[0].facility == "clicks");
  BOOST_TEST((now.participants[0].state == Liveness::dead));
  BOOST_TEST(error_of([&] { detail::directory::remove(*segment.core(), "clicks"); }) == Errc::incompatible);
  const Writer writer{segment};
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
