// What one stream keeps a worker waiting for delays no other.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>

#include "sapbuf_watchdog/workers.hpp"
#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using tools::Workers;

BOOST_AUTO_TEST_SUITE(delay)

BOOST_AUTO_TEST_CASE(a_job_does_not_wait_for_another_one) {
  Workers workers;
  std::promise<void> may_end;
  const std::shared_future<void> end = may_end.get_future().share();
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  for (int i = 0; i < 10; ++i) {
    BOOST_TEST(workers.start([&] {
      ++begun;
      end.wait();
      ++ended;
    }));
  }
  BOOST_TEST(eventually([&] { return begun == 10; }));
  BOOST_TEST(!workers.end(1ms));
  may_end.set_value();
  BOOST_TEST(workers.end(kPatience));
  BOOST_TEST(ended == 10);
}

BOOST_AUTO_TEST_CASE(threads_are_used_again) {
  Workers workers;
  std::atomic<int> done{0};
  for (int i = 1; i <= 1000; ++i) {
    BOOST_TEST(workers.start([&] { ++done; }));
    BOOST_TEST_REQUIRE(eventually([&] { return done == i; }));
  }
  const auto threads = [] {
    struct stat tasks {};
    return ::stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink - 2 : 0;
  };
  BOOST_TEST(threads() < 50U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
