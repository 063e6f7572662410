// Batches: several messages, one reservation, one publication.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

struct Stream {
  explicit Stream(Order order, Fences fences = Fences::membarrier, std::size_t slab_bytes = 65536)
      : segment{{.slab_bytes = slab_bytes, .order = order, .fences = fences}} {}

  HeapSegment segment;
  Writer writer{segment, {.timeout = 20ms}};
  Reader reader{segment};
};

void append(Batch& batch, std::string_view text) {
  const std::span<std::byte> payload = batch.append(text.size());
  BOOST_TEST_REQUIRE(payload.data() != nullptr);
  std::memcpy(payload.data(), text.data(), text.size());
}

using Texts = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(batch)

BOOST_DATA_TEST_CASE(all_messages_come_at_once_and_in_order, kEveryPath, order, fences) {
  Stream stream{order, fences};
  BOOST_TEST(stream.writer.write("before") == Status::ok);
  Batch batch = stream.writer.reserve_batch(4, 60);
  BOOST_TEST_REQUIRE(batch.status() == Status::ok);
  append(batch, "one");
  append(batch, "");
  append(batch, "a third one that is longer");
  BOOST_TEST(batch.messages() == 3U);
  BOOST_TEST(texts(stream.reader) == Texts{"before"}, boost::test_tools::per_element());
  batch.commit();
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  BOOST_TEST(texts(stream.reader) == (Texts{"one", "", "a third one that is longer", "after"}),
             boost::test_tools::per_element());
  const Ledger ledger = ledger_of(stream.segment, stream.writer.slot());
  BOOST_TEST(ledger.committed == 5U);
  BOOST_TEST(ledger.committed_bytes == 6U + 3U + 26U + 5U);
}

BOOST_DATA_TEST_CASE(messages_keep_their_types, data::make(kOrders), order) {
  Stream stream{order};
  Batch batch = stream.writer.reserve_batch(3, 3);
  for (std::uint16_t type = 7; type < 10; ++type) BOOST_TEST(batch.append(1, type).size() == 1U);
  batch.commit();
  std::vector<int> types;
  for (const Frame& frame : stream.reader.pin()) types.push_back(frame.type());
  BOOST_TEST(types == (std::vector<int>{7, 8, 9}), boost::test_tools::per_element());
}

// Whatever the sizes are, as many messages as were asked for have room; and what has no room is refused.
BOOST_DATA_TEST_CASE(what_was_asked_for_fits, kEveryPath* data::make({1U, 7U, 8U, 9U, 200U}), order, fences, size) {
  Stream stream{order, fences};
  for (int round = 0; round < 40; ++round) {
    Batch batch = stream.writer.reserve_batch(32, 32 * size);
    BOOST_TEST_REQUIRE(batch.status() == Status::ok);
    for (int i = 0; i < 32; ++i) BOOST_TEST_REQUIRE(batch.append(size).size() == size);
    while (batch.append(size).data() != nullptr) {
    }
    BOOST_TEST(batch.append(100000).data() == nullptr);
    BOOST_TEST(batch.append(~std::size_t{0}).data() == nullptr);
    batch.commit();
    std::size_t seen = 0;
    for (const Frame& frame : stream.reader.pin()) seen += frame.bytes().size() == size;
    BOOST_TEST(seen >= 32U);
  }
}

// With the sizes known, nothing is taken but what they need: a message that is an octet longer has no room.
BOOST_DATA_TEST_CASE(known_sizes_fit_exactly, kEveryPath* data::make({1U, 7U, 8U, 9U, 200U}), order, fences, size) {
  Stream stream{order, fences};
  const std::array<std::size_t, 4> sizes{size, 0, 2 * size, size + 1};
  for (int round = 0; round < 40; ++round) {
    Batch mixed = stream.writer.reserve_batch(sizes);
    BOOST_TEST_REQUIRE(mixed.status() == Status::ok);
    for (const std::size_t bytes : {sizes[2], sizes[0], sizes[3], sizes[1]}) {
      BOOST_TEST_REQUIRE(mixed.append(bytes).data() != nullptr);
    }
    BOOST_TEST(mixed.append(0).data() == nullptr);
    mixed.commit();
    Batch equal = stream.writer.reserve_batch_of(32, size);
    BOOST_TEST_REQUIRE(equal.status() == Status::ok);
    for (int i = 0; i < 32; ++i) BOOST_TEST_REQUIRE(equal.append(size).size() == size);
    BOOST_TEST(equal.append(0).data() == nullptr);
    equal.commit();
    std::size_t seen = 0;
    for ([[maybe_unused]] const Frame& frame : stream.reader.pin()) ++seen;
    BOOST_TEST(seen == sizes.size() + 32U);
  }
}

BOOST_DATA_TEST_CASE(what_is_not_committed_is_aborted, kEveryPath, order, fences) {
  Stream stream{order, fences};
  {
    Batch batch = stream.writer.reserve_batch(2, 20);
    append(batch, "never");
  }
  stream.writer.reserve_batch(2, 20).commit();  // nothing was appended
  Batch batch = stream.writer.reserve_batch(2, 20);
  append(batch, "nor this");
  append(batch, "nor that");
  batch.abort();
  batch.commit();
  BOOST_TEST(batch.append(1).data() == nullptr);
  BOOST_TEST(stream.writer.write("only this") == Status::ok);
  BOOST_TEST(texts(stream.reader) == Texts{"only this"}, boost::test_tools::per_element());
  const Ledger ledger = ledger_of(stream.segment, stream.writer.slot());
  BOOST_TEST(ledger.aborted == 3U);
  BOOST_TEST(ledger.committed == 1U);
}

BOOST_DATA_TEST_CASE(it_is_the_writers_one_reservation, kEveryPath, order, fences) {
  Stream stream{order, fences};
  Batch first = stream.writer.reserve_batch(2, 20);
  append(first, "first");
  Batch moved{std::move(first)};
  BOOST_TEST(stream.writer.reserve_batch(1, 1).status() == Status::already_reserved);
  BOOST_TEST(stream.writer.reserve(1).status() == Status::already_reserved);
  BOOST_TEST(stream.writer.write("no") == Status::already_reserved);
  moved.commit();
  BOOST_TEST(stream.writer.write("second") == Status::ok);
  BOOST_TEST(texts(stream.reader) == (Texts{"first", "second"}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(what_can_never_fit_is_refused_at_once, data::make(kOrders), order) {
  Stream stream{order};
  const std::size_t huge = ~std::size_t{0};
  for (const auto& [messages, bytes] :
       {std::pair{std::size_t{1}, std::size_t{65536}}, {5000, 0}, {huge, 1}, {1, huge}, {huge / 15, huge}}) {
    BOOST_TEST(stream.writer.reserve_batch(messages, bytes).status() == Status::too_large);
  }
  const std::array<std::size_t, 2> too_much{65536, 8};
  const std::array<std::size_t, 2> absurd{huge, huge};
  BOOST_TEST(stream.writer.reserve_batch(too_much).status() == Status::too_large);
  BOOST_TEST(stream.writer.reserve_batch(absurd).status() == Status::too_large);
  for (const auto& [messages, bytes] :
       {std::pair{std::size_t{1}, std::size_t{65536}}, {9000, 0}, {huge, 1}, {1, huge}, {huge, huge}}) {
    BOOST_TEST(stream.writer.reserve_batch_of(messages, bytes).status() == Status::too_large);
  }
  BOOST_TEST(stream.writer.reserve_batch(std::span<const std::size_t>{}).status() == Status::ok);
  BOOST_TEST(stream.writer.reserve_batch_of(0, 100).status() == Status::ok);
  Batch nothing = stream.writer.reserve_batch(0, 0);
  BOOST_TEST(nothing.status() == Status::ok);
}

BOOST_DATA_TEST_CASE(a_batch_waits_for_space_as_a_message_does, data::make(kOrders), order) {
  Stream stream{order, Fences::membarrier, 4096};
  std::size_t committed = 0;
  for (;;) {
    Batch batch = stream.writer.reserve_batch(4, 400);
    if (!batch) {
      BOOST_TEST(batch.status() == Status::timeout);
      break;
    }
    for (int i = 0; i < 4; ++i) BOOST_TEST(batch.append(100).size() == 100U);
    batch.commit();
    committed += 4;
  }
  BOOST_TEST(texts(stream.reader).size() == committed);
  while (stream.reader.wait_for(0ns)) BOOST_TEST(texts(stream.reader).empty());
  BOOST_TEST(stream.writer.reserve_batch(4, 400).status() == Status::ok);
}

// Batches of several processes over many generations.
BOOST_DATA_TEST_CASE(batches_stay_whole_among_many_writers, data::make(kOrders), order) {
  constexpr std::uint32_t kBatches = kSlow ? 200 : 2000;
  constexpr std::uint32_t kMessages = 7;
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 65536, .order = order});
  Reader reader{segment};
  std::deque<Child> children;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    children.emplace_back([&name, id](Link&) {
      Writer writer{Segment::open(name)};
      for (std::uint32_t number = 0; number < kBatches * kMessages;) {
        Batch batch = writer.reserve_batch(kMessages, kMessages * 300);
        if (!batch) throw std::runtime_error("no room");
        for (std::uint32_t i = 0; i < kMessages; ++i, ++number) {
          fill(batch.append(size_of({id, number}, 300)), {id, number});
        }
        batch.commit();
      }
    });
  }
  Log log;
  BOOST_TEST(log.read_until(reader, 3 * kBatches * kMessages));
  for (Child& child : children) BOOST_TEST(child.wait() == 0);
  BOOST_TEST(log.is_complete(3, kBatches * kMessages));
  if (order == Order::total) {
    for (std::size_t i = 0; i < log.size(); i += kMessages) {
      for (std::size_t j = 1; j < kMessages; ++j) BOOST_TEST_REQUIRE(log.tags()[i + j].writer == log.tags()[i].writer);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
