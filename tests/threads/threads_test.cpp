// Participants that are threads of one process, on memory of its own: what the sanitizers can see.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <deque>
#include <thread>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

constexpr std::uint32_t kWriters = 3;
constexpr std::uint32_t kCount = kSlow ? 3000 : 20000;

// Boost.Test's macros are for one thread: the others note what happens, and the test's own thread checks it.
struct WriterThread {
  std::atomic<std::uint64_t> committed{0};
  std::atomic<std::uint64_t> refused{0};
  std::thread thread;
};
struct ReaderThread {
  Log log;
  std::uint64_t lost = 0;
  std::string error;
  std::thread thread;
};

class Play {
 public:
  explicit Play(const SegmentOptions& options) : segment_{options} {}

  const Segment& segment() const { return segment_; }

  // Each reader reads until the writers are done and it has got, or lost, all.
  void run(
      std::size_t how_many_readers, const std::function<void()>& meanwhile = [] {}) {
    std::vector<Reader> handles;
    for (std::size_t i = 0; i < how_many_readers; ++i) handles.emplace_back(segment_);
    for (std::size_t i = 0; i < how_many_readers; ++i) {
      ReaderThread& one = readers.emplace_back();
      one.thread = std::thread{[this, &one, reader = std::move(handles[i])]() mutable { listen(one, reader); }};
    }
    for (std::uint32_t id = 0; id < kWriters; ++id) {
      WriterThread& one = writers.emplace_back();
      one.thread = std::thread{[this, &one, id] { speak(one, id); }};
    }
    while (writers_left_ != 0) meanwhile();
    for (WriterThread& one : writers) one.thread.join();
    all_written_ = true;
    for (ReaderThread& one : readers) one.thread.join();
  }

  std::uint64_t committed() const {
    std::uint64_t sum = 0;
    for (const WriterThread& one : writers) sum += one.committed;
    return sum;
  }

  std::deque<WriterThread> writers;
  std::deque<ReaderThread> readers;

 private:
  void speak(WriterThread& one, std::uint32_t id) {
    {
      Writer writer{segment_, {.timeout = kPatience}};
      for (std::uint32_t number = 0; number < kCount; ++number) {
        const Tag tag{id, number};
        if (put(writer, tag, size_of(tag, number % 64 == 0 ? 1500 : 100)) == Status::ok) {
          ++one.committed;
        } else {
          ++one.refused;
        }
      }
    }
    --writers_left_;
  }

  void listen(ReaderThread& one, Reader& reader) {
    try {
      const auto deadline = std::chrono::steady_clock::now() + kPatience;
      while (!all_written_ || one.log.size() + reader.lost() < committed()) {
        if (std::chrono::steady_clock::now() > deadline) break;
        if (reader.wait_for(10ms)) one.log.read(reader);
      }
      one.lost = reader.lost();
    } catch (const std::exception& error) {
      one.error = error.what();
    }
  }

  HeapSegment segment_;
  std::atomic<std::uint32_t> writers_left_{kWriters};
  std::atomic<bool> all_written_{false};
};

SegmentOptions small_slabs(Order order, OnFull on_full, Fences fences = Fences::membarrier) {
  return {.slabs = 3,
          .slab_bytes = 16384,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 1024u : 0u,
          .on_full = on_full,
          .fences = fences};
}

void check(Play& play, OnFull on_full) {
  for (const ReaderThread& reader : play.readers) {
    BOOST_TEST(reader.error == "");
    BOOST_TEST(reader.log.size() + reader.lost == play.committed());
    BOOST_TEST(reader.log.in_order());
    BOOST_TEST(reader.log.torn() == 0U);
    if (on_full != OnFull::overwrite) BOOST_TEST(reader.lost == 0U);
  }
  for (const WriterThread& writer : play.writers) {
    BOOST_TEST(writer.committed + writer.refused == kCount);
    if (on_full == OnFull::block) BOOST_TEST(writer.refused == 0U);
  }
  const Snapshot now = inspect(play.segment());
  BOOST_TEST(now.participants.empty());
  BOOST_TEST(now.departed.committed == play.committed());
  BOOST_TEST(now.departed.committed + now.departed.dropped == std::uint64_t{kWriters} * kCount);
  BOOST_TEST(now.departed.delivered + now.departed.lost == play.readers.size() * play.committed());
}

BOOST_AUTO_TEST_SUITE(threads)

BOOST_DATA_TEST_CASE(writers_and_readers_share_a_stream, kEveryStream* kEveryFence, order, on_full, fences) {
  Play play{small_slabs(order, on_full, fences)};
  play.run(2, [] { std::this_thread::sleep_for(1ms); });
  check(play, on_full);
}

BOOST_AUTO_TEST_CASE(readers_of_a_total_order_agree) {
  Play play{small_slabs(Order::total, OnFull::block)};
  play.run(3, [] { std::this_thread::sleep_for(1ms); });
  check(play, OnFull::block);
  BOOST_TEST((play.readers[0].log.tags() == play.readers[1].log.tags()));
  BOOST_TEST((play.readers[0].log.tags() == play.readers[2].log.tags()));
}

BOOST_DATA_TEST_CASE(recovery_and_onlookers_disturb_nobody, kEveryStream, order, on_full) {
  Play play{small_slabs(order, on_full)};
  std::uint64_t dead = 0;
  play.run(1, [&] {
    dead += recover(play.segment()).dead.size() + find_dead(play.segment()).dead.size();
    inspect(play.segment());
  });
  BOOST_TEST(dead == 0U);
  check(play, on_full);
}

BOOST_DATA_TEST_CASE(participants_come_and_go_meanwhile, kEveryStream, order, on_full) {
  Play play{small_slabs(order, on_full)};
  std::uint64_t torn = 0;
  std::uint64_t accepted = 0;
  play.run(1, [&] {
    {
      Reader passer_by{play.segment(), {.from = From::newest}};
      Log log;
      log.read(passer_by, 50);
      torn += log.torn();
    }
    Writer silent{play.segment(), {.timeout = 0ms}};
    const Reservation aborted = silent.reserve(10);
    if (aborted) ++accepted;
  });
  for (const ReaderThread& reader : play.readers) {
    BOOST_TEST(reader.error == "");
    BOOST_TEST(reader.log.size() + reader.lost == play.committed());
    BOOST_TEST(reader.log.in_order());
    BOOST_TEST(reader.log.torn() == 0U);
  }
  BOOST_TEST(torn == 0U);
  const Snapshot now = inspect(play.segment());
  BOOST_TEST(now.departed.committed == play.committed());
  BOOST_TEST(now.departed.aborted == accepted);
  BOOST_TEST(now.departed.abandoned == 0U);
}

// A reader that holds a range for a while, again and again, while others overwrite: what it holds stays.
BOOST_DATA_TEST_CASE(held_ranges_stay_whole_while_others_write, kEveryStream, order, on_full) {
  Play play{small_slabs(order, on_full)};
  std::optional<Reader> holder{play.segment()};
  std::uint64_t received = 0;
  std::uint64_t changed = 0;
  play.run(1, [&] {
    std::vector<std::pair<Frame, std::optional<Tag>>> held;
    const PinnedRange range = holder->pin();
    for (const Frame& frame : range) {
      held.emplace_back(frame, tag_of(frame.bytes()));
      if (held.size() == 200) break;
    }
    std::this_thread::sleep_for(1ms);
    for (const auto& [frame, tag] : held) changed += !tag || tag_of(frame.bytes()) != tag;
    received += held.size();
  });
  while (holder->wait_for(1ms)) received += texts(*holder).size();
  BOOST_TEST(changed == 0U);
  BOOST_TEST(received + holder->lost() == play.committed());
  holder.reset();
  for (const ReaderThread& reader : play.readers) {
    BOOST_TEST(reader.error == "");
    BOOST_TEST(reader.log.size() + reader.lost == play.committed());
  }
}

BOOST_DATA_TEST_CASE(many_threads_attach_and_leave_at_once, data::make(kOrders), order) {
  const HeapSegment segment{{.slab_bytes = 4096, .order = order, .participants = 12}};
  std::atomic<std::uint32_t> failures{0};
  std::vector<std::thread> threads;
  constexpr std::uint32_t kRounds = kSlow ? 20 : 100;
  for (std::uint32_t id = 0; id < 6; ++id) {
    threads.emplace_back([&, id] {
      try {
        for (std::uint32_t round = 0; round < kRounds; ++round) {
          Writer writer{segment, {.timeout = kPatience}};
          // It must be gone before the writer waits: it keeps slabs, and this thread does not read them.
          { const Reader reader{segment, {.from = From::newest}}; }
          if (put(writer, {id, round}) != Status::ok) ++failures;
        }
      } catch (const Error&) {
        ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(failures == 0U);
  recover(segment);  // who gave up waiting for the lock when he left
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.participants.empty());
  BOOST_TEST(now.departed_participants == 2 * 6 * kRounds);
  BOOST_TEST(now.departed.committed == 6 * kRounds);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
