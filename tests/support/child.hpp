// Real processes for tests: a child runs a piece of code, tells how far it is, and is stopped, continued or killed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace sapbuf::test {

// Generous: a test waits for a condition and fails when it does not come; it never sleeps and hopes.
inline constexpr std::chrono::seconds kPatience{30};

// Waits until `condition` holds. False if it does not within kPatience.
bool eventually(const std::function<bool()>& condition);

// What a child's code gets: a way to tell the parent how far it is, and to wait for the parent's word.
class Link {
 public:
  Link(int read_descriptor, int write_descriptor) : read_(read_descriptor), write_(write_descriptor) {}
  void say(std::uint64_t value) const;  // the other side's hear() returns it
  bool uses(int descriptor) const noexcept { return descriptor == read_ || descriptor == write_; }
  std::uint64_t hear() const;  // ends the process (child) or throws (parent) if the other side is gone or silent

 private:
  int read_;
  int write_;
};

// A process that runs `code` and ends with status 0, or 1 if it throws. Killed, at the latest, by the destructor.
class Child {
 public:
  explicit Child(const std::function<void(Link&)>& code);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const noexcept { return pid_; }
  Link& link() noexcept { return link_; }
  void say(std::uint64_t value) { link_.say(value); }
  std::uint64_t hear() { return link_.hear(); }

  void stop();  // SIGSTOP, and waits until it has stopped
  void resume();
  void kill();                // SIGKILL, and reaps it
  bool wait_until_stopped();  // it stops itself, at a kill point
  int wait();                 // exit status, or minus the signal that ended it
  bool running();
  // Whether it has ended, by itself or by a signal, or stands still; neither is waited for, nor taken note of.
  bool has_ended() const;
  bool has_stopped() const;

 private:
  pid_t pid_ = -1;
  Link link_{-1, -1};
  int descriptors_[2] = {-1, -1};
};

// What a kill point does: ends or stops this process as if somebody had sent the signal just there.
void kill_self() noexcept;
void stop_self() noexcept;

// A segment's name that nobody else uses; the segment is removed at the end, if there is one.
class TestName {
 public:
  TestName();
  ~TestName();
  const std::string& str() const noexcept { return name_; }
  operator const std::string&() const noexcept { return name_; }
  operator std::string_view() const noexcept { return name_; }

 private:
  std::string name_;
};

}  // namespace sapbuf::test
