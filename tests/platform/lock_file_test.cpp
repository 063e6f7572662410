// Locks on bytes of a file: who has them, who sees them, and when they go.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>

#include "platform/lock_file.hpp"
#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using platform::LockFile;
using platform::LockState;

constexpr std::uint64_t kByte = std::uint64_t{1} << 60;

// A file, and this process's descriptions of it.
struct File {
  SharedMemory memory{4096};
  LockFile mine{memory.descriptor()};
  LockFile other{memory.descriptor()};
};

BOOST_AUTO_TEST_SUITE(lock_file)

BOOST_AUTO_TEST_CASE(one_description_excludes_the_other) {
  File file;
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(!file.other.try_lock(kByte));
  file.mine.unlock(kByte);
  BOOST_TEST(file.other.try_lock(kByte));
  BOOST_TEST(!file.mine.try_lock(kByte));
}

BOOST_AUTO_TEST_CASE(each_byte_is_a_lock_of_its_own) {
  File file;
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(file.other.try_lock(kByte + 1));
  BOOST_TEST(!file.mine.try_lock(kByte + 1));
  file.mine.unlock(kByte);
  BOOST_TEST(file.other.is_locked(kByte + 1));
  BOOST_TEST(!file.other.is_locked(kByte));
}

BOOST_AUTO_TEST_CASE(a_description_sees_its_own_locks_too) {
  File file;
  BOOST_TEST(!file.mine.is_locked(kByte));
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(file.mine.is_locked(kByte));
  BOOST_TEST(file.other.is_locked(kByte));
  file.mine.unlock(kByte);
  BOOST_TEST(!file.mine.is_locked(kByte));
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_held_cannot_be_taken_again_through_the_same_object) {
  File file;
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(!file.mine.try_lock(kByte));
  file.mine.unlock(kByte);
  BOOST_TEST(file.mine.try_lock(kByte));
}

// The kernel would let them all in: they share one description.
BOOST_AUTO_TEST_CASE(threads_exclude_each_other_through_one_object) {
  File file;
  std::atomic<int> inside{0};
  std::atomic<int> crowds{0};
  std::atomic<int> turns{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300;) {
        if (!file.mine.try_lock(kByte)) {
          std::this_thread::yield();
          continue;
        }
        if (inside.fetch_add(1) != 0) ++crowds;
        std::this_thread::yield();
        inside.fetch_sub(1);
        file.mine.unlock(kByte);
        ++turns;
        ++round;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(crowds == 0);
  BOOST_TEST(turns == 1200);
}

BOOST_AUTO_TEST_CASE(a_lock_goes_with_its_object) {
  SharedMemory memory{4096};
  const LockFile observer{memory.descriptor()};
  {
    LockFile shortlived{memory.descriptor()};
    BOOST_TEST(shortlived.try_lock(kByte));
    BOOST_TEST(observer.is_locked(kByte));
  }
  BOOST_TEST(!observer.is_locked(kByte));
}

// A child that opens its own description of the file it shares with this process, takes the lock, and stays.
struct Holder : Child {
  explicit Holder(const SharedMemory& memory)
      : Child{[&](Link& link) {
          LockFile locks{memory.descriptor()};
          link.say(locks.try_lock(kByte) ? 1 : 0);
          link.hear();
        }} {
    BOOST_TEST(hear() == 1U);
  }
};

BOOST_AUTO_TEST_CASE(a_process_that_is_killed_lets_go_at_once) {
  File file;
  Holder holder{file.memory};
  BOOST_TEST(!file.mine.try_lock(kByte));
  BOOST_TEST(file.mine.is_locked(kByte));
  holder.kill();
  BOOST_TEST(!file.mine.is_locked(kByte));
  BOOST_TEST(file.mine.try_lock(kByte));
}

BOOST_AUTO_TEST_CASE(a_process_that_ends_by_itself_lets_go) {
  File file;
  Holder holder{file.memory};
  holder.say(1);
  BOOST_TEST(holder.wait() == 0);
  BOOST_TEST(!file.mine.is_locked(kByte));
}

// It is killed, but nobody has asked for its exit status yet: kill(pid, 0) would call it alive.
BOOST_AUTO_TEST_CASE(a_zombie_holds_nothing) {
  File file;
  Holder holder{file.memory};
  ::kill(holder.pid(), SIGKILL);
  BOOST_TEST(eventually([&] { return !file.mine.is_locked(kByte); }));
  BOOST_TEST(::kill(holder.pid(), 0) == 0);
}

BOOST_AUTO_TEST_CASE(a_stopped_process_keeps_its_lock) {
  File file;
  Holder holder{file.memory};
  holder.stop();
  BOOST_TEST(file.mine.is_locked(kByte));
  BOOST_TEST(!file.mine.try_lock(kByte));
  holder.resume();
  BOOST_TEST(file.mine.is_locked(kByte));
}

// This is what POSIX record locks get wrong.
BOOST_AUTO_TEST_CASE(a_lock_stays_when_another_descriptor_of_the_file_is_closed) {
  File file;
  BOOST_TEST(file.mine.try_lock(kByte));
  const std::string path = "/proc/self/fd/" + std::to_string(file.memory.descriptor());
  const int again = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  BOOST_TEST(again >= 0);
  ::close(again);
  { const LockFile more{file.memory.descriptor()}; }
  BOOST_TEST(file.other.is_locked(kByte));
  BOOST_TEST(!file.other.try_lock(kByte));
}

BOOST_AUTO_TEST_CASE(a_child_of_fork_does_not_keep_the_lock) {
  File file;
  Child parent{[&](Link& link) {
    LockFile locks{file.memory.descriptor()};
    locks.try_lock(kByte);
    const pid_t child = ::fork();
    if (child == 0) {
      link.say(static_cast<std::uint64_t>(::getpid()));
      ::pause();
      ::_exit(0);
    }
    link.hear();
  }};
  const auto grandchild = static_cast<pid_t>(parent.hear());
  BOOST_TEST(file.mine.is_locked(kByte));
  parent.kill();
  BOOST_TEST(!file.mine.is_locked(kByte));
  BOOST_TEST(::kill(grandchild, 0) == 0);
  ::kill(grandchild, SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_child_of_fork_does_not_end_the_parents_lock_and_can_neither_lock_nor_ask) {
  File file;
  BOOST_TEST(file.mine.try_lock(kByte));
  Child child{[&](Link&) {
    file.mine.unlock(kByte);
    if (error_of([&] { file.mine.try_lock(kByte + 1); }) != Errc::forked) throw std::runtime_error("it locks");
    if (file.mine.ask(kByte + 1) != LockState::unknown) throw std::runtime_error("it asks");
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(file.other.is_locked(kByte));
  file.mine.unlock(kByte);
  BOOST_TEST(!file.other.is_locked(kByte));
}

BOOST_AUTO_TEST_CASE(a_program_that_is_executed_does_not_inherit_the_lock) {
  File file;
  Child child{[&](Link& link) {
    LockFile locks{file.memory.descriptor()};
    locks.try_lock(kByte);
    link.say(1);
    link.hear();
    ::execlp("sleep", "sleep", "60", nullptr);
  }};
  child.hear();
  BOOST_TEST(file.mine.is_locked(kByte));
  child.say(1);
  BOOST_TEST(eventually([&] { return !file.mine.is_locked(kByte); }));
  BOOST_TEST(child.running());
}

BOOST_AUTO_TEST_CASE(a_read_only_object_can_ask) {
  File file;
  const std::string path = "/proc/self/fd/" + std::to_string(file.memory.descriptor());
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const LockFile onlooker{descriptor, false};
  ::close(descriptor);
  BOOST_TEST(!onlooker.is_locked(kByte));
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(onlooker.is_locked(kByte));
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_none_is_an_error) {
  BOOST_TEST(error_of([] { const LockFile locks{-1}; }) != nothing());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
