// Cells, many threads at once: what is read is whole, versions never go back, and no update is lost.
#include <boost/test/unit_test.hpp>

#include <thread>

#include "cell/cell_fixture.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using Value = std::array<std::uint64_t, 9>;

constexpr std::uint64_t kUpdates = kSlow ? 5'000 : 100'000;  // of each writer

BOOST_AUTO_TEST_SUITE(cell_threads)

BOOST_AUTO_TEST_CASE(nobodys_update_is_lost_and_nothing_is_read_torn) {
  const CellFixture fixture;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  const Cell<Value> kept{fixture.segment, "value"};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const Cell<const Value> reader{fixture.segment, "value"};
      std::uint64_t newest = 0;
      while (!done.load()) {
        const auto [value, version] = reader.load_versioned();
        for (const std::uint64_t word : value) wrong += word == version ? 0 : 1;
        wrong += version >= newest ? 0 : 1;
        newest = version;
        reader.wait_changed(version, std::chrono::milliseconds{1});
      }
    });
  }
  std::vector<std::thread> writers;
  for (int i = 0; i < 2; ++i) {
    writers.emplace_back([&] {
      Cell<Value> writer{fixture.segment, "value"};
      for (std::uint64_t n = 0; n < kUpdates; ++n) {
        writer.update([](Value& value) { value.fill(value[0] + 1); });
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  BOOST_TEST(wrong.load() == 0U);
  BOOST_TEST(kept.load()[0] == 2 * kUpdates);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
