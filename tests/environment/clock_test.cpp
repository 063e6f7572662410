// The wall clock may be set at any time, by any amount: nothing is decided by it.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>

#include "environment/surroundings.hpp"
#include "support/stream.hpp"

namespace {

// What the wall clock of this process is wrong by.
std::atomic<long> wall_clock_shift{0};

}  // namespace

// Stands in for the C library's: the machine's clock belongs to others, too.
extern "C" int clock_gettime(clockid_t clock, timespec* now) {
  const long result = ::syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += wall_clock_shift.load();
  return static_cast<int>(result);
}

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

constexpr long kYears = 365L * 86400 * 20;

// Sets the clock back and forth by years, all the time.
class RestlessClock {
 public:
  ~RestlessClock() {
    stop_.store(true);
    thread_.join();
    wall_clock_shift.store(0);
  }

 private:
  void run() {
    for (long turn = 1; !stop_.load(); ++turn) {
      wall_clock_shift.store(turn % 2 == 0 ? kYears : -kYears);
      std::this_thread::yield();
    }
  }

  std::atomic<bool> stop_{false};
  std::thread thread_{[this] { run(); }};
};

BOOST_AUTO_TEST_SUITE(clocks)

BOOST_AUTO_TEST_CASE(the_wall_clock_can_be_shifted_here) {
  const auto before = std::chrono::system_clock::now();
  wall_clock_shift.store(kYears);
  BOOST_TEST((std::chrono::system_clock::now() - before > std::chrono::seconds{kYears - 1000}));
  wall_clock_shift.store(0);
}

BOOST_DATA_TEST_CASE(waits_timeouts_and_recovery_do_not_look_at_the_wall_clock, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192, .order = order, .participants = 8});
  Child child{[&](Link& link) {
    const RestlessClock clock;
    const Segment own = Segment::open(name);
    Reader reader{own};
    const auto begun = std::chrono::steady_clock::now();
    require(!reader.wait_for(20ms), "something came");
    Writer writer{own, {.timeout = 20ms}};
    fill_up(writer);
    require(writer.write(kLine) == Status::timeout, "another status");
    require(std::chrono::steady_clock::now() - begun >= 40ms, "a wait was too short");
    for (const ParticipantSnapshot& it : inspect(own, {.hung_after = 1h}).participants) {
      require(it.state == Liveness::alive, it.name + " is called hung");
    }
    link.say(1);
    link.hear();
    require(recover(own).dead.size() == 1, "the dead one was not recovered");
    require(recover(own).dead.empty(), "the living were recovered");
    const JournalRecord record = inspect(own).journal.back();
    require(record.finished_ns != 0, "the repair is not finished");
    require(record.heartbeat_age_ms < 3'600'000, "a heartbeat was measured with the wall clock");
  }};
  child.hear();
  Child holder = holder_of(name, "holder");
  holder.hear();
  holder.kill();
  child.say(1);
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
