// Locks on bytes of a file: who has them, who sees them, and when they go.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
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

BOOST_AUTO_TEST_CASE(locks_for_reading_stop_nobody_from_seeing_that_a_byte_is_free) {
  File file;
  const std::string path = "/proc/self/fd/" + std::to_string(file.memory.descriptor());
  const int looker = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_start = static_cast<off_t>(kByte);
  lock.l_len = 1;
  BOOST_TEST(::fcntl(looker, F_OFD_SETLK, &lock) == 0);
  BOOST_TEST(!file.mine.is_locked(kByte));
  ::close(looker);
}

BOOST_AUTO_TEST_SUITE_END()

// --- A process whose other parts are careless -----------------------------------------------------------------------

// The numbers under which this process has the file open, except that one.
std::vector<int> numbers_of(const SharedMemory& memory, int except) {
  std::vector<int> numbers;
  for (int number = 3; number < 256; ++number) {
    if (number != except && platform::identity_of(number) == platform::identity_of(memory.descriptor())) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

// What becomes of all descriptors of the file that the library has.
void close_all(const SharedMemory& memory) {
  for (const int number : numbers_of(memory, memory.descriptor())) ::close(number);
}
void replace_all(const SharedMemory& memory, int by) {
  for (const int number : numbers_of(memory, memory.descriptor())) ::dup2(by, number);
}

// Asked by an object of its own: a child has nothing of what its parent had.
bool is_seen_locked(const File& file) { return LockFile{file.memory.descriptor()}.is_locked(kByte); }

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

// In a child, because the numbers may be anything there.
void in_child(const std::function<void(Link&)>& code) {
  Child child{code};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE(stray_close)

BOOST_AUTO_TEST_CASE(a_life_ends_with_its_process_and_not_with_its_descriptors) {
  File file;
  Child child{[&](Link& link) {
    const LockFile locks{file.memory.descriptor()};
    link.say(locks.life());
    link.hear();
    close_all(file.memory);
    ::close(file.memory.descriptor());
    link.say(1);
    link.hear();
  }};
  const std::uint64_t life = child.hear();
  BOOST_TEST(file.mine.is_locked(life));
  child.say(1);
  child.hear();
  BOOST_TEST(file.mine.is_locked(life));
  child.kill();
  BOOST_TEST(!file.mine.is_locked(life));
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_has_locked_all_over_is_an_error) {
  const SharedMemory memory{4096};
  Child locker{[&](Link& link) {
    const std::string path = "/proc/self/fd/" + std::to_string(memory.descriptor());
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock all {};
    all.l_type = F_WRLCK;
    link.say(::fcntl(file, F_OFD_SETLK, &all) == 0 ? 1 : 0);
    for (;;) ::pause();
  }};
  BOOST_TEST(locker.hear() == 1U);
  BOOST_CHECK_EXCEPTION(LockFile{memory.descriptor()}, Error, [&](const Error& error) {
    const std::string pid = "(pid " + std::to_string(locker.pid());
    return error.errc() == Errc::busy && std::string(error.what()).find(pid) != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(no_two_objects_have_the_same_life) {
  File file;
  BOOST_TEST(file.mine.life() != file.other.life());
  BOOST_TEST(file.mine.is_locked(file.other.life()));
}

BOOST_AUTO_TEST_CASE(what_is_held_stays_held_until_it_is_given_back) {
  File file;
  Child child{[&](Link& link) {
    LockFile locks{file.memory.descriptor()};
    require(locks.try_lock(kByte) && locks.try_lock(kByte + 1), "not locked");
    close_all(file.memory);
    link.say(1);
    link.hear();
    locks.unlock(kByte);
    locks.unlock(kByte + 1);
    link.say(1);
    link.hear();
    require(locks.try_lock(kByte), "cannot lock again");
    link.say(1);
    link.hear();
  }};
  child.hear();
  BOOST_TEST(!file.mine.try_lock(kByte));
  child.say(1);
  child.hear();
  BOOST_TEST(file.mine.try_lock(kByte));
  BOOST_TEST(file.mine.try_lock(kByte + 1));
  file.mine.unlock(kByte);
  child.say(1);
  child.hear();
  BOOST_TEST(!file.mine.try_lock(kByte));
  child.kill();
}

// Every number stands for another file by now, which has no locks: asked there, everybody would be dead.
BOOST_AUTO_TEST_CASE(another_file_that_got_the_numbers_is_not_asked_not_locked_and_not_closed) {
  File file;
  BOOST_TEST(file.other.try_lock(kByte));
  in_child([&](Link&) {
    const SharedMemory stranger{4096};
    std::size_t replaced = 0;
    {
      LockFile locks{file.memory.descriptor()};
      const LockFile strange{stranger.descriptor()};
      replaced = numbers_of(file.memory, file.memory.descriptor()).size();
      replace_all(file.memory, stranger.descriptor());
      require(locks.ask(kByte) == LockState::held, "what is held is called free");
      require(locks.ask(kByte + 1) == LockState::free, "what is free is not");
      require(!locks.try_lock(kByte), "it got a lock that another process has");
      require(locks.try_lock(kByte + 1), "no lock can be had");
      require(strange.ask(kByte) == LockState::free && strange.ask(kByte + 1) == LockState::free,
              "a stranger is locked");
    }
    require(replaced >= 2, "nothing was replaced: the test shows nothing");
    require(numbers_of(stranger, stranger.descriptor()).size() == replaced, "a stranger's descriptor was closed");
  });
}

// No name, no descriptor: nothing can be said, so nothing is.
BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_reached_any_more_is_not_judged) {
  File file;
  in_child([&](Link&) {
    const SharedMemory stranger{4096};
    LockFile locks{file.memory.descriptor()};
    require(locks.ask(kByte) == LockState::free, "not free at first");
    for (const int number : numbers_of(file.memory, -1)) ::dup2(stranger.descriptor(), number);
    require(locks.ask(kByte) == LockState::unknown, "it was judged");
    require(locks.is_locked(kByte), "it was taken for free");
    require(error_of([&] { locks.try_lock(kByte); }) == Errc::system, "it was locked");
  });
}

BOOST_AUTO_TEST_CASE(a_file_with_a_name_is_found_by_it_unless_the_name_is_anothers_now) {
  const std::string name = "/dev/shm/" + TestName{}.str();
  const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const SharedMemory memory{4096, descriptor};
  LockFile other{descriptor};
  BOOST_TEST(other.try_lock(kByte));
  const auto lose_all = [&] {
    for (const int number : numbers_of(memory, -1)) ::close(number);
  };
  in_child([&](Link&) {
    LockFile locks{descriptor, true, name};
    lose_all();
    require(locks.ask(kByte) == LockState::held && locks.ask(kByte + 1) == LockState::free, "it was not found");
    require(locks.try_lock(kByte + 1), "it cannot be locked");
  });
  BOOST_TEST(::unlink(name.c_str()) == 0);
  in_child([&](Link&) {
    LockFile locks{descriptor, true, name};
    lose_all();
    require(::mkfifo(name.c_str(), 0600) == 0, "no FIFO");
    require(locks.ask(kByte) == LockState::unknown, "something else was asked");
    ::unlink(name.c_str());
  });
}

// The second object gets the numbers that were the first one's: both would share a description, and exclude nobody.
BOOST_AUTO_TEST_CASE(two_objects_never_share_a_number) {
  File file;
  in_child([&](Link&) {
    auto first = std::make_unique<LockFile>(file.memory.descriptor());
    const std::vector<int> before = numbers_of(file.memory, file.memory.descriptor());
    close_all(file.memory);
    LockFile second{file.memory.descriptor()};
    require(numbers_of(file.memory, file.memory.descriptor()) == before, "other numbers: the test shows nothing");
    require(second.try_lock(kByte), "no lock can be had");
    require(!first->try_lock(kByte), "both are inside");
    first.reset();
    require(is_seen_locked(file), "the second one's lock went with the first one");
    second.unlock(kByte);
    require(!is_seen_locked(file), "the second one cannot unlock");
  });
}

// A stray lseek() through our number: it is given up, and what was held through it is given back all the same.
BOOST_AUTO_TEST_CASE(a_descriptor_whose_position_was_moved_is_given_up) {
  File file;
  in_child([&](Link&) {
    LockFile locks{file.memory.descriptor()};
    require(locks.try_lock(kByte), "no lock can be had");
    for (const int number : numbers_of(file.memory, file.memory.descriptor())) ::lseek(number, 0, SEEK_SET);
    locks.unlock(kByte);
    require(!is_seen_locked(file), "it is still held");
    require(locks.try_lock(kByte), "no lock can be had any more");
    require(is_seen_locked(file), "it is not held");
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
