// What trials are made of: numbered messages, a reader that checks them, and the end that each trial must come to.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <map>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <string>

#include "soak/clock.hpp"
#include "soak/process.hpp"

namespace sapbuf::soak {

inline constexpr std::size_t kTrialMessageBytes = 64;
inline constexpr std::chrono::milliseconds kTrialPatience{kPatience / kMillisecond};

// A writer's messages have numbers 1, 2, 3, ...; `who` names its incarnation. False if there is no room.
bool write_numbered(Writer& writer, std::uint16_t who, std::uint64_t number);

// Reads everything, and checks that each message is whole, and that each writer's come once and in order.
class Listener {
 public:
  explicit Listener(const Segment& segment) : reader_(segment, {.name = "listener"}) {}

  void read_what_is_there();
  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t last_of(std::uint16_t who) const;

 private:
  void take(const Frame& frame);

  Reader reader_;
  std::map<std::uint16_t, std::uint64_t> last_;
  std::uint64_t count_ = 0;
};

// Throws if the condition does not hold within the soak's patience.
template <typename Condition>
void wait_until(const char* what, Condition condition) {
  for (const std::uint64_t until = now_ns() + kPatience; !condition(); ::usleep(500)) {
    if (now_ns() > until) throw std::runtime_error(std::string("waited in vain: ") + what);
  }
}

// Until nobody of the dead is left; then nobody is in the midst of a step, and the segment is looked at.
void settle(const Segment& segment);
// It ends with status 0, and soon; while the listener reads, if there is one.
void await_good_end(Process& process, Listener* listener = nullptr);
// Only the listener is left: everything that was committed has come to it, and the stream goes on through all slabs.
void conclude(const Segment& segment, Listener& listener);

}  // namespace sapbuf::soak
