// Buffers attached to messages: they live as long as the message can be read, and no longer than somebody needs them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>

#include <sapbuf/detail/kill_point.hpp>

#include "pool/pool_core.hpp"
#include "segment/maintenance_lock.hpp"
#include "stream/stream_core.hpp"
#include "support/attached.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

std::vector<std::uint64_t> row(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = first + i;
  return all;
}

// The pool has 64, and does not grow for them.
std::vector<Buffer> take_all_at_first(PoolUser& user) {
  std::vector<Buffer> all;
  for (int i = 0; i < 64; ++i) all.push_back(user.acquire());
  std::sort(all.begin(), all.end(),
            [](const Buffer& one, const Buffer& other) { return one.bytes().data() < other.bytes().data(); });
  return all;
}

PoolSnapshot snapshot_of(const Segment& segment) { return *inspect(segment).facilities.back().pool; }

BOOST_AUTO_TEST_SUITE(attach)

BOOST_DATA_TEST_CASE(a_reader_adopts_what_is_attached, kEveryStream* kEveryFence, order, on_full, fences) {
  const AttachFixture fixture{order, on_full, 16, 0, fences};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser sender{fixture.pool};
  PoolUser receiver{fixture.pool};
  BOOST_TEST((put(writer, sender, 10) == Status::ok));
  BOOST_TEST((put(writer, sender, 20, 3) == Status::ok));
  BOOST_TEST((writer.write("nothing attached") == Status::ok));
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
  const AttachFixture fixture{order};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  {
    PoolUser sender{fixture.pool};
    for (std::uint64_t i = 0; i < 16; ++i) BOOST_TEST((put(writer, sender, i) == Status::ok));
    BOOST_TEST((sender.acquire().status() == Status::exhausted));  // its reader has read nothing yet
  }
  PoolUser receiver{fixture.pool};
  BOOST_TEST(numbers(reader, receiver) == row(0, 16), boost::test_tools::per_element());
  // Neither slab is full, but all of it was read: so it is let go when somebody needs a buffer, and the reader has seen
  // that the stream went on.
  BOOST_TEST(!reader.wait_for(0ms));
  count_acquirable(fixture.pool);
  BOOST_TEST(!reader.wait_for(0ms));
  BOOST_TEST(count_acquirable(fixture.pool) == 16U);
}

BOOST_DATA_TEST_CASE(what_a_reader_adopted_stays, data::make(kOrders) * data::make(kPolicies), order, on_full) {
  const AttachFixture fixture{order, on_full};
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
  const AttachFixture fixture{order};
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
    Buffer next = sender.acquire();
    if (!next) {  // the stream went on to another slab, and the reader has to see that
      reader.wait_for(0ms);
      next = sender.acquire();
    }
    BOOST_TEST_REQUIRE(static_cast<bool>(next));
    next.share();
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(std::move(next))));
    slot.commit();
    for ([[maybe_unused]] const Frame& frame : reader.pin()) {
    }
  }
}

BOOST_DATA_TEST_CASE(what_is_aborted_lets_go, kEveryPath, order, fences) {
  const AttachFixture fixture{order, OnFull::block, 4, 0, fences};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  for (int round = 0; round < 20; ++round) {
    reader.wait_for(0ms);  // what was aborted took room in the array all the same: there are flips
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
  const AttachFixture fixture{order, OnFull::block, 16, 0, fences};
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
  const AttachFixture fixture;
  const AttachFixture other;
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

// Room in the array: the first buffer of a reservation always finds some, and then the writers go on to another slab.
BOOST_DATA_TEST_CASE(a_full_array_ends_the_slab, kEveryPath, order, fences) {
  const AttachFixture fixture{order, OnFull::drop, 64, 4, fences};
  Writer writer{fixture.segment};
  Writer late{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  const std::uint64_t first = generation_of(fixture.segment);
  must_put(late, {0, 0});  // it has an extent, or has seen the slab
  Reservation open = late.reserve(8);
  for (std::uint64_t i = 0; i < 3; ++i) BOOST_TEST((put(writer, user, i) == Status::ok));
  {
    Reservation slot = writer.reserve(8);
    BOOST_TEST(static_cast<bool>(slot.attach(filled(user, 3))));
    Buffer refused = filled(user, 4);
    BOOST_TEST((slot.attach(std::move(refused)) == Status::attachments_full));
    BOOST_TEST(static_cast<bool>(refused));
    slot.commit();
  }
  BOOST_TEST(static_cast<bool>(open.attach(filled(user, 5))));  // of those kept for the first one
  open.commit();
  BOOST_TEST(generation_of(fixture.segment) == first);
  BOOST_TEST((put(writer, user, 6, 3) == Status::ok));
  BOOST_TEST(generation_of(fixture.segment) == first + 1);
  BOOST_TEST((put(late, user, 9) == Status::ok));
  // Both slabs' arrays are full, and the reader has read nothing: as in a stream whose slabs are full of messages. Who
  // has not attached anything since then does not know it yet.
  BOOST_TEST((put(late, user, 10) == Status::full));
  const bool had_room = put(writer, user, 10) == Status::ok;
  BOOST_TEST((put(writer, user, 11) == Status::full));
  std::size_t messages = 0;
  for (const Frame& frame : reader.pin()) messages += frame.attachments().empty() ? 0 : 1;
  BOOST_TEST(messages == (had_room ? 8U : 7U));
  reader.wait_for(0ms);
  BOOST_TEST((put(writer, user, 10) == Status::ok));
}

BOOST_DATA_TEST_CASE(more_than_a_slab_can_have_is_refused_for_good, kEveryPath, order, fences) {
  const AttachFixture fixture{order, OnFull::block, 16, 2, fences};
  Writer writer{fixture.segment, {.timeout = 0ms}};
  PoolUser user{fixture.pool};
  for (int round = 0; round < 5; ++round) {
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    for (std::uint64_t i = 0; i < 2; ++i) BOOST_TEST(static_cast<bool>(slot.attach(filled(user, i))));
    BOOST_TEST((slot.attach(filled(user, 2)) == Status::attachments_full));
  }
}

// Frames of a pool that are attached to messages so small that no slab is ever full: without shedding the producer would
// wait for ever.
BOOST_DATA_TEST_CASE(nobody_starves_because_of_what_was_read, kEveryStream, order, on_full) {
  const AttachFixture fixture{order, on_full, 4};
  constexpr std::uint64_t kFrames = 100;
  Child consumer{[&](Link& link) {
    const Segment own = Segment::open(fixture.name);
    Reader reader{own};
    PoolUser user{Pool::open(own, "frames")};
    link.say(1);
    std::uint64_t got = 0;
    std::uint64_t wrong = 0;
    while (got + reader.lost() < kFrames) {
      if (!reader.wait_for(kPatience)) break;
      for (const Frame& frame : reader.pin()) {
        for (const BufferReference& reference : frame.attachments()) {
          const Buffer adopted = user.adopt(reference);
          if (number_in(adopted.bytes()) != number_in(frame.bytes())) ++wrong;
        }
        ++got;
      }
    }
    link.say(got + reader.lost());
    link.say(wrong);
  }};
  BOOST_TEST(consumer.hear() == 1U);
  Writer writer{fixture.segment};
  PoolUser user{fixture.pool};
  for (std::uint64_t i = 0; i < kFrames; ++i) {
    Buffer frame = user.acquire_for(kPatience);
    BOOST_TEST_REQUIRE(static_cast<bool>(frame), to_string(frame.status()));
    std::memcpy(frame.bytes().data(), &i, sizeof i);
    Reservation slot = writer.reserve(sizeof i);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot), to_string(slot.status()));
    std::memcpy(slot.bytes().data(), &i, sizeof i);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(std::move(frame))));
    slot.commit();
  }
  BOOST_TEST(consumer.hear() == kFrames);
  BOOST_TEST(consumer.hear() == 0U);
  BOOST_TEST(consumer.wait() == 0);
  BOOST_TEST(count_acquirable(fixture.pool) == 4U);
}

// One thread that writes and reads by turns: nobody else is there to see a flip while it waits for a buffer.
BOOST_DATA_TEST_CASE(a_thread_that_reads_what_it_writes_finds_buffers, kEveryStream* data::make({1, 2}), order, on_full,
                     count) {
  const AttachFixture fixture{order, on_full, 8};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto buffers = static_cast<std::uint64_t>(count);
    BOOST_TEST_REQUIRE((put(writer, user, i, buffers) == Status::ok), "message " << i);
    BOOST_TEST_REQUIRE(numbers(reader, user) == row(i, buffers), boost::test_tools::per_element());
  }
}

// The same of large buffers: the pool's smallest ones are many more than it can have of these.
BOOST_DATA_TEST_CASE(a_thread_that_reads_what_it_writes_finds_buffers_of_its_size,
                     kEveryStream* data::make({1024, 3000, 4096}), order, on_full, bytes) {
  const AttachFixture fixture{order, on_full};
  const auto size = static_cast<std::uint64_t>(bytes);
  const Pool pool = Pool::create(fixture.segment, "sized", PoolOptions::for_sizes(64, 4096, std::uint64_t{8} * 4096));
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{pool};
  for (std::uint64_t i = 0; i < 200; ++i) {
    Buffer buffer = user.acquire(size);
    BOOST_TEST_REQUIRE(static_cast<bool>(buffer), "message " << i << ": " << to_string(buffer.status()));
    std::memcpy(buffer.bytes().data(), &i, sizeof i);
    Reservation slot = writer.reserve(sizeof i);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    std::memcpy(slot.bytes().data(), &i, sizeof i);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(std::move(buffer))));
    slot.commit();
    BOOST_TEST_REQUIRE(numbers(reader, user) == row(i, 1), boost::test_tools::per_element());
  }
}

// Each slab of a stream keeps two buffers, and nobody reads them.
void attach_to_many_slabs(const Segment& segment, PoolUser& user, std::uint64_t slabs, std::uint64_t count) {
  Writer writer{segment};
  for (std::uint64_t slab = 0; slab < slabs; ++slab) {
    BOOST_TEST_REQUIRE((put(writer, user, slab * count, count) == Status::ok));
  }
  BOOST_TEST_REQUIRE(generation_of(segment) + 1 >= slabs);
}

Segment make_many_slabs(const TestName& name, std::uint32_t attachments) {
  return Segment::create(name, {.slabs = 40, .slab_bytes = 4096, .order = Order::total, .attachments = attachments});
}

// As many as are needed are shed for one run, or for one large buffer.
BOOST_AUTO_TEST_CASE(a_run_is_made_of_what_many_slabs_keep) {
  const TestName name;
  const Segment segment = make_many_slabs(name, 2);
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = 64});
  PoolUser user{pool};
  attach_to_many_slabs(segment, user, 32, 2);
  BOOST_TEST(static_cast<bool>(user.acquire_run(64)));
}

BOOST_AUTO_TEST_CASE(a_large_buffer_is_made_of_what_many_slabs_keep) {
  const TestName name;
  const Segment segment = make_many_slabs(name, 2);
  const Pool pool = Pool::create(segment, "frames", {.min_bytes = 64, .max_bytes = 4096, .count = 64});
  PoolUser user{pool};
  attach_to_many_slabs(segment, user, 32, 2);
  BOOST_TEST(static_cast<bool>(user.acquire(4096)));
}

// What shedding frees does not make a run: then the pool grows for it, before all has been let go of.
BOOST_AUTO_TEST_CASE(shedding_keeps_no_pool_from_growing) {
  const TestName name;
  const Segment segment = make_many_slabs(name, 1);
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = 64, .max_count = 256});
  PoolUser user{pool};
  std::vector<Buffer> all = take_all_at_first(user);
  std::vector<Buffer> kept;
  Writer writer{segment};
  for (std::size_t i = 0; i < 64; ++i) {
    if (i % 2 == 0) {
      kept.push_back(std::move(all[i]));
      continue;
    }
    Reservation slot = writer.reserve(8);
    BOOST_TEST_REQUIRE(static_cast<bool>(slot));
    BOOST_TEST_REQUIRE(static_cast<bool>(slot.attach(std::move(all[i]))));
    slot.commit();
  }
  BOOST_TEST(static_cast<bool>(user.acquire_run(64)));
  BOOST_TEST(snapshot_of(segment).shared > 16U);
}

// It could free nothing, and its readers would get those messages yet.
BOOST_AUTO_TEST_CASE(nobody_sheds_while_another_one_keeps_the_pools_lock) {
  const AttachFixture fixture{Order::total, OnFull::overwrite, 4, 2};
  Writer writer{fixture.segment};
  PoolUser user{fixture.pool};
  PoolUser receiver{fixture.pool};
  for (std::uint64_t i = 0; i < 4; i += 2) BOOST_TEST((put(writer, user, i, 2) == Status::ok));
  Child stopped{[&](Link&) {
    const Pool own = Pool::open(Segment::open(fixture.name), "frames");
    const detail::MaintenanceLock lock{*own.core()};
    stop_self();
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  const std::uint64_t before = generation_of(fixture.segment);
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  BOOST_TEST(generation_of(fixture.segment) == before);
  Reader reader{fixture.segment, {.from = From::oldest}};
  BOOST_TEST(numbers(reader, receiver) == row(0, 4), boost::test_tools::per_element());
  stopped.kill();
}

// A stream that has nothing of the pool is left as it is.
BOOST_AUTO_TEST_CASE(only_streams_that_keep_something_of_the_pool_shed) {
  const AttachFixture fixture{Order::per_writer, OnFull::overwrite, 2};
  const Pool other = Pool::create(fixture.segment, "other", {.count = 1});
  Writer writer{fixture.segment};
  PoolUser user{fixture.pool};
  PoolUser of_other{other};
  BOOST_TEST((put(writer, user, 1) == Status::ok));
  const std::uint64_t before = generation_of(fixture.segment);
  const Buffer only = of_other.acquire();
  BOOST_TEST((of_other.acquire().status() == Status::exhausted));
  BOOST_TEST(generation_of(fixture.segment) == before);
  const Buffer first = user.acquire();
  BOOST_TEST(static_cast<bool>(user.acquire()));
  BOOST_TEST(generation_of(fixture.segment) == before + 1);
}

BOOST_DATA_TEST_CASE(a_stream_that_retains_keeps_them_for_its_first_reader, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order, .retain = true});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = 2});
  Writer writer{segment};
  PoolUser user{pool};
  for (std::uint64_t i = 0; i < 2; ++i) BOOST_TEST((put(writer, user, i) == Status::ok));
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  Reader reader{segment};
  BOOST_TEST(numbers(reader, user) == row(0, 2), boost::test_tools::per_element());
  static_cast<void>(user.acquire());
  reader.wait_for(0ms);
  BOOST_TEST(count_acquirable(pool) == 2U);
}

// What has nothing attached goes, too, if it is older than what has: a reader that comes later must not find a gap.
BOOST_DATA_TEST_CASE(a_reader_that_comes_after_shedding_finds_no_gap, data::make(kOrders) * data::make(kPolicies),
                     order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slabs = 4, .slab_bytes = 4096, .order = order, .on_full = on_full});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = 1});
  Writer writer{segment};
  PoolUser user{pool};
  for (std::uint32_t number = 0; generation_of(segment) < 2; ++number) must_put(writer, {0, number});
  BOOST_TEST((put(writer, user, 7) == Status::ok));
  for (std::uint32_t number = 0; generation_of(segment) < 4; ++number) must_put(writer, {0, number});
  BOOST_TEST(static_cast<bool>(user.acquire()));
  Log log;
  Reader reader{segment};
  BOOST_TEST(log.read(reader) > 0U);
  BOOST_TEST(generation_of(segment) == 4U);
}

// Roots in streams that the scanning process has not opened yet, or that were made behind it.
BOOST_DATA_TEST_CASE(roots_are_found_in_every_stream_of_the_segment, data::make(kOrders), order) {
  const AttachFixture fixture{order, OnFull::block, 2};
  PoolUser scanner{fixture.pool};
  Child sender{[&](Link& link) {
    const Segment own = Segment::open(fixture.name);
    const Stream stream = Stream::create(own, "side", {.slab_bytes = 4096, .order = order});
    const Reader reader{stream};  // keeps what nobody reads
    Writer writer{stream};
    PoolUser user{Pool::open(own, "frames")};
    link.say(put(writer, user, 1) == Status::ok ? 1 : 0);
    link.hear();
  }};
  BOOST_TEST(sender.hear() == 1U);
  const Buffer one = scanner.acquire();
  BOOST_TEST((scanner.acquire().status() == Status::exhausted));
  sender.kill();
  recover(fixture.segment);
  BOOST_TEST(static_cast<bool>(scanner.acquire()));
}

// Whoever was about to remove a stream and died has not decided anything: its messages can be read.
BOOST_AUTO_TEST_CASE(a_stream_that_somebody_died_removing_keeps_its_own) {
  const AttachFixture fixture{Order::per_writer, OnFull::block, 2};
  {
    const Stream side = Stream::create(fixture.segment, "side", {.slab_bytes = 4096});
    PoolUser user{fixture.pool};
    Writer writer{side};
    BOOST_TEST((put(writer, user, 1) == Status::ok));
  }
  Child remover{[&](Link&) {
    kill_point::arm(KillPoint::directory_closing, kill_self);
    Stream::remove(Segment::open(fixture.name), "side");
  }};
  BOOST_TEST(remover.wait() == -SIGKILL);
  const Segment opened_later = Segment::open(fixture.name);
  PoolUser user{Pool::open(opened_later, "frames")};
  const Buffer one = user.acquire();
  std::vector<std::uint64_t> roots;
  const auto all = detail::all_facilities(*opened_later.core());
  BOOST_TEST_REQUIRE(all.has_value());
  for (const auto& facility : *all) facility->collect_roots(fixture.pool.core()->id(), roots);
  BOOST_TEST(roots.size() == 1U);
  BOOST_TEST(Stream::remove(opened_later, "side"));
  BOOST_TEST(static_cast<bool>(user.acquire()));
}

// Of what a facility keeps that a newer version made, this one knows nothing.
BOOST_AUTO_TEST_CASE(nothing_is_freed_beside_a_facility_of_an_unknown_kind) {
  const AttachFixture fixture{Order::per_writer, OnFull::block, 1};
  Stream::create(fixture.segment, "side", {.slab_bytes = 4096});
  const auto set_kind = [&](std::uint64_t kind) {
    fixture.segment.core()->with_writable_directory(
        [&](layout::Directory& directory) { directory.entries[2].kind.store(kind); });
  };
  set_kind(77);
  const Segment own = Segment::open(fixture.name);
  PoolUser user{Pool::open(own, "frames")};
  static_cast<void>(user.acquire().share());  // nobody holds it any more
  BOOST_TEST((user.acquire().status() == Status::exhausted));
  set_kind(static_cast<std::uint64_t>(layout::FacilityKind::stream));
  BOOST_TEST(static_cast<bool>(user.acquire()));
}

// Whatever stands in the array or the header, a reader gets an error at worst.
BOOST_DATA_TEST_CASE(bad_bytes_cost_an_error, data::make(kOrders) * data::xrange(7), order, which) {
  const AttachFixture fixture{order};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  PoolUser user{fixture.pool};
  BOOST_TEST((put(writer, user, 1, 3) == Status::ok));
  detail::StreamCore& core = *Stream::open(fixture.segment).core();
  layout::AttachedBuffer& second = core.attached(0, 2);
  const layout::AttachedLink link{second.link.load()};
  switch (which) {
    case 0:
      second.root.store(0);
      break;
    case 1:
      second.link.store(layout::AttachedLink::make(link.pool(), 2, false).word);
      break;
    case 2:
      second.link.store(layout::AttachedLink::make(link.pool(), 1, false).word);
      break;
    case 3:
      second.link.store(layout::AttachedLink::make(link.pool(), layout::kMaxAttachedPlaces, false).word);
      break;
    case 4:
      second.link.store(layout::AttachedLink::make(link.pool(), 0, false).word);
      break;
    case 5:
      core.attached(0).count.store(~std::uint64_t{0});
      core.attached(0, 3).link.store(layout::AttachedLink::make(link.pool(), 4, false).word);
      break;
    default: {
      std::byte* const slab = core.slab_for_writing(0);
      layout::Word& header = layout::word_at(slab + (order == Order::total ? 0 : layout::kExtentFrameBytes));
      header.store(header.load() | std::uint64_t{layout::kMaxAttachedPlaces} << 48);
    }
  }
  std::size_t references = 0;
  for (const Frame& frame : reader.pin()) {
    for ([[maybe_unused]] const BufferReference& reference : frame.attachments()) ++references;
  }
  BOOST_TEST(references < 4U);
  BOOST_TEST(error_of([&] { static_cast<void>(reader.pin()); }) == Errc::corrupt);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
