#include "crash/victim.hpp"

#include <algorithm>

#include <sys/mman.h>
#include <sys/wait.h>

#include <new>
#include <stdexcept>

namespace sapbuf::test {

using namespace std::chrono_literals;

SharedDiary::SharedDiary() {
  void* const memory = ::mmap(nullptr, sizeof(Diary), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for a diary");
  diary_ = new (memory) Diary;
}

SharedDiary::~SharedDiary() { ::munmap(diary_, sizeof(Diary)); }

std::size_t message_size(std::uint32_t number) {
  // Mostly small; some that take several extents; some of no more than the number itself.
  if (number % 11 == 3) return 700;
  if (number % 17 == 5) return 1500;
  return 8 + number * 13 % 90;
}

std::vector<std::byte> make_message(std::uint32_t writer, std::uint32_t number) {
  std::vector<std::byte> bytes(message_size(number));
  std::memcpy(bytes.data(), &writer, 4);
  std::memcpy(bytes.data() + 4, &number, 4);
  for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(writer * 31 + number * 7 + i);
  return bytes;
}

Parsed parse_message(std::span<const std::byte> bytes) {
  Parsed parsed;
  if (bytes.size() < 8) return parsed;
  std::memcpy(&parsed.writer, bytes.data(), 4);
  std::memcpy(&parsed.number, bytes.data() + 4, 4);
  const auto expected = make_message(parsed.writer, parsed.number);
  parsed.intact = expected.size() == bytes.size() && std::memcmp(expected.data(), bytes.data(), bytes.size()) == 0;
  return parsed;
}

namespace {

bool is_aborted(std::uint32_t number) { return number % 7 == 6; }

}  // namespace

void write_messages(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary) {
  for (std::uint32_t number = first; number < last; ++number) {
    const auto message = make_message(id, number);
    const std::size_t extra = number % 5 == 4 ? 40 : 0;
    if (diary != nullptr) diary->begun.store(number - first + 1);
    Reservation reservation = writer.reserve(message.size() + extra, 1);
    // A stream that waits for nobody has no room while whoever flips is slow: it is tried again.
    while (reservation.status() == Status::full) reservation = writer.reserve(message.size() + extra, 1);
    if (!reservation) throw std::runtime_error("reserve: " + std::string(to_string(reservation.status())));
    std::memcpy(reservation.bytes().data(), message.data(), message.size());
    if (is_aborted(number)) {
      reservation.abort();
      continue;
    }
    reservation.commit(message.size());
    if (diary != nullptr) diary->committed.fetch_add(1);
  }
}

void write_batches(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary) {
  constexpr std::uint32_t kMost = 5;
  for (std::uint32_t begin = first; begin < last; begin += kMost) {
    const std::uint32_t end = std::min(begin + kMost, last);
    const std::vector<std::uint32_t> numbers = committed_numbers(begin, end);
    std::size_t bytes = 0;
    for (const std::uint32_t number : numbers) bytes += message_size(number);
    if (diary != nullptr) diary->begun.store(end - first);
    if (diary != nullptr) diary->at_once.store(numbers.size());
    Batch batch = writer.reserve_batch(numbers.size(), bytes);
    if (!batch) throw std::runtime_error("reserve_batch: " + std::string(to_string(batch.status())));
    for (const std::uint32_t number : numbers) {
      const auto message = make_message(id, number);
      std::memcpy(batch.append(message.size(), 1).data(), message.data(), message.size());
    }
    batch.commit();
    if (diary != nullptr) diary->committed.fetch_add(numbers.size());
  }
}

std::vector<std::uint32_t> committed_numbers(std::uint32_t first, std::uint32_t last) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t number = first; number < last; ++number) {
    if (!is_aborted(number)) numbers.push_back(number);
  }
  return numbers;
}

std::size_t Audience::read_some(std::chrono::milliseconds patience) {
  if (!reader_.wait_for(patience)) return 0;
  std::size_t count = 0;
  for (const Frame& frame : reader_.pin()) {
    const Parsed parsed = parse_message(frame.bytes());
    if (!parsed.intact) ++torn_;
    numbers_[parsed.writer].push_back(parsed.number);
    ++count;
  }
  total_ += count;
  return count;
}

bool Audience::read_until(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    read_some(1ms);
  }
  // A victim may have ended before the first look, with all slabs full.
  while (read_some(0ms) != 0) {
  }
  return true;
}

bool has_ended(const Child& child) {
  siginfo_t ended{};
  return ::waitid(P_PID, static_cast<id_t>(child.pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0;
}

bool has_stopped(const Child& child) {
  siginfo_t stopped{};
  return ::waitid(P_PID, static_cast<id_t>(child.pid()), &stopped, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
         stopped.si_pid != 0;
}

void arm_nth(std::uint32_t nth, Diary& diary, std::function<void()> action) {
  // Re-armed at each passage, so that passages are counted too.
  struct Counter {
    static void next(std::uint32_t left, Diary& book, const std::function<void()>& act) {
      kill_point::arm(KillPoint::any, [left, &book, act] {
        book.passages.fetch_add(1);
        if (left == 1) {
          act();
          return;
        }
        next(left == 0 ? 0 : left - 1, book, act);
      });
    }
  };
  Counter::next(nth, diary, action);
}

}  // namespace sapbuf::test
