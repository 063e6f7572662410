// pthread_cancel: a thread that is in the library goes on to the call's end, and is cancelled outside.
#include <pthread.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "platform/cancellation.hpp"
#include "pool/pool_core.hpp"
#include "queue/queue_core.hpp"
#include "segment/event_fd.hpp"
#include "stream/stream_core.hpp"
#include "support/address_space.hpp"
#include "support/child.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

// Runs `code` in a thread with a request to cancel it pending. True if the code came to its end, and then the thread
// was cancelled.
bool runs_through_cancelled(const std::function<void()>& code) {
  struct Run {
    const std::function<void()>& code;
    bool ended = false;
  } run{code};
  pthread_t thread{};
  const auto start = [](void* argument) -> void* {
    ::pthread_cancel(::pthread_self());
    auto& it = *static_cast<Run*>(argument);
    it.code();
    it.ended = true;
    ::pthread_testcancel();
    return nullptr;
  };
  if (::pthread_create(&thread, nullptr, start, &run) != 0) return false;
  void* result = nullptr;
  ::pthread_join(thread, &result);
  return run.ended && result == PTHREAD_CANCELED;
}

// In a process of its own, for what went wrong would end it.
int status_of(const std::function<void()>& code) {
  return Child{[&](Link&) {
           if (!runs_through_cancelled(code)) throw std::runtime_error("cancelled in the middle");
         }}
      .wait();
}

BOOST_AUTO_TEST_SUITE(cancel)

BOOST_DATA_TEST_CASE(cold_calls_come_to_their_end, data::make(kOrders), order) {
  const TestName name;
  BOOST_TEST(status_of([&] {
               {
                 const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order});
                 const Segment again = Segment::open(name);
                 const Segment third = Segment::open_or_create(name, {});
                 static_cast<void>(Segment::list());
                 Writer writer{segment};
                 must_put(writer, {1, 0});
                 Reader reader{again, {.from = From::newest}};
                 if (reader.wait_for(5ms)) throw std::runtime_error("nothing should be there");
                 static_cast<void>(recover(third));
                 static_cast<void>(find_dead(third));
                 static_cast<void>(inspect(third));
                 static_cast<void>(inspect(name));
                 dump(name, [](const FrameRecord&) {});
               }
               Segment::remove(name);
             }) == 0);
}

// A writer that waits for space looks for the dead, and naps where somebody else is doing so.
BOOST_DATA_TEST_CASE(a_blocked_writer_comes_to_the_end_of_its_wait, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order});
  Child dead{[&](Link& link) {
    const Reader reader{Segment::open(name)};
    link.say(1);
    link.hear();
  }};
  dead.hear();
  Writer writer{segment, {.timeout = 0ms}};
  while (put(writer, {1, 0}, 200) == Status::ok) {
  }
  dead.kill();
  BOOST_TEST_REQUIRE(segment.core()->locks().try_lock(layout::kMaintenanceLocks));
  BOOST_TEST(status_of([&] {
               const Segment own = Segment::open(name);
               Writer blocked{own, {.timeout = 50ms}};
               if (put(blocked, {2, 0}, 2000) != Status::timeout) throw std::runtime_error("it should be full");
             }) == 0);
  segment.core()->locks().unlock(layout::kMaintenanceLocks);
}

// Somebody waits, and somebody else has the pool's lock: so whoever acquires or releases tries to serve, and waits for
// the lock; and so does the last buffer of a user that is closed, which detaches it.
BOOST_AUTO_TEST_CASE(calls_of_pools_come_to_their_end) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 1});
  const std::uint64_t lock = pool.core()->maintenance_lock();
  BOOST_TEST_REQUIRE(segment.core()->locks().try_lock(lock));
  pool.core()->control().waiting.store(1);
  BOOST_TEST(status_of([&] {
               const Pool own = Pool::open(Segment::open(name), "frames");
               PoolUser user{own};
               PoolUser other{own};
               Buffer buffer = user.acquire();
               if (other.acquire().status() != Status::exhausted) throw std::runtime_error("there should be none");
               if (other.acquire_for(3ms).status() != Status::timeout) throw std::runtime_error("there should be none");
               buffer.release();
               buffer = user.acquire();
               if (!buffer) throw std::runtime_error("there should be one");
               user.close();
               buffer.release();
             }) == 0);
  segment.core()->locks().unlock(lock);
}

// Behind a look that found nothing a descriptor is read empty, and written where there may be something.
BOOST_AUTO_TEST_CASE(calls_beside_a_descriptor_come_to_their_end) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096});
  Queue::create(segment, "jobs", {.slots = 1, .block_bytes = 64});
  Map::create(segment, "state", {});
  BOOST_TEST(status_of([&] {
               const Segment own = Segment::open(name);
               Reader reader{own};
               reader.event_fd();
               for (const Frame& frame : reader.pin()) {
                 throw std::runtime_error("nothing should be there, and " + std::to_string(frame.bytes().size()) +
                                          " bytes are");
               }
               static_cast<void>(reader.wait_for(0ms));
               static_cast<void>(reader.is_finished());
               Writer writer{own, {.timeout = 0ms}};
               writer.event_fd();
               while (put(writer, {1, 0}, 200) == Status::ok) {
               }
               const Queue jobs = Queue::open(own, "jobs");
               Producer producer{jobs};
               producer.event_fd();
               Consumer consumer{jobs};
               consumer.event_fd();
               if (consumer.take()) throw std::runtime_error("nothing should be there");
               if (producer.reserve(1).release() != 1) throw std::runtime_error("there should be room");
               if (producer.reserve(1)) throw std::runtime_error("there should be no room");
               MapReader view{Map::open(own, "state")};
               view.event_fd();
             }) == 0);
}

// Also one that no thread can be had for.
BOOST_AUTO_TEST_CASE(a_descriptor_is_made_and_goes_whole) {
  const TestName name;
  const Segment segment = Segment::create(name, {});
  BOOST_TEST(status_of([&] {
               const Segment own = Segment::open(name);
               detail::EventFd{*own.core()}.make_readable();
             }) == 0);
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  BOOST_TEST(status_of([&] {
               const Segment own = Segment::open(name);
               {
                 const platform::Uncancellable while_it_is_set;
                 limit_address_space(1 << 20);
               }
               if (error_of([&] { detail::EventFd{*own.core()}; }) == nothing())
                 throw std::runtime_error("there was one");
             }) == 0);
}

// Somebody else has the queue's lock: so the producer that goes with its last reservation waits for it.
BOOST_AUTO_TEST_CASE(the_last_reservation_of_a_closed_producer_comes_to_its_end) {
  const TestName name;
  const Segment segment = Segment::create(name, {.main_stream = false});
  const Queue queue = Queue::create(segment, "jobs", {.slots = 1, .block_bytes = 64});
  const std::uint64_t lock = queue.core()->maintenance_lock();
  BOOST_TEST_REQUIRE(segment.core()->locks().try_lock(lock));
  BOOST_TEST(status_of([&] {
               std::optional<Producer> producer{std::in_place, Queue::open(Segment::open(name), "jobs")};
               producer->event_fd();
               ReservedBlocks last = producer->reserve(1);
               producer.reset();
             }) == 0);
  segment.core()->locks().unlock(lock);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
