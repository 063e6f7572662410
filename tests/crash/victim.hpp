// What the crash tests share: a participant that writes down how far it came, and the oracle that compares the stream
// with that.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf {

// For the names of data-driven cases.
inline std::ostream& operator<<(std::ostream& out, Order order) { return out << to_string(order); }

}  // namespace sapbuf

namespace sapbuf::test {

// What a victim did, in memory that outlives it. Each number is stored right before or right after the call it speaks
// of.
struct Diary {
  std::atomic<std::uint64_t> begun{0};      // attempts that were begun
  std::atomic<std::uint64_t> committed{0};  // messages whose commits returned
  std::atomic<std::uint64_t> at_once{1};    // messages of the commit that may be under way
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

// A message of the tests: who wrote it, its number, and as many bytes as the number says, all derived from both.
std::vector<std::byte> make_message(std::uint32_t writer, std::uint32_t number);
std::size_t message_size(std::uint32_t number);
struct Parsed {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  bool intact = false;
};
Parsed parse_message(std::span<const std::byte> bytes);

// Writes messages first..last-1; each seventh attempt is aborted, each fifth commits fewer bytes than it reserved.
void write_messages(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary);
// The same messages, but for the aborted ones, in batches of up to five.
void write_batches(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary);

// Reads all that comes, and checks it on the way.
class Audience {
 public:
  explicit Audience(const Segment& segment) : Audience(Stream::open(segment)) {}
  explicit Audience(const Stream& stream) : reader_(stream, {.name = "audience"}) {}
  // Reads what is there now; returns how many messages that was.
  std::size_t read_some(std::chrono::milliseconds patience);
  // Reads until `condition` holds, and then what is there; false if it does not in time.
  bool read_until(const std::function<bool()>& condition, std::chrono::milliseconds patience = kPatience);

  const std::vector<std::uint32_t>& numbers_of(std::uint32_t writer) { return numbers_[writer]; }
  std::uint64_t torn() const noexcept { return torn_; }
  std::uint64_t total() const noexcept { return total_; }
  Reader& reader() noexcept { return reader_; }

 private:
  Reader reader_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> numbers_;
  std::uint64_t torn_ = 0;
  std::uint64_t total_ = 0;
};

// The numbers that `write_messages` commits, up to attempt `begun`.
std::vector<std::uint32_t> committed_numbers(std::uint32_t first, std::uint32_t last);

// Whether the child has ended, by itself or by a signal; it is not reaped.
bool has_ended(const Child& child);
bool has_stopped(const Child& child);

// Arms the kill point passed as the n-th from now on, whatever its name; n = 0 only counts. The diary is told of each
// passage.
void arm_nth(std::uint32_t nth, Diary& diary, std::function<void()> action);

}  // namespace sapbuf::test
