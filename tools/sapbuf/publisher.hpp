// What `sapbuf pub` does with one message, and the account it gives of all.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sapbuf/framing.hpp"
#include "sapbuf/name_watch.hpp"
#include "sapbuf/room_watch.hpp"

namespace sapbuf::tools {

struct PubOptions {
  std::string stream;  // as it was typed
  std::string name;
  std::vector<std::string> files;
  Framing framing = Framing::lines;
  std::uint16_t type = 0;  // where the input says none
  std::uint64_t repeat = 1;
  bool finish = false;
  std::optional<std::chrono::milliseconds> timeout;  // for one message, in a stream that blocks; nothing: wait for ever
};

struct PubTotals {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;    // the stream was full, and its policy is to drop
  std::uint64_t too_large = 0;  // can never fit
};

class Publisher {
 public:
  enum class Result {
    taken,  // or dropped, where that is the stream's policy
    too_large,
    timed_out,  // nobody made room in time
    stopped,    // a signal came while it waited for room
  };

  // Warns if nobody reads. Throws sapbuf::Error.
  Publisher(const Stream& stream, const PubOptions& options);

  // Says that no more comes. Throws Failure.
  void finish();

  // Throws Failure where there is no way to go on.
  Result publish(std::string_view message, std::uint16_t type) {
    room_watch_.enter();
    const Status status = writer_.write(message, type);
    room_watch_.leave(status == Status::ok);
    if (status == Status::ok) [[likely]] {
      ++totals_.messages;
      totals_.bytes += message.size();
      return Result::taken;
    }
    return publish_slow(status);
  }
  // One that was not even looked at, because it is longer than any message may be.
  void count_too_large() noexcept { ++totals_.too_large; }

  const PubTotals& totals() const noexcept { return totals_; }

  // On a terminal: one line a second, at most. Cheap enough to be called for every block of input.
  void show_progress();
  // Also warns if nobody has read anything of it.
  void show_summary();
  // The stream was removed, and nobody reads any more what was left in it.
  bool nobody_left() const noexcept { return room_watch_.nobody_left(); }

 private:
  using Clock = std::chrono::steady_clock;

  Result publish_slow(Status status);
  std::string rates() const;
  void warn_if_unread() const;

  Stream stream_;
  Writer writer_;
  RoomWatch room_watch_;
  PubTotals totals_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point shown_ = started_;
  bool on_terminal_;
  std::uint64_t delivered_before_ = 0;  // by all readers that there ever were
};

}  // namespace sapbuf::tools
