// A checking build ends the process (SIGABRT, and a line on stderr) where a Writer is used against its contract.
// Without it, that is found out late or not at all: readers of the stream are told that it is corrupt, if anybody. The
// CMake option SAPBUF_CHECKS makes one. By hand: define SAPBUF_CHECKS in all translation units of the program, for a
// Writer is larger with it; the library itself need not be built anew.
#pragma once

#ifdef SAPBUF_CHECKS

#include <atomic>
#include <cstdint>

#include <sapbuf/abi.hpp>
#include <sapbuf/detail/this_thread.hpp>

SAPBUF_BEGIN
namespace detail {

[[noreturn]] void end_misuse(const char* what) noexcept;

// Who is using a handle.
struct Usage {
  std::uint32_t calls = 0;            // 1 while a call is in progress
  const void* reserved_by = nullptr;  // the thread that has a reservation open
};

// One call on the handle, from its beginning to its end.
class Call {
 public:
  explicit Call(Usage& usage) noexcept : usage_(usage) {
    if (std::atomic_ref{usage_.calls}.exchange(1, std::memory_order_acquire) != 0) {
      end_misuse("a Writer is used by two threads at once, or by the handler of a signal that interrupted a call");
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { std::atomic_ref{usage_.calls}.store(0, std::memory_order_release); }

  void check_reserving() const noexcept {
    const void* const by = std::atomic_ref{usage_.reserved_by}.load(std::memory_order_relaxed);
    if (by != nullptr && by != this_thread_mark()) {
      end_misuse("a Writer is used by a thread while another one has a reservation of it open");
    }
  }
  void reserved() const noexcept { set_reserved_by(this_thread_mark()); }
  void ended() const noexcept { set_reserved_by(nullptr); }

 private:
  void set_reserved_by(const void* thread) const noexcept {
    std::atomic_ref{usage_.reserved_by}.store(thread, std::memory_order_relaxed);
  }

  Usage& usage_;
};

inline void check_may_go(const Usage& usage) noexcept {
  if (usage.reserved_by != nullptr) end_misuse("a Writer is moved or destroyed while a reservation of it is open");
}

}  // namespace detail
SAPBUF_END

#define SAPBUF_CHECK_CALL(usage) \
  const ::sapbuf::detail::Call sapbuf_call { usage }
#define SAPBUF_CHECK(check) sapbuf_call.check()
#define SAPBUF_CHECK_MAY_GO(usage) ::sapbuf::detail::check_may_go(usage)
#else
#define SAPBUF_CHECK_CALL(usage) static_cast<void>(0)
#define SAPBUF_CHECK(check) static_cast<void>(0)
#define SAPBUF_CHECK_MAY_GO(usage) static_cast<void>(0)
#endif
