// What a writer does that may be killed anywhere, message by message; and the diary in which it notes how far it came.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>

#include "support/child.hpp"
#include "support/message.hpp"

namespace sapbuf::test {

// What a victim did, in memory that outlives it. Each number is stored right before or right after the call it speaks
// of.
struct Diary {
  std::atomic<std::uint64_t> begun{0};      // attempts that were begun
  std::atomic<std::uint64_t> committed{0};  // messages whose commits returned
  std::atomic<std::uint64_t> at_once{1};    // messages of the commit that may be under way
  std::atomic<std::uint64_t> passed{0};     // messages of the peer, in ranges that a durable reader finished
  std::atomic<std::uint64_t> passages{0};   // kill points that were passed
  std::atomic<bool> done{false};
};

class SharedDiary {
 public:
  SharedDiary();
  ~SharedDiary();
  SharedDiary(const SharedDiary&) = delete;
  SharedDiary& operator=(const SharedDiary&) = delete;
  Diary* operator->() const noexcept { return diary_; }
  Diary& operator*() const noexcept { return *diary_; }

 private:
  Diary* diary_;
};

// How large a message of the script is, whoever writes it; and the message.
std::size_t scripted_size(Tag tag);
inline std::vector<std::byte> scripted(Tag tag) { return message(tag, scripted_size(tag)); }

// Writes messages first..last-1; each seventh attempt is aborted, each fifth commits fewer bytes than it reserved.
void write_messages(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary = nullptr);
// The same messages, but for the aborted ones, in batches of up to five.
void write_batches(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary = nullptr);

// The numbers that `write_messages` commits, up to attempt `begun`.
std::vector<std::uint32_t> committed_numbers(std::uint32_t first, std::uint32_t last);

// A reader, and the log of all that it got: messages of the script.
class Audience : public Log {
 public:
  explicit Audience(const Segment& segment) : Audience(Stream::open(segment)) {}
  explicit Audience(const Stream& stream) : Log(scripted_size), reader_(stream, {.name = "audience"}) {}

  // What is there now, or comes within `patience`. Returns how many messages that was.
  std::size_t read(std::chrono::milliseconds patience = {});
  // Until nothing is left.
  void read_all();
  // Until `condition` holds, and then what is left; false if it does not in time.
  bool read_until(const std::function<bool()>& condition, std::chrono::milliseconds patience = kPatience);

 private:
  Reader reader_;
};

// The ledger of the participant in that slot.
Ledger ledger_of(const Segment& segment, std::uint32_t slot);

// Arms the kill point passed as the n-th from now on, whatever its name; n = 0 only counts. The diary is told of each
// passage.
void arm_nth(std::uint32_t nth, Diary& diary, std::function<void()> action);

}  // namespace sapbuf::test
