#include "support/script.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

namespace sapbuf::test {

SharedDiary::SharedDiary() {
  void* const memory = ::mmap(nullptr, sizeof(Diary), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory for a diary");
  diary_ = new (memory) Diary;
}

SharedDiary::~SharedDiary() { ::munmap(diary_, sizeof(Diary)); }

std::size_t scripted_size(Tag tag) {
  // Mostly small; some that take several extents; some of no more than the tag itself.
  if (tag.number % 11 == 3) return 700;
  if (tag.number % 17 == 5) return 1500;
  return kTagBytes + tag.number * 13 % 90;
}

namespace {

bool is_aborted(std::uint32_t number) { return number % 7 == 6; }

}  // namespace

void write_messages(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary) {
  for (std::uint32_t number = first; number < last; ++number) {
    const auto bytes = scripted({id, number});
    const std::size_t extra = number % 5 == 4 ? 40 : 0;
    if (diary != nullptr) diary->begun.store(number - first + 1);
    Reservation reservation = writer.reserve(bytes.size() + extra, 1);
    // A stream that waits for nobody has no room while whoever flips is slow: it is tried again.
    while (reservation.status() == Status::full) reservation = writer.reserve(bytes.size() + extra, 1);
    if (!reservation) throw std::runtime_error("reserve: " + std::string(to_string(reservation.status())));
    std::memcpy(reservation.bytes().data(), bytes.data(), bytes.size());
    if (is_aborted(number)) {
      reservation.abort();
      continue;
    }
    reservation.commit(bytes.size());
    if (diary != nullptr) diary->committed.fetch_add(1);
  }
}

void write_batches(Writer& writer, std::uint32_t id, std::uint32_t first, std::uint32_t last, Diary* diary) {
  constexpr std::uint32_t kMost = 5;
  for (std::uint32_t begin = first; begin < last; begin += kMost) {
    const std::uint32_t end = std::min(begin + kMost, last);
    const std::vector<std::uint32_t> numbers = committed_numbers(begin, end);
    std::size_t room = 0;
    for (const std::uint32_t number : numbers) room += scripted_size({id, number});
    if (diary != nullptr) diary->begun.store(end - first);
    if (diary != nullptr) diary->at_once.store(numbers.size());
    Batch batch = writer.reserve_batch(numbers.size(), room);
    if (!batch) throw std::runtime_error("reserve_batch: " + std::string(to_string(batch.status())));
    for (const std::uint32_t number : numbers) {
      const auto bytes = scripted({id, number});
      std::memcpy(batch.append(bytes.size(), 1).data(), bytes.data(), bytes.size());
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

std::size_t Audience::read(std::chrono::milliseconds patience) {
  return reader_.wait_for(patience) ? Log::read(reader_) : 0;
}

void Audience::read_all() {
  while (read() != 0) {
  }
}

bool Audience::read_until(const std::function<bool()>& condition, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    read(std::chrono::milliseconds{1});
  }
  // It may have come to hold before the first look, with all slabs full.
  read_all();
  return true;
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
