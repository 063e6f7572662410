// No stream delays another one, and none delays the daemon.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>

#include <sapbuf/layout/header.hpp>

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

// An object that its creator does not finish: whoever opens it waits for that.
class Unfinished {
 public:
  Unfinished() : file_(::open(path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = static_cast<off_t>(layout::kCreationLock);
    lock.l_len = 1;
    require(file_ >= 0 && ::fcntl(file_, F_OFD_SETLK, &lock) == 0, "cannot lock it");
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() { ::close(file_); }
  const std::string& name() const noexcept { return name_; }

 private:
  std::string path() const { return "/dev/shm/sapbuf." + name_.str(); }

  TestName name_;
  int file_;
};

BOOST_AUTO_TEST_CASE(deaths_are_noticed_while_another_stream_takes_its_time) {
  const Unfinished locked;
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Daemon daemon{{locked.name(), name, "--interval", "1"}};
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t deaths = 1; deaths <= 3; ++deaths) {
    die_writing(name, "victim", 1);
    BOOST_TEST(eventually([&] { return inspect(segment).journal.size() == deaths; }));
  }
  // The first look at the locked one takes five seconds.
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 4s));
  BOOST_TEST(daemon.end() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
