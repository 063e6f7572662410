// One message: reserve, fill, commit or abort; every size and type that may be, and those that may not.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

// One writer and one reader on memory of this process.
struct Stream {
  Stream(Order order, OnFull on_full, std::uint64_t slab_bytes = 16384, std::uint64_t extent_bytes = 0)
      : segment{{.slab_bytes = slab_bytes, .order = order, .extent_bytes = extent_bytes, .on_full = on_full}} {}

  Ledger written() { return ledger_of(segment, writer.slot()); }
  std::size_t next_size() {
    std::size_t size = ~std::size_t{0};
    for (const Frame& frame : reader.pin()) {
      size = frame.bytes().size();
      break;
    }
    return size;
  }

  HeapSegment segment;
  Reader reader{segment};
  Writer writer{segment, {.timeout = 20ms}};
};

using Texts = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(message)

BOOST_DATA_TEST_CASE(what_is_committed_is_read, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  BOOST_TEST(stream.writer.write("hello") == Status::ok);
  BOOST_TEST(texts(stream.reader) == Texts{"hello"}, boost::test_tools::per_element());
  BOOST_TEST(stream.written().committed == 1U);
  BOOST_TEST(stream.written().committed_bytes == 5U);
}

BOOST_DATA_TEST_CASE(nothing_is_read_before_it_is_committed, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reservation open = stream.writer.reserve(8);
  BOOST_TEST(!stream.reader.wait_for(0ms));
  BOOST_TEST(texts(stream.reader).empty());
  open.commit();
  BOOST_TEST(stream.reader.wait_for(0ms));
}

std::vector<FramePosition> positions_of(Reader& reader) {
  std::vector<FramePosition> positions;
  for (const Frame& frame : reader.pin()) positions.push_back(frame.position());
  return positions;
}

std::vector<FramePosition> positions_in_dump(const Segment& segment) {
  std::vector<FramePosition> positions;
  dump(segment, [&](const FrameRecord& frame) {
    if (frame.kind == "message") positions.push_back({frame.generation, frame.offset});
  });
  return positions;
}

BOOST_DATA_TEST_CASE(a_position_is_where_a_dump_shows_the_message, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  for (const char* text : {"one", "two", "three"}) BOOST_TEST(stream.writer.write(text) == Status::ok);
  BOOST_CHECK(positions_of(stream.reader) == positions_in_dump(stream.segment));
  BOOST_CHECK(Frame{}.position() == FramePosition{});
}

BOOST_DATA_TEST_CASE(positions_of_a_writer_only_grow_also_when_slabs_are_used_again, kEveryStream, order, on_full) {
  Stream stream{order, on_full, 4096};
  std::vector<FramePosition> seen;
  for (std::uint32_t round = 0; round < 20; ++round) {
    put_until_refused(stream.writer, {1, round * 5}, 5, 200);
    for (const FramePosition position : positions_of(stream.reader)) seen.push_back(position);
  }
  BOOST_TEST(seen.size() == 100U);
  BOOST_TEST(seen.back().generation > 4U);
  BOOST_CHECK(std::ranges::is_sorted(seen, std::less{}));
  BOOST_CHECK(std::ranges::adjacent_find(seen) == seen.end());
}

BOOST_DATA_TEST_CASE(a_commit_of_fewer_bytes_keeps_the_first_ones, kEveryStream, order, on_full) {
  for (const std::size_t reserved : {1U, 8U, 9U, 16U, 100U}) {
    for (std::size_t kept = 0; kept <= reserved; kept += 1 + kept / 4) {
      Stream stream{order, on_full};
      Reservation open = stream.writer.reserve(reserved);
      std::fill(open.bytes().begin(), open.bytes().end(), std::byte{'x'});
      open.commit(kept);
      BOOST_TEST(stream.writer.write("next") == Status::ok);
      BOOST_TEST(texts(stream.reader) == (Texts{std::string(kept, 'x'), "next"}), boost::test_tools::per_element());
      BOOST_TEST(stream.written().committed_bytes == kept + 4);
    }
  }
}

BOOST_DATA_TEST_CASE(a_commit_of_more_bytes_than_reserved_keeps_those_reserved, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  stream.writer.reserve(3).commit(1000);
  BOOST_TEST(stream.next_size() == 3U);
}

BOOST_DATA_TEST_CASE(an_aborted_message_is_never_read, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  stream.writer.reserve(100).abort();
  BOOST_TEST(!stream.reader.wait_for(0ms));
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  BOOST_TEST(texts(stream.reader) == Texts{"after"}, boost::test_tools::per_element());
  BOOST_TEST(stream.written().aborted == 1U);
  BOOST_TEST(stream.written().committed == 1U);
}

BOOST_DATA_TEST_CASE(a_reservation_that_goes_out_of_scope_aborts, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  { const Reservation open = stream.writer.reserve(100); }
  BOOST_TEST(stream.written().aborted == 1U);
  BOOST_TEST(stream.writer.write("after") == Status::ok);
  BOOST_TEST(texts(stream.reader) == Texts{"after"}, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_reservation_counts_once_however_often_it_is_ended, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reservation open = stream.writer.reserve(4);
  open.commit();
  open.commit();
  open.abort();
  open = stream.writer.reserve(4);
  open.abort();
  open.commit();
  BOOST_TEST(stream.written().committed == 1U);
  BOOST_TEST(stream.written().aborted == 1U);
  BOOST_TEST(texts(stream.reader).size() == 1U);
}

BOOST_DATA_TEST_CASE(a_moved_reservation_is_the_same_reservation, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reservation open = stream.writer.reserve(2);
  Reservation moved = std::move(open);
  open.commit();
  BOOST_TEST(!stream.reader.wait_for(0ms));
  moved.commit();
  BOOST_TEST(stream.reader.wait_for(0ms));
}

BOOST_DATA_TEST_CASE(a_second_reservation_waits_for_the_end_of_the_first, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Reservation first = stream.writer.reserve(8);
  BOOST_TEST(stream.writer.reserve(8).status() == Status::already_reserved);
  BOOST_TEST(stream.writer.write("no") == Status::already_reserved);
  BOOST_TEST(stream.writer.reserve(9000).status() == Status::already_reserved);
  std::memcpy(first.bytes().data(), "first..", 8);
  first.commit(5);
  BOOST_TEST(stream.writer.write("second") == Status::ok);
  BOOST_TEST(texts(stream.reader) == (Texts{"first", "second"}), boost::test_tools::per_element());
  BOOST_TEST(stream.written().committed == 2U);
}

BOOST_DATA_TEST_CASE(a_writer_that_was_closed_says_so, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  stream.writer.close();
  BOOST_TEST(stream.writer.write("no") == Status::closed);
  BOOST_TEST(stream.writer.reserve(1 << 30).status() == Status::closed);
  BOOST_TEST(stream.writer.slot() == ~0U);
  stream.writer.close();
}

BOOST_DATA_TEST_CASE(a_writer_that_was_moved_from_is_closed_and_the_new_one_goes_on, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  BOOST_TEST(stream.writer.write("one") == Status::ok);
  Writer moved = std::move(stream.writer);
  BOOST_TEST(stream.writer.write("no") == Status::closed);
  BOOST_TEST(moved.write("two") == Status::ok);
  stream.writer = std::move(moved);
  BOOST_TEST(stream.writer.write("three") == Status::ok);
  BOOST_TEST(texts(stream.reader) == (Texts{"one", "two", "three"}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(a_reader_that_was_closed_says_so, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  stream.reader.close();
  BOOST_TEST(error_of([&] { stream.reader.wait_for(0ms); }) == Errc::invalid_argument);
  BOOST_TEST(error_of([&] { static_cast<void>(stream.reader.pin()); }) == Errc::invalid_argument);
}

BOOST_DATA_TEST_CASE(user_types_come_through_at_their_limits, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  const std::vector<std::uint16_t> types{0, 1, 255, 256, 65534, 65535};
  for (const std::uint16_t type : types) BOOST_TEST(stream.writer.write("x", type) == Status::ok);
  std::vector<std::uint16_t> seen;
  for (const Frame& frame : stream.reader.pin()) seen.push_back(frame.type());
  BOOST_TEST(seen == types, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(payloads_are_aligned_to_eight_bytes_on_both_sides, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  for (std::size_t size = 0; size < 40; ++size) {
    Reservation open = stream.writer.reserve(size);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(open.bytes().data()) % 8 == 0U);
    BOOST_TEST(open.bytes().size() == size);
    open.commit();
  }
  for (const Frame& frame : stream.reader.pin()) {
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(frame.bytes().data()) % 8 == 0U);
  }
}

// Around a word, an extent, several extents, and up to all that fits a slab.
BOOST_DATA_TEST_CASE(every_size_that_fits_comes_through_whole, kEveryStream, order, on_full) {
  const std::size_t extent = 1024;
  Stream stream{order, on_full, 16384, order == Order::per_writer ? extent : 0};
  const std::size_t largest = stream.segment.max_message_bytes();
  std::vector<std::size_t> sizes{0, 1, 7, 8, 9, 15, 16, 17};
  for (const std::size_t middle : {extent, 2 * extent, 3 * extent, largest / 2}) {
    for (std::size_t size = middle - 48; size <= middle + 48; ++size) sizes.push_back(size);
  }
  for (std::size_t size = largest - 40; size <= largest; ++size) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    BOOST_TEST_CONTEXT("size " << size) {
      const std::string text(size, static_cast<char>('a' + size % 26));
      BOOST_TEST_REQUIRE(stream.writer.write(text) == Status::ok);
      BOOST_TEST((texts(stream.reader) == Texts{text}));
    }
  }
  BOOST_TEST(stream.reader.lost() == 0U);
}

BOOST_DATA_TEST_CASE(the_same_sizes_come_through_when_the_reader_lags_behind, data::make(kOrders), order) {
  Stream stream{order, OnFull::block, 65536, order == Order::per_writer ? 512u : 0u};
  Texts written;
  for (std::size_t size = 0; size < 250; ++size) {
    written.emplace_back(size, static_cast<char>('a' + size % 26));
    BOOST_TEST_REQUIRE(stream.writer.write(written.back()) == Status::ok);
  }
  BOOST_TEST((texts(stream.reader) == written));
}

BOOST_DATA_TEST_CASE(one_byte_more_than_fits_is_refused_at_once, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  const std::size_t largest = stream.segment.max_message_bytes();
  for (const std::size_t size :
       {largest + 1, largest + 8, std::size_t{1} << 32, ~std::size_t{0} - 8, ~std::size_t{0}}) {
    BOOST_TEST(stream.writer.reserve(size).status() == Status::too_large);
  }
  const Ledger ledger = stream.written();
  BOOST_TEST(ledger.committed + ledger.aborted + ledger.dropped + ledger.abandoned == 0U);
  BOOST_TEST(stream.writer.write("still well") == Status::ok);
  BOOST_TEST(stream.reader.wait_for(0ms));
}

BOOST_DATA_TEST_CASE(the_largest_message_fits_the_smallest_and_the_oddest_slabs, data::make(kOrders), order) {
  for (const std::uint64_t slab_bytes : {4096U, 12288U, 20480U, 1U << 20}) {
    Stream stream{order, OnFull::block, slab_bytes};
    const std::string text(stream.segment.max_message_bytes(), 'm');
    for (int i = 0; i < 5; ++i) {
      BOOST_TEST_REQUIRE(stream.writer.write(text) == Status::ok);
      BOOST_TEST((texts(stream.reader) == Texts{text}));
    }
  }
}

BOOST_DATA_TEST_CASE(extents_as_large_as_the_slab_work, data::make(kPolicies), on_full) {
  Stream stream{Order::per_writer, on_full, 8192, 8192};
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(stream.writer.write(std::to_string(i)) == Status::ok);
    BOOST_TEST((texts(stream.reader) == Texts{std::to_string(i)}));
  }
}

BOOST_DATA_TEST_CASE(full_fences_do_the_same, kEveryStream, order, on_full) {
  const HeapSegment segment{{.slab_bytes = 8192, .order = order, .on_full = on_full, .fences = Fences::full}};
  BOOST_TEST(segment.options().fences == Fences::full);
  Reader reader{segment};
  Writer writer{segment};
  Log log;
  for (std::uint32_t number = 0; number < 2000; ++number) {
    BOOST_TEST_REQUIRE(put(writer, {1, number}, size_of({1, number}, 200)) == Status::ok);
    if (number % 10 == 0) log.read(reader);
  }
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 2000));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
