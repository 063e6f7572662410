// Handles that go, or are closed, while a range or a reservation of theirs is alive; and segments that are removed.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <optional>
#include <thread>

#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using Texts = std::vector<std::string>;

struct Stream {
  Stream(Order order, OnFull on_full, Fences fences = Fences::membarrier)
      : segment{{.slabs = 3, .slab_bytes = 4096, .order = order, .on_full = on_full, .fences = fences}} {}

  std::size_t attached() const { return inspect(segment).participants.size(); }

  HeapSegment segment;
};

// Messages enough for all slabs, as long as they are accepted.
void press(Writer& writer) { put_until_refused(writer, {9, 0}, 200, 200); }

BOOST_AUTO_TEST_SUITE(lifetime)

// --- Readers -------------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_reader_that_is_closed_inside_its_range_leaves_when_the_range_goes, kEveryStream, order,
                     on_full) {
  Stream stream{order, on_full};
  Writer writer{stream.segment};
  for (std::uint32_t number = 0; number < 10; ++number) must_put(writer, {1, number});
  Reader reader{stream.segment};
  Log log;
  {
    std::uint32_t number = 0;
    for (const Frame& frame : reader.pin()) {
      reader.close();
      BOOST_TEST(stream.attached() == 2U);
      press(writer);
      BOOST_TEST((tag_of(frame.bytes()) == Tag{1, number}));
      if (++number == 10) break;
    }
    BOOST_TEST(number == 10U);
  }
  BOOST_TEST(stream.attached() == 1U);
  BOOST_TEST(inspect(stream.segment).departed.delivered == 10U);
  BOOST_TEST(error_of([&] { reader.wait_for(0ms); }) == Errc::invalid_argument);
  BOOST_TEST(error_of([&] { static_cast<void>(reader.pin()); }) == Errc::invalid_argument);
  BOOST_TEST(error_of([&] { reader.skip_to_newest(); }) == Errc::invalid_argument);
  BOOST_TEST(reader.delivered() + reader.lost() + reader.skipped() == 0U);
  BOOST_TEST(!reader.missed_before().has_value());
  BOOST_TEST(!reader.is_current());
}

BOOST_DATA_TEST_CASE(a_range_outlives_its_reader, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer writer{stream.segment};
  must_put(writer, {1, 0}, 100);
  must_put(writer, {1, 1}, 100);
  std::optional<Reader> reader{stream.segment};
  {
    const PinnedRange range = reader->pin();
    auto at = range.begin();
    reader.reset();
    press(writer);
    BOOST_TEST((tag_of(at->bytes()) == Tag{1, 0}));
    ++at;
    BOOST_TEST((tag_of(at->bytes()) == Tag{1, 1}));
  }
  BOOST_TEST(stream.attached() == 1U);
}

BOOST_DATA_TEST_CASE(a_range_outlives_what_its_reader_becomes, kEveryStream, order, on_full) {
  Stream stream{order, on_full};
  Writer writer{stream.segment};
  must_put(writer, {1, 0}, 100);
  Reader reader{stream.segment, {.name = "first"}};
  {
    const PinnedRange range = reader.pin();
    const auto at = range.begin();
    reader = Reader{stream.segment, {.name = "second"}};
    BOOST_TEST(stream.attached() == 3U);
    press(writer);
    BOOST_TEST((tag_of(at->bytes()) == Tag{1, 0}));
    Reader moved = std::move(reader);
    BOOST_TEST(moved.wait_for(0ms));
  }
  BOOST_TEST(stream.attached() == 1U);
}

// The range holds the segment, too, whoever else lets go of it.
BOOST_AUTO_TEST_CASE(a_range_outlives_its_segment) {
  const TestName name;
  std::optional<PinnedRange> range;
  {
    const Segment segment = Segment::create(name, {.slab_bytes = 4096});
    must_put(*std::make_unique<Writer>(segment), {1, 0}, 100);
    Reader reader{segment};
    range.emplace(reader.pin());
  }
  Segment::remove(name);
  BOOST_TEST((tag_of(range->begin()->bytes()) == Tag{1, 0}));
}

// --- Writers -------------------------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_writer_that_is_closed_with_a_reservation_open_may_still_commit_it, kEveryPath, order, fences) {
  Stream stream{order, OnFull::block, fences};
  Reader reader{stream.segment};
  Writer writer{stream.segment};
  must_put(writer, {1, 0});
  Reservation open = writer.reserve(kTagBytes);
  writer.close();
  BOOST_TEST(writer.slot() == ~0U);
  BOOST_TEST(put(writer, {1, 9}) == Status::closed);
  fill(open.bytes(), {1, 1});
  open.commit();
  for (int i = 0; i < 3; ++i) BOOST_TEST(put(writer, {1, 9}) == Status::closed);
  BOOST_TEST(writer.reserve_batch(1, 8).status() == Status::closed);
  writer.close();
  BOOST_TEST(stream.attached() == 1U);
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 2));
  const Ledger departed = inspect(stream.segment).departed;
  BOOST_TEST(departed.committed == 2U);
  BOOST_TEST(departed.aborted + departed.abandoned + departed.dropped == 0U);
}

BOOST_DATA_TEST_CASE(or_abort_it, kEveryPath, order, fences) {
  Stream stream{order, OnFull::block, fences};
  Reader reader{stream.segment};
  {
    Writer writer{stream.segment};
    must_put(writer, {1, 0});
    {
      const Reservation open = writer.reserve(100);
      writer.close();
    }
    BOOST_TEST(put(writer, {1, 1}) == Status::closed);
  }
  BOOST_TEST(stream.attached() == 1U);
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 1));
  BOOST_TEST(inspect(stream.segment).departed.aborted == 1U);
}

BOOST_DATA_TEST_CASE(a_batch_may_be_committed_after_its_writer_was_closed, kEveryPath, order, fences) {
  Stream stream{order, OnFull::block, fences};
  Reader reader{stream.segment};
  {
    Writer writer{stream.segment};
    Batch batch = writer.reserve_batch(3, 3 * kTagBytes);
    fill(batch.append(kTagBytes), {1, 0});
    writer.close();
    fill(batch.append(kTagBytes), {1, 1});
    batch.commit();
  }
  Log log;
  log.read(reader);
  BOOST_TEST(log.is_complete(1, 2));
}

// What a closed writer has left open must not keep its slab for ever.
BOOST_DATA_TEST_CASE(a_writer_that_was_closed_in_between_is_in_nobodys_way, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader reader{stream.segment};
  Writer closed{stream.segment};
  Reservation open = closed.reserve(kTagBytes);
  closed.close();
  fill(open.bytes(), {2, 0});
  open.commit();
  Writer writer{stream.segment, {.timeout = kPatience}};
  Log log;
  for (std::uint32_t number = 0; number < 300; ++number) {
    must_put(writer, {1, number}, 200);
    log.read(reader);
  }
  BOOST_TEST(log.by_writer().at(2).size() == 1U);
  BOOST_TEST(log.by_writer().at(1).size() == 300U);
}

// --- One thread that waits for itself --------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(a_thread_that_would_wait_for_its_own_range_is_told, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Reader reader{stream.segment};
  Writer writer{stream.segment, {.timeout = kPatience}};
  must_put(writer, {1, 0}, 200);
  std::uint32_t written = 1;
  Status refusal = Status::ok;
  {
    const PinnedRange range = reader.pin();
    while ((refusal = put(writer, {1, written}, 200)) == Status::ok) ++written;
    BOOST_TEST(refusal == Status::would_deadlock);
    BOOST_TEST(put(writer, {1, written}, 200) == Status::would_deadlock);
  }
  BOOST_TEST(ledger_of(stream.segment, writer.slot()).dropped == 0U);
  Log log;
  while (log.read(reader) != 0) {
  }
  BOOST_TEST(log.is_complete(1, written));
  must_put(writer, {1, written}, 200);
}

BOOST_AUTO_TEST_CASE(also_if_it_opened_the_segment_twice) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Reader reader{Segment::open(name)};
  Writer writer{segment, {.timeout = kPatience}};
  must_put(writer, {1, 0}, 200);
  const PinnedRange range = reader.pin();
  Status refusal = Status::ok;
  while ((refusal = put(writer, {1, 1}, 200)) == Status::ok) {
  }
  BOOST_TEST(refusal == Status::would_deadlock);
}

// Another thread's range goes by itself; and a range of another stream is in nobody's way.
BOOST_DATA_TEST_CASE(who_waits_for_another_threads_range_waits, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  Stream other{order, OnFull::block};
  Writer into_other{other.segment};
  must_put(into_other, {1, 0});
  Reader of_other{other.segment};
  const PinnedRange elsewhere = of_other.pin();
  Writer writer{stream.segment};
  must_put(writer, {1, 0}, 200);
  std::atomic<bool> pinned{false};
  std::atomic<bool> goes_on{false};
  std::thread reading{[&] {
    Reader reader{stream.segment};
    {
      const PinnedRange range = reader.pin();
      pinned = true;
      static_cast<void>(eventually([&] { return main_stream(stream.segment).control().space.is_awaited(); }));
    }
    Log log;
    static_cast<void>(eventually([&] {
      log.read(reader);
      return goes_on.load();
    }));
  }};
  BOOST_TEST(eventually([&] { return pinned.load(); }));
  std::uint32_t written = 1;
  while (written < 200 && put(writer, {1, written}, 200) == Status::ok) ++written;
  goes_on = true;
  reading.join();
  BOOST_TEST(written == 200U);
}

// The oldest slab is another reader's, which may let go of it any moment.
BOOST_DATA_TEST_CASE(who_has_pinned_a_later_slab_waits_for_the_oldest, data::make(kOrders), order) {
  Stream stream{order, OnFull::block};
  const Reader slow{stream.segment};
  Reader reader{stream.segment};
  Writer writer{stream.segment, {.timeout = 20ms}};
  std::uint32_t written = 0;
  while (inspect(stream.segment).generation < 2) must_put(writer, {1, written++}, 200);
  Log log;
  BOOST_TEST(log.read_until(reader, written));
  must_put(writer, {1, written++}, 200);
  const PinnedRange range = reader.pin();
  BOOST_TEST((tag_of(range.begin()->bytes()) == Tag{1, written - 1}));
  Status refusal = Status::ok;
  while ((refusal = put(writer, {1, written}, 200)) == Status::ok) ++written;
  BOOST_TEST(refusal == Status::timeout);
}

// --- Segments that are removed
// -----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_participant_learns_that_its_segment_was_removed_or_replaced) {
  const TestName name;
  const Segment old = Segment::create(name, {.slab_bytes = 4096});
  Reader reader{old};
  const Reader outside{Segment::open(name)};
  BOOST_TEST(old.is_current());
  BOOST_TEST(reader.is_current());
  Segment::remove(name);
  BOOST_TEST(!old.is_current());
  BOOST_TEST(!reader.is_current());
  BOOST_TEST(!outside.is_current());
  const Segment anew = Segment::create(name, {.slab_bytes = 4096});
  BOOST_TEST(anew.is_current());
  BOOST_TEST(!old.is_current());
  BOOST_TEST(!reader.is_current());
  // They go on among themselves.
  Writer writer{old};
  must_put(writer, {1, 0});
  BOOST_TEST(reader.wait_for(0ms));
  const Reader moved = std::move(reader);
  BOOST_TEST(!moved.is_current());
}

BOOST_AUTO_TEST_CASE(a_segment_that_was_renamed_is_not_current_until_it_has_its_name_again) {
  const TestName name;
  const TestName other;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  const Reader reader{segment};
  const auto rename = [](const std::string& from, const std::string& to) {
    BOOST_TEST(std::rename(("/dev/shm/sapbuf." + from).c_str(), ("/dev/shm/sapbuf." + to).c_str()) == 0);
  };
  rename(name, other);
  BOOST_TEST(!segment.is_current());
  BOOST_TEST(!reader.is_current());
  BOOST_TEST(Segment::open(other).is_current());
  rename(other, name);
  BOOST_TEST(segment.is_current());
  BOOST_TEST(reader.is_current());
}

BOOST_AUTO_TEST_CASE(memory_that_was_supplied_is_always_current) {
  Stream stream{Order::per_writer, OnFull::block};
  Reader reader{stream.segment};
  BOOST_TEST(stream.segment.is_current());
  BOOST_TEST(reader.is_current());
  reader.close();
  BOOST_TEST(!reader.is_current());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
