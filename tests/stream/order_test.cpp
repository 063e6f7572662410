// The order of messages, with writers and readers that are real processes.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

constexpr std::uint32_t kWriters = 4;
constexpr std::uint32_t kCount = kSlow ? 1000 : 5000;

// A process that attaches, tells so, waits for the word to begin, and writes its numbered messages.
class WriterProcess : public Child {
 public:
  WriterProcess(const std::string& name, std::uint32_t id, std::uint32_t count = kCount, std::size_t largest = 400)
      : Child{[=](Link& link) {
          Writer writer{Segment::open(name), {.name = "writer-" + std::to_string(id)}};
          link.say(1);
          link.hear();
          put_all(writer, id, count, largest);
        }} {}
};

struct Writers {
  Writers(const std::string& name, std::uint32_t how_many, std::uint32_t count = kCount, std::size_t largest = 400) {
    for (std::uint32_t id = 0; id < how_many; ++id) processes.emplace_back(name, id, count, largest);
    for (WriterProcess& process : processes) process.hear();
  }
  void begin() {
    for (WriterProcess& process : processes) process.say(1);
  }
  bool all_end_well() {
    return std::all_of(processes.begin(), processes.end(), [](WriterProcess& process) { return process.wait() == 0; });
  }
  std::deque<WriterProcess> processes;
};

BOOST_AUTO_TEST_SUITE(order)

BOOST_DATA_TEST_CASE(each_writers_messages_come_in_its_order, data::make(kOrders) * data::make({2U, 5U}), order,
                     slabs) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slabs = slabs, .slab_bytes = 65536, .order = order});
  Reader reader{segment};
  Writers writers{name, kWriters};
  Log log;
  writers.begin();
  BOOST_TEST(log.read_until(reader, kWriters * kCount));
  BOOST_TEST(writers.all_end_well());
  BOOST_TEST(log.is_complete(kWriters, kCount));
  recover(segment);  // who gave up waiting for the lock when he left
  BOOST_TEST(inspect(segment).departed.committed == kWriters * kCount);
}

BOOST_AUTO_TEST_CASE(a_stream_of_total_order_has_one_order_for_all_readers) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 65536, .order = Order::total});
  Reader first{segment};
  Reader second{segment};
  Writers writers{name, kWriters};
  Log seen_by_first;
  Log seen_by_second;
  writers.begin();
  // They go at different paces; neither may fall behind for good, or the writers would wait for it.
  const bool all_came = eventually([&] {
    for (int i = 0; i < 100; ++i) {
      seen_by_first.read(first);
      seen_by_second.read(second, 50);
    }
    return seen_by_first.size() == kWriters * kCount && seen_by_second.size() == kWriters * kCount;
  });
  BOOST_TEST(all_came);
  BOOST_TEST(writers.all_end_well());
  BOOST_TEST(seen_by_first.is_complete(kWriters, kCount));
  BOOST_TEST((seen_by_first.tags() == seen_by_second.tags()));
}

// If one process knows of a message before it writes its own, readers of a total order see them so.
BOOST_AUTO_TEST_CASE(total_order_respects_what_came_before_what) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = Order::total});
  Reader reader{segment};
  Writer ping{segment};
  Child other{[&](Link& link) {
    Writer pong{Segment::open(name)};
    for (std::uint32_t round = 0; round < 200; ++round) {
      link.hear();
      if (put(pong, {2, round}) != Status::ok) throw std::runtime_error("not accepted");
      link.say(round);
    }
  }};
  Log log;
  for (std::uint32_t round = 0; round < 200; ++round) {
    BOOST_TEST_REQUIRE(put(ping, {1, round}) == Status::ok);
    other.say(1);
    other.hear();
    log.read(reader);
  }
  std::vector<Tag> expected;
  for (std::uint32_t round = 0; round < 200; ++round) {
    expected.push_back({1, round});
    expected.push_back({2, round});
  }
  BOOST_TEST((log.tags() == expected));
}

BOOST_DATA_TEST_CASE(readers_in_other_processes_get_everything, kEveryPath, order, fences) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 16384, .order = order, .fences = fences});
  std::deque<Child> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&](Link& link) {
      Reader reader{Segment::open(name)};
      link.say(1);
      Log log;
      if (!log.read_until(reader, 2 * 1000)) throw std::runtime_error("not all came");
      if (!log.is_complete(2, 1000)) throw std::runtime_error("not complete, or not in order");
      link.say(reader.delivered());
    });
    readers.back().hear();
  }
  Writers writers{name, 2, 1000, 2000};
  writers.begin();
  BOOST_TEST(writers.all_end_well());
  for (Child& reader : readers) {
    BOOST_TEST(reader.hear() == 2000U);
    BOOST_TEST(reader.wait() == 0);
  }
  recover(segment);  // who gave up waiting for the lock when he left
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.departed.delivered == 2 * now.departed.committed);
  BOOST_TEST(now.departed.lost == 0U);
}

// All the slots of a default segment, on however few processors there are.
BOOST_DATA_TEST_CASE(sixty_four_participants_share_a_stream, data::make(kOrders), order) {
  constexpr std::uint32_t kCrowd = 56;
  constexpr std::uint32_t kEach = kSlow ? 20 : 100;
  const TestName name;
  const Segment segment = Segment::create(
      name, {.slab_bytes = 65536, .order = order, .extent_bytes = order == Order::per_writer ? 1024u : 0u});
  std::deque<Child> readers;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&](Link& link) {
      Reader reader{Segment::open(name)};
      link.say(1);
      Log log;
      if (!log.read_until(reader, kCrowd * kEach)) throw std::runtime_error("not all came");
      if (!log.is_complete(kCrowd, kEach)) throw std::runtime_error("not complete, or not in order");
    });
  }
  for (Child& reader : readers) reader.hear();
  Writers writers{name, kCrowd, kEach, 300};
  BOOST_TEST(inspect(segment).participants.size() == 64U);
  BOOST_TEST(error_of([&] { const Writer one_more{segment}; }) == Errc::registry_full);
  writers.begin();
  BOOST_TEST(writers.all_end_well());
  for (Child& reader : readers) BOOST_TEST(reader.wait() == 0);
  recover(segment);  // who gave up waiting for the lock when he left
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.participants.empty());
  BOOST_TEST(now.departed.committed == kCrowd * kEach);
  BOOST_TEST(now.departed.delivered == 8 * kCrowd * kEach);
}

// In one chain, nothing is read behind a frame that is still open, in whichever generation it stands.
BOOST_DATA_TEST_CASE(a_range_does_not_go_past_an_open_frame_into_a_later_generation, data::make(kPolicies), on_full) {
  const HeapSegment segment{{.slabs = 4, .slab_bytes = 4096, .order = Order::total, .on_full = on_full}};
  Reader reader{segment};
  Writer slow{segment, {.timeout = std::chrono::milliseconds{0}}};
  Writer writer{segment, {.timeout = std::chrono::milliseconds{0}}};
  std::uint32_t number = 0;
  while (number < 20) must_put(writer, {1, number++}, 100);
  Reservation open = slow.reserve(3000);  // the first frame of the second generation
  BOOST_TEST(generation_of(segment) == 2U);
  const std::uint32_t behind = number;
  while (generation_of(segment) == 2) must_put(writer, {1, number++}, 100);
  Log log;
  log.read(reader);
  BOOST_TEST(log.size() == behind);
  fill(open.bytes(), {2, 0});
  open.commit();
  BOOST_TEST(log.read_until(reader, number + 1));
  BOOST_TEST(log.in_order());
  BOOST_TEST(log.tags()[behind] == (Tag{2, 0}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
