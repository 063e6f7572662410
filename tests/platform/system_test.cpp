// The thin layer over the system: sleeping on words, files that have their space, who a process is.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "platform/clock.hpp"
#include "platform/fence.hpp"
#include "platform/futex.hpp"
#include "platform/process_identity.hpp"
#include "platform/shared_file.hpp"
#include "support/child.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using platform::FileAccess;
using platform::SharedFile;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kFarAway = 600'000 * kMillisecond;

// The state letter in /proc/PID/stat: S while it sleeps.
char state_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto close = text.rfind(')');
  return close == std::string::npos || close + 2 >= text.size() ? '?' : text[close + 2];
}

BOOST_AUTO_TEST_SUITE(futex)

BOOST_AUTO_TEST_CASE(a_wait_ends_with_its_time_and_not_before) {
  const layout::HalfWord word{7};
  const std::uint64_t deadline = platform::monotonic_ns() + 30 * kMillisecond;
  // A signal may end a wait early: the caller looks for itself.
  while (platform::monotonic_ns() < deadline) platform::futex_wait(word, 7, deadline);
  BOOST_TEST(platform::monotonic_ns() >= deadline);
}

BOOST_AUTO_TEST_CASE(a_wait_sleeps_and_does_not_spin) {
  const layout::HalfWord word{7};
  const std::uint64_t deadline = platform::monotonic_ns() + 100 * kMillisecond;
  std::uint64_t rounds = 0;
  while (platform::monotonic_ns() < deadline) {
    platform::futex_wait(word, 7, deadline);
    ++rounds;
  }
  BOOST_TEST(rounds < 100U);
}

BOOST_AUTO_TEST_CASE(a_wait_for_another_value_ends_at_once) {
  const layout::HalfWord word{7};
  platform::futex_wait(word, 8, platform::monotonic_ns() + kFarAway);
  BOOST_TEST(word == 7U);
}

BOOST_AUTO_TEST_CASE(a_deadline_in_the_past_ends_at_once) {
  const layout::HalfWord word{7};
  platform::futex_wait(word, 7, 1);
  BOOST_TEST(word == 7U);
}

BOOST_AUTO_TEST_CASE(a_wake_reaches_sleepers_in_other_processes) {
  const SharedMemory memory{4096};
  auto& word = memory.as<layout::HalfWord>();
  const auto sleep = [&](Link& link) {
    link.say(1);
    while (word == 0) platform::futex_wait(word, 0, platform::monotonic_ns() + kFarAway);
  };
  Child first{sleep};
  Child second{sleep};
  for (Child* child : {&first, &second}) {
    child->hear();
    BOOST_TEST(eventually([&] { return state_of(child->pid()) == 'S'; }));
  }
  word = 1;
  platform::futex_wake_all(word);
  BOOST_TEST(first.wait() == 0);
  BOOST_TEST(second.wait() == 0);
}

// The other process maps the same memory elsewhere: the word is what counts, not its address.
BOOST_AUTO_TEST_CASE(a_wake_reaches_a_sleeper_at_another_address) {
  const SharedMemory memory{4096};
  auto& word = memory.as<layout::HalfWord>();
  Child sleeper{[&](Link& link) {
    const SharedMemory elsewhere{4096, ::dup(memory.descriptor())};
    auto& same = elsewhere.as<layout::HalfWord>();
    link.say(1);
    while (same == 0) platform::futex_wait(same, 0, platform::monotonic_ns() + kFarAway);
  }};
  sleeper.hear();
  BOOST_TEST(eventually([&] { return state_of(sleeper.pid()) == 'S'; }));
  word = 1;
  platform::futex_wake_all(word);
  BOOST_TEST(sleeper.wait() == 0);
}

// From here on futex_waitv(2) fails in this process, as behind a container's filter. False: the system admits no filter.
bool refuse_waits_for_several() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = std::size(program), .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

BOOST_DATA_TEST_CASE(a_change_of_either_word_ends_a_wait_for_two, boost::unit_test::data::make({false, true}),
                     filtered) {
  const SharedMemory memory{4096};
  auto* const words = &memory.as<layout::HalfWord>();
  for (const int which : {0, 1}) {
    words[0] = words[1] = 7;
    Child sleeper{[&](Link& link) {
      link.say(filtered && !refuse_waits_for_several() ? 0 : 1);
      while (words[0] == 7 && words[1] == 7) {
        platform::futex_wait_either(words[0], 7, words[1], 7, platform::monotonic_ns() + kFarAway);
      }
    }};
    if (sleeper.hear() == 0) return skip("the system admits no filter (seccomp)");
    BOOST_TEST(eventually([&] { return state_of(sleeper.pid()) == 'S'; }));
    words[which] = 8;
    platform::futex_wake_all(words[which]);
    BOOST_TEST(sleeper.wait() == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(process_identity)

BOOST_AUTO_TEST_CASE(a_process_knows_who_it_is) {
  const platform::ProcessIdentity me = platform::this_process();
  BOOST_TEST(me.pid == ::getpid());
  BOOST_TEST(me.start_time != 0U);
  BOOST_TEST(me.pid_namespace != 0U);
  BOOST_TEST(me.boot_id != 0U);
  BOOST_TEST(me.program != "");
  const platform::ProcessIdentity again = platform::this_process();
  BOOST_TEST(again.start_time == me.start_time);
  BOOST_TEST(again.boot_id == me.boot_id);
}

BOOST_AUTO_TEST_CASE(a_child_is_somebody_else_on_the_same_machine) {
  const platform::ProcessIdentity me = platform::this_process();
  Child child{[](Link& link) {
    const platform::ProcessIdentity it = platform::this_process();
    link.say(static_cast<std::uint64_t>(it.pid));
    link.say(it.start_time);
    link.say(it.boot_id);
    link.say(it.pid_namespace);
  }};
  BOOST_TEST(child.hear() == static_cast<std::uint64_t>(child.pid()));
  BOOST_TEST(child.hear() >= me.start_time);
  BOOST_TEST(child.hear() == me.boot_id);
  BOOST_TEST(child.hear() == me.pid_namespace);
}

// A program's name may hold what separates the fields of /proc/PID/stat.
BOOST_AUTO_TEST_CASE(an_odd_program_name_does_not_shift_the_start_time) {
  Child child{[](Link& link) {
    link.say(platform::this_process().start_time);
    std::ofstream{"/proc/self/comm"} << ") S 1 2 (x";
    const platform::ProcessIdentity it = platform::this_process();
    link.say(it.start_time);
    link.say(it.program == ") S 1 2 (x" ? 1 : 0);
  }};
  const std::uint64_t start_time = child.hear();
  BOOST_TEST(child.hear() == start_time);
  BOOST_TEST(child.hear() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fence)

BOOST_AUTO_TEST_CASE(registration_for_heavy_fences_may_be_repeated) {
  const bool possible = platform::register_for_heavy_fences();
  BOOST_TEST(platform::register_for_heavy_fences() == possible);
  BOOST_TEST_MESSAGE((possible ? "membarrier is available" : "no membarrier here"));
  BOOST_TEST(platform::heavy_fence(false) == possible);
  BOOST_TEST(platform::heavy_fence(true));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(shared_file)

struct stat status_of(const SharedFile& file) {
  struct stat information {};
  ::fstat(file.descriptor(), &information);
  return information;
}

// What growth rests on: a mapping that reaches over the end of the file is good for what is there later.
BOOST_AUTO_TEST_CASE(pages_behind_the_end_become_valid_when_the_file_is_extended) {
  constexpr std::size_t kReach = std::size_t{1} << 30;
  const SharedFile named = SharedFile::make(0600);
  const int memory = ::memfd_create("growth", MFD_CLOEXEC);
  for (const int descriptor : {named.descriptor(), memory}) {
    platform::allocate_range(descriptor, 0, 4096);
    void* const writing = ::mmap(nullptr, kReach, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    void* const reading = ::mmap(nullptr, kReach, PROT_READ, MAP_SHARED, descriptor, 0);
    BOOST_TEST_REQUIRE(writing != MAP_FAILED);
    BOOST_TEST_REQUIRE(reading != MAP_FAILED);
    Child beyond{[&](Link&) {
      ::signal(SIGBUS, SIG_DFL);
      static_cast<void>(static_cast<const volatile char*>(reading)[4096]);
    }};
    BOOST_TEST(beyond.wait() == -SIGBUS);
    platform::allocate_range(descriptor, 4096, 8192);
    static_cast<char*>(writing)[12287] = 'x';
    BOOST_TEST(static_cast<const char*>(reading)[12287] == 'x');
    ::munmap(writing, kReach);
    ::munmap(reading, kReach);
  }
  ::close(memory);
}

BOOST_AUTO_TEST_CASE(allocated_space_is_really_there_and_zero) {
  SharedFile file = SharedFile::make(0600);
  platform::allocate_range(file.descriptor(), 0, 100'000);
  BOOST_TEST(file.size() == 100'000U);
  BOOST_TEST(status_of(file).st_blocks * 512 >= 100'000);
  std::vector<char> bytes(100'000, 'x');
  BOOST_TEST(file.read(bytes.data(), bytes.size(), 0));
  BOOST_TEST(std::count(bytes.begin(), bytes.end(), '\0') == 100'000);
}

BOOST_AUTO_TEST_CASE(a_read_behind_the_end_is_a_failure_and_not_a_signal) {
  SharedFile file = SharedFile::make(0600);
  platform::allocate_range(file.descriptor(), 0, 4096);
  char byte = 0;
  BOOST_TEST(!file.read(&byte, 1, 4096));
}

BOOST_AUTO_TEST_CASE(nobody_sees_a_file_before_it_has_its_name) {
  const TestName name;
  const SharedFile file = SharedFile::make(0640);
  BOOST_TEST(!file.has_name());
  BOOST_TEST(!SharedFile::find(name, FileAccess::read_only).has_value());
  BOOST_TEST(file.give_name(name));
  BOOST_TEST(file.has_name());
  const SharedFile seen = SharedFile::open(name, FileAccess::read_only);
  BOOST_TEST(status_of(seen).st_ino == status_of(file).st_ino);
  BOOST_TEST(seen.facts().mode == 0640U);
}

BOOST_AUTO_TEST_CASE(a_name_is_given_once) {
  const TestName name;
  const SharedFile first = SharedFile::make(0600);
  const SharedFile second = SharedFile::make(0600);
  BOOST_TEST(first.give_name(name));
  BOOST_TEST(!second.give_name(name));
  BOOST_TEST(status_of(SharedFile::open(name, FileAccess::read_only)).st_ino == status_of(first).st_ino);
}

BOOST_AUTO_TEST_CASE(a_name_that_was_removed_is_noticed) {
  const TestName name;
  const SharedFile file = SharedFile::make(0600);
  BOOST_TEST(file.give_name(name));
  BOOST_TEST(SharedFile::remove(name));
  BOOST_TEST(!file.has_name());
  BOOST_TEST(!SharedFile::remove(name));
  BOOST_TEST(error_of([&] { SharedFile::open(name, FileAccess::read_only); }) == Errc::not_found);
}

BOOST_AUTO_TEST_CASE(two_mappings_show_the_same_bytes) {
  const TestName name;
  SharedFile file = SharedFile::make(0600);
  platform::allocate_range(file.descriptor(), 0, 8192);
  BOOST_TEST(file.give_name(name));
  const auto writable = file.map(FileAccess::read_write, 4096, 4096);
  const auto readable = SharedFile::open(name, FileAccess::read_only).map(FileAccess::read_only, 0, 8192);
  static_cast<char*>(writable.get_address())[5] = 'y';
  BOOST_TEST(static_cast<const char*>(readable.get_address())[4096 + 5] == 'y');
}

BOOST_AUTO_TEST_CASE(names_that_cannot_be_are_refused) {
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("/"), std::string(201, 'n'), std::string("a\0b", 3)}) {
    BOOST_TEST(error_of([&] { platform::object_name(name); }) == Errc::invalid_argument);
  }
  BOOST_TEST(platform::object_name("ticks") == "sapbuf.ticks");
  BOOST_TEST(platform::object_name(std::string(200, 'n')).size() == 207U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
