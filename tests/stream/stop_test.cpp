// A wait for space that the user ends.
#include <sapbuf/sapbuf.hpp>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "support/child.hpp"

namespace sapbuf::test {
namespace {

BOOST_AUTO_TEST_SUITE(stop)

BOOST_AUTO_TEST_CASE(a_stopped_wait_is_not_counted_and_may_be_repeated) {
  for (const auto order : {Order::per_writer, Order::total}) {
    const TestName name;
    const Segment segment = Segment::create(name, {.slab_bytes = 4096, .order = order});
    Reader reader{segment};
    std::atomic<bool> stop{false};
    Writer writer{segment, {.stop = &stop}};
    const std::string line(500, 'x');
    std::atomic<std::uint64_t> written{0};
    Status last = Status::ok;
    std::thread blocked{[&] {
      while ((last = writer.write(line)) == Status::ok) ++written;
    }};
    // It stands still once both slabs are full.
    const auto is_full = [&] {
      const Snapshot now = inspect(segment);
      return now.generation == 2 && now.slabs[1].used_bytes + 508 > 4096 && written >= 8;
    };
    BOOST_TEST(eventually(is_full));
    stop = true;
    blocked.join();
    BOOST_TEST((last == Status::stopped));
    const Ledger ledger = inspect(segment).participants.back().ledger;
    BOOST_TEST(ledger.committed == written.load());
    BOOST_TEST(ledger.dropped + ledger.aborted + ledger.abandoned == 0U);

    stop = false;
    std::uint64_t read = 0;
    while (reader.wait_for(std::chrono::nanoseconds{0})) {
      for (const Frame& frame : reader.pin()) read += frame.bytes().size() / line.size();
    }
    BOOST_TEST(read == written.load());
    BOOST_TEST((writer.write(line) == Status::ok));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
