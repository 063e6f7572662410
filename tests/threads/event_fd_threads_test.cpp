// Descriptors beside writers in other threads: the thread of a descriptor shares memory with its handle.
#include <boost/test/unit_test.hpp>

#include <thread>

#include "support/readable.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(event_fd_threads)

BOOST_AUTO_TEST_CASE(a_reader_and_a_writer_wait_for_each_other_by_descriptors) {
  const HeapSegment segment{{.slab_bytes = 4096, .extent_bytes = 1024}};
  constexpr std::uint32_t kCount = kSlow ? 2'000 : 20'000;
  Reader reader{segment};
  std::jthread writing{[&] {
    Writer writer{segment, {.timeout = 0ms}};
    const int descriptor = writer.event_fd();
    for (std::uint32_t number = 0; number < kCount;) {
      if (put(writer, {1, number}, 100) == Status::ok) {
        ++number;
      } else if (!becomes_readable(descriptor)) {
        return;
      }
    }
  }};
  const int descriptor = reader.event_fd();
  Log log;
  while (log.size() < kCount) {
    BOOST_TEST_REQUIRE(becomes_readable(descriptor));
    log.read(reader);
  }
  BOOST_TEST((log.torn() == 0 && log.in_order()));
}

BOOST_AUTO_TEST_CASE(handles_with_descriptors_come_and_go_beside_one_who_wakes_them) {
  const HeapSegment segment{{.slab_bytes = 4096, .extent_bytes = 1024, .on_full = OnFull::overwrite}};
  std::jthread writing{[&](const std::stop_token& stop) {
    Writer writer{segment};
    for (std::uint32_t number = 0; !stop.stop_requested(); ++number) static_cast<void>(put(writer, {1, number}, 100));
  }};
  for (int round = 0; round < (kSlow ? 50 : 300); ++round) {
    Reader reader{segment, {.from = From::newest}};
    BOOST_TEST(becomes_readable(reader.event_fd()));
    for (int look = 0; look < round % 5; ++look) texts(reader);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
