// Segments in memory that the caller supplies: heap, memfd, file; several of them, and one several times.
#include <fcntl.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <cstring>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order) { return {.slab_bytes = 8192, .order = order, .participants = 4}; }

BOOST_AUTO_TEST_SUITE(memory)

BOOST_DATA_TEST_CASE(heap_memory_carries_a_stream, data::make(kOrders), order) {
  const HeapMemory memory{small(order)};
  const Segment segment = Segment::create_in(memory, small(order));
  BOOST_TEST(segment.name() == "");
  BOOST_TEST(segment.bytes() <= memory.bytes().size());
  Reader reader{segment};
  Writer writer{segment};
  Log log;
  for (std::uint32_t number = 0; number < 500; ++number) {
    BOOST_TEST_REQUIRE(put(writer, {1, number}, 100) == Status::ok);
    log.read(reader);
  }
  BOOST_TEST(log.is_complete(1, 500));
}

BOOST_AUTO_TEST_CASE(memory_that_is_too_small_or_not_aligned_is_refused) {
  const SegmentOptions options = small(Order::total);
  const HeapMemory memory{Segment::bytes_needed(options) + 64};
  const auto create = [&](std::size_t skip, std::size_t bytes) {
    return error_of(
        [&] { static_cast<void>(Segment::create_in({.bytes = memory.bytes().subspan(skip, bytes)}, options)); });
  };
  const std::size_t needed = Segment::bytes_needed(options);
  BOOST_TEST(create(0, needed - 1) == Errc::no_space);
  BOOST_TEST(create(0, 0) == Errc::no_space);
  BOOST_TEST(create(8, needed) == Errc::invalid_argument);
  BOOST_TEST(create(64, needed) == nothing());
  const auto open = [&](std::size_t bytes) {
    return error_of([&] { static_cast<void>(Segment::open_in({.bytes = memory.bytes().subspan(64, bytes)})); });
  };
  BOOST_TEST(open(needed) == nothing());
  BOOST_TEST(open(needed - 1) == Errc::corrupt);
  BOOST_TEST(open(100) != nothing());
}

BOOST_AUTO_TEST_CASE(memory_without_a_segment_is_refused) {
  const HeapMemory memory{small(Order::total)};
  BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_in(memory)); }) == Errc::incompatible);
  std::memset(memory.bytes().data(), 0, memory.bytes().size());
  BOOST_TEST(error_of([&] { static_cast<void>(Segment::open_in(memory)); }) == Errc::not_found);
}

BOOST_AUTO_TEST_CASE(creation_overwrites_what_the_memory_held) {
  const HeapMemory memory{small(Order::total)};
  {
    const Segment old = Segment::create_in(memory, small(Order::total));
    BOOST_TEST(Writer{old}.write("old") == Status::ok);
  }
  const Segment fresh = Segment::create_in(memory, small(Order::per_writer));
  Reader reader{fresh};
  BOOST_TEST(texts(reader).empty());
  BOOST_TEST(inspect(fresh).departed_participants == 0U);
}

// Whatever the memory held: each kind of facility makes zero what it wants to be zero, also where it grows.
BOOST_AUTO_TEST_CASE(facilities_of_all_kinds_are_made_in_memory_that_was_full) {
  const SegmentOptions options{.slab_bytes = 8192, .participants = 16};
  const HeapMemory memory{Segment::bytes_needed(options) + (8 << 20)};
  const Segment segment = Segment::create_in(memory, options);
  for (int round = 0; round < 2; ++round) {  // what was removed is no other memory
    const Stream stream = Stream::create(segment, "orders", {.slab_bytes = 8192, .order = Order::total});
    const Map map = Map::create(segment, "prices", {.keys = 4, .max_keys = 1000, .value_bytes = 64});
    const Queue queue = Queue::create(segment, "jobs", {.slots = 16, .block_bytes = 64});
    {
      Reader reader{stream};
      BOOST_TEST(texts(reader).empty());
      BOOST_TEST(Writer{stream}.write("first") == Status::ok);
      BOOST_TEST(texts(reader).size() == 1U);
      MapWriter writer{map};
      const std::span<const std::byte> value = std::as_bytes(std::span{"value"});
      for (int key = 0; key < 1000; ++key) {
        BOOST_TEST_REQUIRE((writer.insert(std::to_string(key), value) == Status::ok));
      }
      BOOST_TEST((writer.insert("one more", value) == Status::full));
      Producer producer{queue};
      Consumer consumer{queue};
      BOOST_TEST(consumer.take(1).size() == 0U);
      BOOST_TEST((producer.push(std::as_bytes(std::span{"job"})) == Status::ok));
      BOOST_TEST(consumer.take(1).size() == 1U);
    }
    BOOST_TEST(Stream::remove(segment, "orders"));
    BOOST_TEST(Map::remove(segment, "prices"));
    BOOST_TEST(Queue::remove(segment, "jobs"));
  }
}

// The bytes may say what they like: the locks say that somebody is there.
void expect_left_alone(const Memory& memory, Order order) {
  const auto create = [&] { static_cast<void>(Segment::create_in(memory, small(order))); };
  {
    const Segment segment = Segment::create_in(memory, small(order));
    Reader reader{segment};
    Writer writer{segment};
    BOOST_TEST(error_of(create) == Errc::busy);
    BOOST_TEST(writer.write("still there") == Status::ok);
    BOOST_TEST(texts(reader).size() == 1U);
  }
  BOOST_TEST(error_of(create) == nothing());
}

BOOST_DATA_TEST_CASE(memory_that_is_in_use_is_left_alone, data::make(kOrders), order) {
  const HeapMemory heap{small(order)};
  expect_left_alone(heap, order);
  const SharedMemory shared{Segment::bytes_needed(small(order))};
  expect_left_alone(shared, order);
}

BOOST_DATA_TEST_CASE(memory_that_another_process_uses_is_left_alone_until_it_dies, data::make(kOrders), order) {
  const SharedMemory memory{Segment::bytes_needed(small(order))};
  static_cast<void>(Segment::create_in(memory, small(order)));
  Child user{[&](Link& link) {
    const SharedMemory elsewhere{memory.bytes().size(), ::dup(memory.descriptor())};
    const Reader reader{Segment::open_in(elsewhere)};
    link.say(1);
    link.hear();
  }};
  user.hear();
  const auto create = [&] { static_cast<void>(Segment::create_in(memory, small(order))); };
  BOOST_TEST(error_of(create) == Errc::busy);
  user.kill();
  BOOST_TEST(error_of(create) == nothing());
}

BOOST_AUTO_TEST_CASE(memory_has_no_mode_that_could_differ) {
  const HeapMemory memory{small(Order::total)};
  const Segment segment = Segment::create_in(memory, small(Order::total));
  BOOST_TEST(segment.created());
  BOOST_TEST(!Segment::open_in(memory).created());
  SegmentOptions asked = small(Order::total);
  asked.mode = 0660;
  BOOST_TEST(segment.differences(asked).empty());
}

// Two handles of one segment in one process: each sees what the other does, and takes nothing of it for dead.
void expect_no_reclaim(const Segment& one, const Segment& other) {
  Writer writer{one, {.name = "writer"}};
  Reader reader{other, {.name = "reader"}};
  Reservation open = writer.reserve(4);
  for (const Segment* segment : {&one, &other}) {
    BOOST_TEST(recover(*segment).dead.empty());
    BOOST_TEST(find_dead(*segment).dead.empty());
    const Snapshot now = inspect(*segment);
    BOOST_TEST_REQUIRE(now.participants.size() == 2U);
    BOOST_TEST(now.participants[0].state == Liveness::alive);
    BOOST_TEST(now.participants[1].state == Liveness::alive);
  }
  open.commit();
  BOOST_TEST(texts(reader).size() == 1U);
  Writer second{other, {.name = "second"}};
  BOOST_TEST(second.slot() != writer.slot());
  BOOST_TEST(second.slot() != reader.slot());
  writer.close();
  BOOST_TEST(recover(other).dead.empty());
  BOOST_TEST(inspect(other).participants.size() == 2U);
}

BOOST_DATA_TEST_CASE(heap_memory_opened_twice_is_one_segment, data::make(kOrders), order) {
  const HeapMemory memory{small(order)};
  const Segment one = Segment::create_in(memory, small(order));
  const Segment other = Segment::open_in(memory);
  expect_no_reclaim(one, other);
}

BOOST_DATA_TEST_CASE(a_named_segment_opened_twice_in_one_process_is_one_segment, data::make(kOrders), order) {
  const TestName name;
  const Segment one = Segment::create(name, small(order));
  const Segment other = Segment::open(name);
  expect_no_reclaim(one, other);
}

BOOST_DATA_TEST_CASE(a_memfd_opened_twice_in_one_process_is_one_segment, data::make(kOrders), order) {
  const SharedMemory memory{Segment::bytes_needed(small(order))};
  const Segment one = Segment::create_in(memory, small(order));
  const Segment other = Segment::open_in(memory);
  expect_no_reclaim(one, other);
}

// Closing one of the handles must not drop the locks of the other's participants.
BOOST_DATA_TEST_CASE(closing_one_handle_leaves_the_others_participants_alive, data::make(kOrders), order) {
  const TestName name;
  const Segment one = Segment::create(name, small(order));
  const Writer writer{one};
  {
    const Segment other = Segment::open(name);
    const Writer shortlived{other};
  }
  BOOST_TEST(recover(Segment::open(name)).dead.empty());
  BOOST_TEST(inspect(one).participants.size() == 1U);
}

BOOST_DATA_TEST_CASE(two_segments_in_one_process_know_nothing_of_each_other, data::make(kOrders), order) {
  const TestName first_name;
  const TestName second_name;
  const HeapMemory heap{small(order)};
  const Segment first = Segment::create(first_name, small(order));
  const Segment second = Segment::create(second_name, {.slabs = 3, .slab_bytes = 4096, .order = order});
  const Segment third = Segment::create_in(heap, small(order));
  std::uint32_t id = 0;
  std::vector<Writer> writers;
  std::vector<Reader> readers;
  for (const Segment* segment : {&first, &second, &third}) {
    writers.emplace_back(*segment);
    readers.emplace_back(*segment);
  }
  std::vector<Log> logs(3);
  for (std::uint32_t number = 0; number < 300; ++number) {
    for (id = 0; id < 3; ++id) {
      BOOST_TEST_REQUIRE(put(writers[id], {id, number}, 100) == Status::ok);
      logs[id].read(readers[id]);
    }
  }
  for (id = 0; id < 3; ++id) {
    BOOST_TEST(logs[id].is_complete(1, 300));
    BOOST_TEST(logs[id].tags().front().writer == id);
  }
}

// --- Memory that processes share ---------------------------------------------------------------------------------

void share_with_a_child(const SharedMemory& memory, Order order) {
  const Segment segment = Segment::create_in(memory, small(order));
  Reader reader{segment};
  Child child{[&](Link& link) {
    const SharedMemory elsewhere{memory.bytes().size(), ::dup(memory.descriptor())};
    Writer writer{Segment::open_in(elsewhere), {.name = "child"}};
    put_all(writer, 1, 500, 200);
    link.say(1);
    link.hear();
  }};
  Log log;
  BOOST_TEST(log.read_until(reader, 500));
  BOOST_TEST(log.is_complete(1, 500));
  child.hear();
  BOOST_TEST(recover(segment).dead.empty());
  child.kill();
  const RecoveryReport report = recover(segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].name == "child");
}

BOOST_DATA_TEST_CASE(a_memfd_is_shared_by_processes, data::make(kOrders), order) {
  const SharedMemory memory{Segment::bytes_needed(small(order))};
  share_with_a_child(memory, order);
}

BOOST_DATA_TEST_CASE(a_file_is_shared_by_processes, data::make(kOrders), order) {
  char path[] = "/tmp/sapbuf-test-XXXXXX";
  const int descriptor = ::mkostemp(path, O_CLOEXEC);
  ::unlink(path);
  const SharedMemory memory{Segment::bytes_needed(small(order)), descriptor};
  share_with_a_child(memory, order);
}

BOOST_DATA_TEST_CASE(the_caller_may_close_its_descriptor, data::make(kOrders), order) {
  const SharedMemory memory{Segment::bytes_needed(small(order))};
  const int copy = ::dup(memory.descriptor());
  const Segment segment = Segment::create_in({.bytes = memory.bytes(), .descriptor = copy}, small(order));
  ::close(copy);
  Reader reader{segment};
  BOOST_TEST(Writer{segment}.write("works") == Status::ok);
  BOOST_TEST(texts(reader).size() == 1U);
  BOOST_TEST(recover(segment).dead.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
