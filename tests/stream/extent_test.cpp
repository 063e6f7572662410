// How much of a slab messages get, whatever their sizes; and what a writer takes that writes little.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

constexpr std::uint64_t kSlabBytes = 1 << 20;

// Bytes of the first generation that belong to messages, headers included.
std::uint64_t message_bytes(const Segment& segment) {
  std::uint64_t bytes = 0;
  dump(segment, [&](const FrameRecord& frame) {
    if (frame.generation == 1 && frame.kind == "message") bytes += frame.span;
  });
  return bytes;
}

struct Stream {
  explicit Stream(Order order) : segment{{.slab_bytes = kSlabBytes, .order = order}} {}
  HeapSegment segment;
  bool is_in_first_slab() const { return generation_of(segment) == 1; }
};

BOOST_AUTO_TEST_SUITE(extents)

// One more message might have fitted behind the last one, but for a byte.
BOOST_DATA_TEST_CASE(at_most_a_twentieth_of_a_slab_is_lost,
                     data::make({8U, 16U, 24U, 100U, 256U, 1000U, 1024U, 4000U, 4096U, 8192U, 9000U, 12345U, 16384U,
                                 20000U, 33000U, 50000U, 65000U}) *
                         data::make(kOrders),
                     size, order) {
  Stream stream{order};
  Writer writer{stream.segment};
  const std::string message(size, 'x');
  for (std::uint64_t written = 0; stream.is_in_first_slab(); ++written)
    BOOST_REQUIRE(writer.write(message) == Status::ok);
  BOOST_TEST(message_bytes(stream.segment) + size + 8 >= kSlabBytes / 20 * 19);
}

// A slab has room for 17 of these back to back, and 4 KB more: one extent a message would need 8 KB.
BOOST_AUTO_TEST_CASE(who_claims_alone_gets_as_many_as_there_is_room_for) {
  Stream stream{Order::per_writer};
  Writer writer{stream.segment};
  const std::string message(60 << 10, 'x');
  // The first slab is where a writer finds out; and while it is being read, the second is filled.
  int written = 0;
  while (generation_of(stream.segment) < 3) {
    BOOST_REQUIRE(writer.write(message) == Status::ok);
    written += generation_of(stream.segment) == 2;
  }
  BOOST_TEST(written == 17);
}

BOOST_DATA_TEST_CASE(nor_by_batches, data::make(kOrders), order) {
  for (const std::size_t size : {8U, 16U, 64U, 256U, 1024U}) {
    Stream stream{order};
    Writer writer{stream.segment};
    while (stream.is_in_first_slab()) {
      Batch batch = writer.reserve_batch_of(32, size);
      BOOST_REQUIRE(!!batch);
      for (int i = 0; i < 32; ++i) std::ranges::fill(batch.append(size), std::byte{1});
      batch.commit();
    }
    BOOST_TEST(message_bytes(stream.segment) + 32 * (size + 8) >= kSlabBytes / 20 * 19);
  }
}

BOOST_AUTO_TEST_CASE(nor_by_several_writers_with_messages_of_one_size) {
  Stream stream{Order::per_writer};
  std::vector<Writer> writers;
  for (int i = 0; i < 4; ++i) writers.emplace_back(stream.segment);
  const std::string message(3000, 'x');
  for (std::size_t i = 0; stream.is_in_first_slab(); ++i) BOOST_REQUIRE(writers[i % 4].write(message) == Status::ok);
  // Three of them have an extent in the first slab that is not full, 16 KiB each.
  BOOST_TEST(message_bytes(stream.segment) + 3008 + 3 * 16896 >= kSlabBytes / 20 * 19);
}

// Writers that come, write a message and go: each takes no more than it needs.
BOOST_AUTO_TEST_CASE(a_thousand_writers_of_one_message_each_lose_nothing) {
  const HeapSegment segment;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    Writer writer{segment};
    BOOST_REQUIRE(put(writer, {i, 0}, 25) == Status::ok);
  }
  Reader reader{segment};
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1000, 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
