// What one stream keeps a worker waiting for delays no other.
#include <fcntl.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>

#include "sapbuf_watchdog/workers.hpp"
#include "support/skip.hpp"
#include "watchdog/daemon.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using tools::Workers;

// Whoever opens this stream's file waits in the kernel, which asks here for permission, until it is lifted.
class Barrier {
 public:
  explicit Barrier(const std::string& name) : questions_{::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_CLOEXEC)} {
    const std::string path = "/dev/shm/sapbuf." + name;
    if (::fanotify_mark(questions_, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path.c_str()) != 0) lift();
  }
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier() { lift(); }

  bool stands() const { return questions_ >= 0; }
  bool somebody_waits() const {
    pollfd question{questions_, POLLIN, 0};
    return ::poll(&question, 1, 0) == 1;
  }
  void lift() {
    if (questions_ >= 0) ::close(questions_);
    questions_ = -1;
  }

 private:
  int questions_;
};

BOOST_AUTO_TEST_SUITE(delay)

// Of the same owner, too.
BOOST_AUTO_TEST_CASE(a_look_that_takes_long_delays_no_other_stream) {
  const TestName slow;
  const TestName quick;
  static_cast<void>(Segment::create(slow, {.slab_bytes = 4096}));
  static_cast<void>(Segment::create(quick, {.slab_bytes = 4096}));
  Barrier barrier{slow};
  if (!barrier.stands()) {
    skip("keeping others waiting who open a file takes CAP_SYS_ADMIN");
    return;
  }
  Daemon daemon{{"--all", "--dry-run", "--interval", "10"}};
  BOOST_TEST(eventually([&] { return barrier.somebody_waits(); }));
  BOOST_TEST(eventually([&] { return daemon.says(quick.str() + ": watching"); }));
  Child reader = holder_of(quick, "reader");
  reader.hear();
  reader.kill();
  BOOST_TEST(eventually([&] { return daemon.says(quick.str() + ": reader reader (pid "); }));
  BOOST_TEST(eventually([&] { return daemon.says(slow.str() + ": this look takes long"); }));
  BOOST_TEST(!daemon.says(slow.str() + ": watching"));
  barrier.lift();
  BOOST_TEST(eventually([&] { return daemon.says(slow.str() + ": watching"); }));
  BOOST_TEST(eventually([&] { return daemon.says(slow.str() + ": that look has ended"); }));
  BOOST_TEST(daemon.end() == 0);
}

BOOST_AUTO_TEST_CASE(nor_does_one_of_a_single_round) {
  const TestName slow;
  const TestName quick;
  static_cast<void>(Segment::create(slow, {.slab_bytes = 4096}));
  static_cast<void>(Segment::create(quick, {.slab_bytes = 4096}));
  Child reader = holder_of(quick, "reader");
  reader.hear();
  reader.kill();
  Barrier barrier{slow};
  if (!barrier.stands()) {
    skip("keeping others waiting who open a file takes CAP_SYS_ADMIN");
    return;
  }
  Daemon watchdog{{"--once", slow, quick}};
  BOOST_TEST(eventually([&] { return watchdog.says(quick.str() + ": reader reader (pid "); }));
  BOOST_TEST(eventually([&] { return barrier.somebody_waits(); }));
  barrier.lift();
  BOOST_TEST(watchdog.process().wait() == 0);
}

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
