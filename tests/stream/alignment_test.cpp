// Streams whose payloads are aligned to more than a word.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <csignal>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

const auto kAlignments = data::make({8U, 16U, 32U, 64U});

SegmentOptions options_with(Order order, Fences fences, std::uint32_t alignment) {
  return {.slabs = 3,
          .slab_bytes = 8192,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 1024u : 0u,
          .fences = fences,
          .payload_alignment = alignment};
}

bool is_aligned(std::span<const std::byte> payload, std::uint32_t alignment) {
  return reinterpret_cast<std::uintptr_t>(payload.data()) % alignment == 0;
}

// Of the messages that are there; each of them aligned, and whole.
std::vector<Tag> read_aligned(Reader& reader, std::uint32_t alignment) {
  std::vector<Tag> tags;
  for (const Frame& frame : reader.pin()) {
    BOOST_TEST(is_aligned(frame.bytes(), alignment));
    const auto tag = tag_of(frame.bytes());
    BOOST_TEST_REQUIRE(tag.has_value());
    tags.push_back(*tag);
  }
  return tags;
}

BOOST_AUTO_TEST_SUITE(alignment)

BOOST_DATA_TEST_CASE(each_payload_is_aligned_through_all_slabs, kEveryPath* kAlignments, order, fences, alignment) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, fences, alignment));
  const Segment elsewhere = Segment::open(name);  // mapped at another address
  Writer writer{segment, {.timeout = kPatience}};
  Reader reader{elsewhere};
  Writer other{elsewhere, {.timeout = kPatience}};
  std::vector<Tag> seen;
  std::vector<Tag> written;
  for (std::uint32_t number = 0; number < 600; ++number) {
    Writer& one = number % 3 == 0 ? other : writer;
    const Tag tag{number % 3 == 0 ? 2u : 1u, number};
    Reservation room = one.reserve(size_of(tag, 300));
    BOOST_TEST_REQUIRE(room.status() == Status::ok);
    BOOST_TEST(is_aligned(room.bytes(), alignment));
    if (number % 7 == 0) {
      room.abort();
    } else if (number % 5 == 0) {  // shorter than what was reserved
      fill(room.bytes().first(kTagBytes), tag);
      room.commit(kTagBytes);
      written.push_back(tag);
    } else {
      fill(room.bytes(), tag);
      room.commit();
      written.push_back(tag);
    }
    for (const Tag& one_seen : read_aligned(reader, alignment)) seen.push_back(one_seen);
  }
  if (order == Order::per_writer) std::sort(seen.begin(), seen.end(), [](Tag a, Tag b) { return a.number < b.number; });
  BOOST_TEST((seen == written));
  BOOST_TEST(inspect(segment).generation > 5U);
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_DATA_TEST_CASE(so_is_each_of_a_batch, kEveryPath* kAlignments, order, fences, alignment) {
  const HeapSegment segment{options_with(order, fences, alignment)};
  Writer writer{segment, {.timeout = kPatience}};
  Reader reader{segment};
  constexpr std::array<std::size_t, 5> kSizes{8, 9, 57, 120, 300};
  for (std::uint32_t round = 0; round < 60; ++round) {
    std::uint32_t number = 0;
    const auto append_all = [&](Batch batch) {
      BOOST_TEST_REQUIRE(batch.status() == Status::ok);
      for (const std::size_t size : kSizes) {
        const std::span<std::byte> payload = batch.append(size);
        BOOST_TEST_REQUIRE(payload.size() == size);
        BOOST_TEST(is_aligned(payload, alignment));
        fill(payload, {round, number++});
      }
      return batch;
    };
    append_all(writer.reserve_batch(kSizes.size(), 494)).commit();
    Batch exact = append_all(writer.reserve_batch(kSizes));
    BOOST_TEST(exact.append(0).data() == nullptr);
    Batch moved = std::move(exact);
    BOOST_TEST(moved.append(0).data() == nullptr);
    moved.commit();
    BOOST_TEST(moved.append(0).data() == nullptr);
    append_all(writer.reserve_batch(kSizes)).abort();
    Batch equal = append_all(writer.reserve_batch_of(kSizes.size(), 300));
    equal.commit();
    const std::vector<Tag> seen = read_aligned(reader, alignment);
    BOOST_TEST(seen.size() == 3 * kSizes.size());
    BOOST_TEST((seen.back() == Tag{round, number - 1}));
  }
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_DATA_TEST_CASE(the_largest_message_fits_and_no_larger_one, kEveryPath* kAlignments, order, fences, alignment) {
  const HeapSegment segment{options_with(order, fences, alignment)};
  Writer writer{segment, {.timeout = 0ms}};
  Reader reader{segment};
  const std::size_t largest = segment.max_message_bytes();
  BOOST_TEST(largest > 8192 - 2 * 64U - 32U);
  BOOST_TEST((largest + 8) % alignment == 0U);
  for (std::uint32_t number = 0; number < 4; ++number) {
    BOOST_TEST(writer.reserve(largest + 1).status() == Status::too_large);
    must_put(writer, {1, number}, largest);
    BOOST_TEST(read_aligned(reader, alignment).size() == 1U);
  }
  BOOST_TEST(broken_invariant(segment) == "");
}

BOOST_AUTO_TEST_CASE(what_fits_a_line_with_its_header_takes_one_line) {
  const HeapSegment segment{options_with(Order::total, Fences::membarrier, 64)};
  Writer writer{segment};
  Reader reader{segment};
  for (int i = 0; i < 4; ++i) BOOST_TEST(writer.reserve(56).status() == Status::ok);
  std::uint64_t last = 0;
  for (std::uint32_t number = 0; number < 4; ++number) must_put(writer, {1, number}, 56);
  for (const Frame& frame : reader.pin()) {
    if (last != 0) BOOST_TEST(frame.position().offset == last + 64U);
    last = frame.position().offset;
  }
}

BOOST_DATA_TEST_CASE(a_dead_writers_successors_are_aligned_too, data::make(kOrders) * kAlignments, order, alignment) {
  const TestName name;
  const Segment segment = Segment::create(name, options_with(order, Fences::membarrier, alignment));
  Reader reader{segment};
  for (const KillPoint where :
       {KillPoint::claim_announced, KillPoint::claim_taken, KillPoint::commit_filled, KillPoint::commit_published}) {
    Child victim{[&](Link&) {
      Writer writer{Segment::open(name)};
      must_put(writer, {1, 0}, 9);
      kill_point::arm(where, kill_self);
      for (std::uint32_t number = 1; number < 50; ++number) must_put(writer, {1, number}, 100);
    }};
    BOOST_TEST(eventually([&] {
      read_aligned(reader, alignment);
      return victim.has_ended();
    }));
    recover(segment);
    Writer writer{segment, {.timeout = kPatience}};
    for (std::uint32_t number = 0; number < 50; ++number) {
      must_put(writer, {2, number}, 100);
      read_aligned(reader, alignment);
    }
    BOOST_TEST(broken_invariant(segment) == "");
  }
}

BOOST_DATA_TEST_CASE(others_are_refused_with_what_would_do, data::make({0U, 4U, 12U, 128U}), alignment) {
  const auto create = [&] { Segment::bytes_needed({.payload_alignment = alignment}); };
  BOOST_TEST((error_of(create) == Errc::invalid_argument));
  BOOST_TEST(message_of(create).find("8, 16, 32 or 64") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_is_one_of_the_streams_options) {
  const HeapSegment segment{{.payload_alignment = 32}};
  BOOST_TEST(segment.options().payload_alignment == 32U);
  const auto differences = segment.differences({});
  BOOST_TEST(differences == std::vector<std::string>{"payload_alignment 32, not 8"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
