// Whether a process has ended: told by its threads, before the kernel is done with its memory.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <thread>

#include "platform/process_end.hpp"
#include "support/child.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using platform::has_ended;
using platform::ProcessIdentity;

// A process that says who it is, does something, and stays.
struct Subject : Child {
  explicit Subject(const std::function<void(Link&)>& code)
      : Child{[&](Link& link) {
          const ProcessIdentity self = platform::this_process();
          link.say(self.start_time);
          code(link);
          for (;;) ::pause();
        }},
        identity{platform::this_process()} {
    identity.pid = pid();
    identity.start_time = hear();
  }
  ProcessIdentity identity;
};

void do_nothing(Link&) {}

BOOST_AUTO_TEST_SUITE(process_end)

BOOST_AUTO_TEST_CASE(a_live_process_has_not_ended_whatever_state_it_is_in) {
  Subject subject{do_nothing};
  BOOST_TEST(!has_ended(subject.identity));
  subject.stop();
  BOOST_TEST(!has_ended(subject.identity));
  subject.resume();
  BOOST_TEST(!has_ended(subject.identity));
  BOOST_TEST(!has_ended(platform::this_process()));
}

BOOST_AUTO_TEST_CASE(a_process_that_nobody_has_reaped_yet_has_ended) {
  Subject subject{do_nothing};
  ::kill(subject.pid(), SIGKILL);
  BOOST_TEST(eventually([&] { return has_ended(subject.identity); }));
  BOOST_TEST(::kill(subject.pid(), 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_process_that_is_gone_has_ended) {
  Subject subject{do_nothing};
  subject.kill();
  BOOST_TEST(has_ended(subject.identity));
}

BOOST_AUTO_TEST_CASE(a_process_whose_pid_another_one_has_has_ended) {
  Subject subject{do_nothing};
  --subject.identity.start_time;
  BOOST_TEST(has_ended(subject.identity));
}

BOOST_AUTO_TEST_CASE(of_processes_elsewhere_nothing_is_said) {
  Subject subject{do_nothing};
  subject.kill();
  for (std::uint64_t ProcessIdentity::*where :
       {&ProcessIdentity::boot_id, &ProcessIdentity::pid_namespace, &ProcessIdentity::time_namespace}) {
    for (const std::uint64_t value : {std::uint64_t{0}, subject.identity.*where + 1}) {
      ProcessIdentity elsewhere = subject.identity;
      elsewhere.*where = value;
      BOOST_TEST(!has_ended(elsewhere));
    }
  }
  for (const std::int32_t pid : {0, -1}) {
    ProcessIdentity nobody = subject.identity;
    nobody.pid = pid;
    BOOST_TEST(!has_ended(nobody));
  }
}

BOOST_AUTO_TEST_CASE(a_process_lives_on_in_any_of_its_threads) {
  Subject subject{[](Link& link) {
    std::thread{[link] {
      link.say(1);
      link.hear();
      ::syscall(SYS_exit_group, 0);
    }}.detach();
    ::syscall(SYS_exit, 0);  // of the first thread alone: a zombie with live threads
  }};
  subject.hear();
  for (int i = 0; i < 200; ++i) BOOST_TEST_REQUIRE(!has_ended(subject.identity));
  subject.say(1);
  BOOST_TEST(eventually([&] { return has_ended(subject.identity); }));
}

// Each thread makes its successor and ends: a list of them is never the whole of them.
BOOST_AUTO_TEST_CASE(a_process_lives_on_however_fast_its_threads_come_and_go) {
  Subject subject{[](Link& link) {
    static std::function<void()> go_on = [] { std::thread{[] { go_on(); }}.detach(); };
    for (int i = 0; i < 4; ++i) std::thread{go_on}.detach();
    link.say(1);
    ::syscall(SYS_exit, 0);
  }};
  subject.hear();
  const auto until = std::chrono::steady_clock::now() + 500ms;
  int asked = 0;
  for (; std::chrono::steady_clock::now() < until; ++asked) BOOST_TEST_REQUIRE(!has_ended(subject.identity));
  BOOST_TEST_MESSAGE("asked " << asked << " times");
  ::kill(subject.pid(), SIGKILL);
  BOOST_TEST(eventually([&] { return has_ended(subject.identity); }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
