// Whoever keeps everybody from the maintenance lock is named.
#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <string>

#include <boost/test/unit_test.hpp>

#include "map/map_core.hpp"
#include "platform/lock_holders.hpp"
#include "pool/pool_core.hpp"
#include "segment/maintenance_lock.hpp"
#include "support/child.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

// Has the lock of the stream `main`, until it is spoken to or killed.
Child holder_of_lock(const TestName& name) {
  return Child{[&name](Link& link) {
    const Segment own = Segment::open(name);
    const detail::MaintenanceLock lock{main_stream(own)};
    link.say(lock ? 1 : 0);
    link.hear();
  }};
}

BOOST_AUTO_TEST_SUITE(lock_holders)

BOOST_AUTO_TEST_CASE(nobody_holds_it_for_long) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  for (const Milliseconds patience : {Milliseconds{0ms}, Milliseconds{std::chrono::hours::max()}}) {
    BOOST_TEST(!find_lock_holders(segment, patience));
  }
  const detail::MaintenanceLock free_again{main_stream(segment)};
  BOOST_TEST(bool{free_again});
}

BOOST_AUTO_TEST_CASE(a_participant_that_is_stopped_with_it_is_named) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child holder = holder_of_lock(name);
  BOOST_TEST(holder.hear() == 1U);
  holder.stop();
  const auto holders = find_lock_holders(segment, 10ms);
  BOOST_TEST_REQUIRE(holders.has_value());
  BOOST_TEST_REQUIRE(holders->size() == 1U);
  BOOST_TEST(holders->front().pid == holder.pid());
  BOOST_TEST(!holders->front().for_reading);
  BOOST_TEST(holders->front().facility == "main");
  holder.kill();
  BOOST_TEST(!find_lock_holders(segment, 10ms));
}

// Not what it only shares a segment with.
BOOST_AUTO_TEST_CASE(whose_locks_are_held_is_told_of_each_facility) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 64});
  Map::create(segment, "config", {.keys = 4, .value_bytes = 64});
  Child holder{[&](Link& link) {
    const Segment own = Segment::open(name);
    const detail::MaintenanceLock pools{*Pool::open(own, "frames").core()};
    const detail::MaintenanceLock maps{*Map::open(own, "config").core()};
    link.say(pools && maps ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(holder.hear() == 1U);
  const auto holders = find_lock_holders(segment, 10ms);
  BOOST_TEST_REQUIRE(holders.has_value());
  std::set<std::string> facilities;
  for (const LockHolder& one : *holders) facilities.insert(one.facility);
  BOOST_TEST(facilities == (std::set<std::string>{"config", "frames"}), boost::test_tools::per_element());
}

// As of another container's /dev/shm.
BOOST_AUTO_TEST_CASE(who_locks_a_file_of_the_same_number_elsewhere_is_not_named) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child holder = holder_of_lock(name);
  BOOST_TEST(holder.hear() == 1U);
  platform::FileIdentity file = main_stream(segment).segment().locks().file();
  const std::uint64_t offset = main_stream(segment).maintenance_lock();
  BOOST_TEST(platform::holders_of(file, offset).size() == 1U);
  ++file.device;
  BOOST_TEST(platform::holders_of(file, offset).empty());
}

BOOST_AUTO_TEST_CASE(a_stranger_who_may_only_read_is_named) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Child stranger{[&](Link& link) {
    const int file = ::open(("/dev/shm/sapbuf." + std::string{name}).c_str(), O_RDONLY | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_start = static_cast<off_t>(layout::kMaintenanceLocks);
    lock.l_len = 1;
    link.say(::fcntl(file, F_OFD_SETLK, &lock) == 0 ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(stranger.hear() == 1U);
  const auto holders = find_lock_holders(segment, 10ms);
  BOOST_TEST_REQUIRE(holders.has_value());
  BOOST_TEST(to_string(*holders) ==
             "pid " + std::to_string(stranger.pid()) + ", " + holders->front().program + ", a lock for reading");
  stranger.kill();
  BOOST_TEST(!find_lock_holders(segment, 10ms));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
