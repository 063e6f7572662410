// pthread_cancel: no call of the library is a cancellation point.
#pragma once

namespace sapbuf::platform {

// While one lives, a request to cancel this thread waits: it would unwind through what must not throw, and leave locks
// and slots behind. It takes effect at the thread's next cancellation point outside the library. Nests. For threads
// that can be cancelled at any instruction (PTHREAD_CANCEL_ASYNCHRONOUS) no library is safe to call, and this one is
// not.
class Uncancellable {
 public:
  Uncancellable() noexcept;
  Uncancellable(const Uncancellable&) = delete;
  Uncancellable& operator=(const Uncancellable&) = delete;
  ~Uncancellable();

 private:
  int before_;
};

// The same from the destructor's begin() on, for an object whose members are destroyed behind its own destructor: its
// first member.
class UncancellableFromNow {
 public:
  UncancellableFromNow() noexcept = default;
  UncancellableFromNow(const UncancellableFromNow&) = delete;
  UncancellableFromNow& operator=(const UncancellableFromNow&) = delete;
  ~UncancellableFromNow();

  void begin() noexcept;

 private:
  int before_ = 0;
  bool begun_ = false;
};

}  // namespace sapbuf::platform
