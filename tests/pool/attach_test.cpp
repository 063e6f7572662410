// Buffers attached to messages: they live as long as the message can be read, and no longer than somebody needs them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstring>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "pool/pool_core.hpp"
#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using layout::BufferState;
using layout::BufferWord;

constexpr std::uint64_t kBufferBytes = 64;

struct Fixture {
  explicit Fixture(Order order = Order::per_writer, OnFull on_full = OnFull::block, std::uint64_t count = 16,
                   std::uint32_t attachments = 0, Fences fences = Fences::membarrier)
      : segment(Segment::create(name, {.slab_bytes = 4096,
                                       .order = order,
                                       .on_full = on_full,
                                       .participants = 8,
                                       .fences = fences,
                                       .attachments = attachments})),
        pool(Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = count})) {}

  TestName name;
  Segment segment;
  Pool pool;

  BufferWord word_of(std::uint32_t buffer) const { return {pool.core()->word(buffer).load()}; }
};

// A buffer that says which one it is.
Buffer filled(PoolUser& user, std::uint64_t number) {
  Buffer buffer = user.acquire();
  if (buffer) std::memcpy(buffer.bytes().data(), &number, sizeof number);
  return buffer;
}

std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = ~std::uint64_t{0};
  if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

// A message that says the number of the first of its buffers, and has `count` of them: number, number + 1, ...
Status put(Writer& writer, PoolUser& user, std::uint64_t number, std::uint64_t count = 1) {
  std::vector<Buffer> buffers;
  for (std::uint64_t i = 0; i < count; ++i) {
    buffers.push_back(filled(user, number + i));
    if (!buffers.back()) return buffers.back().status();
  }
  Reservation slot = writer.reserve(sizeof number);
  if (!slot) return slot.status();
  std::memcpy(slot.bytes().data(), &number, sizeof number);
  for (Buffer& buffer : buffers) {
    const Attached attached = slot.attach(std::move(buffer));
    if (!attached) return attached.status();
  }
  slot.commit();
  return Status::ok;
}

// What the messages that are there now have attached, each of which must say what its message says. Nothing for one that
// is wrong.
std::vector<std::uint64_t> numbers(Reader& reader, PoolUser& user) {
  std::vector<std::uint64_t> found;
  for (const Frame& frame : reader.pin()) {
    std::uint64_t expected = number_in(frame.bytes());
    for (const BufferReference& reference : frame.attachments()) {
      const Buffer adopted = user.adopt(reference);
      BOOST_TEST(static_cast<bool>(adopted), to_string(adopted.status()));
      BOOST_TEST(number_in(adopted.bytes()) == expected);
      found.push_back(expected++);
    }
  }
  return found;
}

// All of the pool's buffers can be acquired by one user: nothing leaked.
std::size_t count_acquirable(const Pool& pool) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  for (;;) {
    Buffer buffer = user.acquire();
    if (!buffer) return all.size();
    all.push_back(std::move(buffer));
  }
}

std::vector<std::uint64_t> row(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = first + i;
  return all;
}

BOOST_AUTO_TEST_SUITE(attach)

BOOST_DATA_TEST_CASE(a_reader_adopts_what_is_attached, kEveryStream* kEveryFence, order, on_full, fences) {
  const Fixture fixture{order, on_full, 16, 0, fences};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser sender{fixture.pool};
  PoolUser receiver{fixture.pool};
  BOOST_TEST((put(writer, sender, 10) == Status::ok));
  BOOST_TEST((put(writer, sender, 20, 3) == Status::ok));
  writer.write("nothing attached");
  std::vector<std::uint64_t> found;
  std::vector<std::size_t> counts;
  Buffer kept;
  for (const Frame& frame : reader.pin()) {
    counts.push_back(0);
    BOOST_TEST(frame.attachments().empty() == (frame.bytes().size() != sizeof(std::uint64_t)));
    for (const BufferReference& reference : frame.attachments()) {
      kept = receiver.adopt(reference);
      found.push_back(number_in(kept.bytes()));
      ++counts.back();
    }
  }
  BOOST_TEST(found == (std::vector<std::uint64_t>{10, 20, 21, 22}), boost::test_tools::per_element());
  BOOST_TEST(counts == (std::vector<std::size_t>{1, 3, 0}), boost::test_tools::per_element());
  BOOST_TEST(number_in(kept.bytes()) == 22U);
}

BOOST_DATA_TEST_CASE(it_lives_as_long_as_its_message_and_no_longer, data::make(kOrders), order) {
  const Fixture fixture{order};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  {
    PoolUser sender{fixture.pool};
    for (std::uint64_t i = 0; i < 16; ++i) BOOST_TEST((put(writer, sender, i) == Status::ok));
    BOOST_TEST((sender.acquire().status() == Status::exhausted));  // its reader has read nothing yet
  }
  PoolUser receiver{fixture.pool};
  BOOST_TEST(numbers(reader, receiver) == row(0, 16), boost::test_tools::per_element());
  // Neither slab is full, but all of it was read: so it is let go when somebody needs a buffer.
  BOOST_TEST(!reader.wait_for(0ms));
  BOOST_TEST(count_acquirable(fixture.pool) == 16U);
}

BOOST_DATA_TEST_CASE(what_a_reader_adopted_stays, data::make(kOrders) * data::make(kPolicies), order, on_full) {
  const Fixture fixture{order, on_full};
  Writer writer{fixture.segment};
  PoolUser sender{fixture.pool};
  PoolUser receiver{fixture.pool};
  Buffer kept;
  {
    Reader reader{fixture.segment};
    BOOST_TEST((put(writer, sender, 7) == Status::ok));
    for (const Frame& frame : reader.pin()) {
      for (const BufferReference& reference : frame.attachments()) kept = receiver.adopt(reference);
    }
  }
  BOOST_TEST(count_acquirable(fixture.pool) == 15U);
  BOOST_TEST(number_in(kept.bytes()) == 7U);
  kept.release();
  BOOST_TEST(count_acquirable(fixture.pool) == 16U);
}

BOOST_DATA_TEST_CASE(a_shared_buffer_may_be_attached_too, data::make(kOrders), order) {
  const Fixture fixture{order};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser sender{fixture.pool};
  PoolUser other{fixture.pool};
  Buffer buffer = filled(sender, 5);
  Buffer adopted = other.adopt(buffer.share());
  for (Buffer* const each : {&buffer, &adopted}) {
    Reservation slot = writer.reserve(8);
    std::memcpy(slot.bytes().data(), each->bytes().data(), 8);
    BOOST_TEST(static_cast<bool>(slot.attach(std::move(*each))));
    slot.commit();
  }
  PoolUser receiver{fixture.pool};
  BOOST_TEST(numbers(reader, receiver) == (std::vector<std::uint64_t>{5, 5}), boost::test_tools::per_element());
  const std::uint32_t index = 0;
  BOOST_TEST(fixture.pool.core()->slot(sender.slot()).roots[index].load() == 0U);
  // As many as a user can hold may be attached one after another.
  for (std::uint64_t i = 0; i < 3 * layout::kRoots; ++i) {
    Buffer next = sender.acquire_for(kPatience);
    BOOST_TEST_REQUIRE(static_cast<bool>(next));
    next.share();
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(std::move(next))));
    slot.commit();
    for ([[maybe_unused]] const Frame& frame : reader.pin()) {
    }
    reader.wait_for(0ms);
  }
}

BOOST_DATA_TEST_CASE(what_is_aborted_lets_go, kEveryPath, order, fences) {
  const Fixture fixture{order, OnFull::block, 4, 0, fences};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  for (int round = 0; round < 20; ++round) {
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    for (std::uint64_t i = 0; i < 4; ++i) {
      Buffer buffer = user.acquire();
      BOOST_TEST_REQUIRE(static_cast<bool>(buffer));
      const Attached attached = slot.attach(std::move(buffer));
      if (!attached) BOOST_TEST((attached == Status::attachments_full));
    }
    slot.abort();
    Batch batch = writer.reserve_batch(2, 16);
    BOOST_TEST_REQUIRE(static_cast<bool>(batch));
    for (int message = 0; message < 2; ++message) {
      batch.append(8);
      Buffer buffer = user.acquire();
      BOOST_TEST_REQUIRE(static_cast<bool>(buffer));
      const Attached attached = batch.attach(std::move(buffer));
      if (!attached) BOOST_TEST((attached == Status::attachments_full));
    }
  }
  reader.wait_for(0ms);
  BOOST_TEST(count_acquirable(fixture.pool) == 4U);
}

BOOST_DATA_TEST_CASE(each_message_of_a_batch_has_its_own, kEveryPath, order, fences) {
  const Fixture fixture{order, OnFull::block, 16, 0, fences};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  Batch batch = writer.reserve_batch(4, 32);
  BOOST_TEST((batch.attach(filled(user, 0)) == Status::closed));
  std::uint64_t number = 0;
  for (const std::uint64_t count : {0u, 2u, 1u, 3u}) {
    const std::span<std::byte> bytes = batch.append(8);
    std::memcpy(bytes.data(), &number, 8);
    for (std::uint64_t i = 0; i < count; ++i) BOOST_TEST(static_cast<bool>(batch.attach(filled(user, number++))));
  }
  batch.commit();
  std::vector<std::size_t> counts;
  for (const Frame& frame : reader.pin()) {
    std::uint64_t expected = number_in(frame.bytes());
    counts.push_back(0);
    for (const BufferReference& reference : frame.attachments()) {
      BOOST_TEST(number_in(user.adopt(reference).bytes()) == expected++);
      ++counts.back();
    }
  }
  BOOST_TEST(counts == (std::vector<std::size_t>{0, 2, 1, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_attached_stays_with_the_caller) {
  const Fixture fixture;
  const Fixture other;
  Writer writer{fixture.segment};
  PoolUser user{fixture.pool};
  PoolUser stranger{other.pool};
  Buffer buffer = stranger.acquire();
  Reservation slot = writer.reserve(8);
  BOOST_TEST((slot.attach(std::move(buffer)) == Status::other_segment));
  BOOST_TEST(static_cast<bool>(buffer));
  BOOST_TEST((slot.attach(Buffer{}) == Status::closed));
  Buffer own = user.acquire();
  BOOST_TEST((writer.reserve(8).attach(std::move(own)) == Status::already_reserved));
  slot.commit();
  BOOST_TEST((slot.attach(std::move(own)) == Status::closed));
  BOOST_TEST(static_cast<bool>(own));
  BOOST_TEST((writer.reserve(1 << 20).attach(std::move(own)) == Status::too_large));
  writer.close();
  BOOST_TEST((writer.reserve(8).attach(std::move(own)) == Status::closed));
  BOOST_TEST(static_cast<bool>(own));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
