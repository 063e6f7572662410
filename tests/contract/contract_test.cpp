// The lines by which pools, maps, cells and queues are introduced, as a program has them: they compile, and do what they
// say.
#include <boost/test/unit_test.hpp>

#include <sys/uio.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

struct Meta {
  std::uint64_t number;
};
struct Pose {
  double x, y;
};
constexpr std::uint16_t kFrame = 3;

void put_text(std::span<std::byte> bytes, std::string_view text) {
  std::memcpy(bytes.data(), text.data(), std::min(bytes.size(), text.size()));
}
std::string text_of(std::span<const std::byte> bytes, std::size_t most) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), most)};
}

BOOST_AUTO_TEST_CASE(a_pool_as_it_is_introduced) {
  if (std::filesystem::space("/dev/shm").available < (100u << 20)) return skip("/dev/shm has less than 100 MiB");
  const TestName name;
  auto segment = sapbuf::Segment::create(name);
  sapbuf::Writer writer{segment, {.name = "camera"}};
  sapbuf::Reader reader{segment, {.name = "screen"}};
  std::vector<sapbuf::Buffer> later;
  const auto capture = [](std::span<std::byte> bytes) { put_text(bytes, "a frame"); };

  auto pool =
      sapbuf::Pool::open_or_create(segment, "frames", {.buffer_bytes = 1 << 20, .count = 64, .max_count = 4096});
  BOOST_TEST(pool.created());
  BOOST_TEST(pool.count() == 64U);
  sapbuf::PoolUser mine{pool, {.name = "camera", .budget = 32}};
  if (sapbuf::Buffer frame = mine.acquire_for(5ms)) {
    BOOST_TEST(frame.bytes().size() == 1U << 20);
    capture(frame.bytes());
    if (auto slot = writer.reserve(sizeof(Meta), kFrame)) {
      slot.attach(std::move(frame));
      slot.commit();
    }
  }

  for (const sapbuf::Frame& message : reader.pin()) {
    BOOST_TEST(message.type() == kFrame);
    for (const sapbuf::BufferReference& reference : message.attachments())
      if (sapbuf::Buffer kept = mine.adopt(reference)) later.push_back(std::move(kept));
  }
  BOOST_REQUIRE(later.size() == 1U);
  BOOST_TEST(text_of(later.front().bytes(), 7) == "a frame");
}

BOOST_AUTO_TEST_CASE(a_run_as_it_is_introduced) {
  const TestName name;
  auto segment = sapbuf::Segment::create(name);
  auto pool = sapbuf::Pool::open_or_create(segment, "packets", {.buffer_bytes = 64, .count = 64, .max_count = 4096});
  sapbuf::PoolUser mine{pool, {.name = "relay"}};
  int ends[2];
  BOOST_REQUIRE(pipe(ends) == 0);
  const int fd = ends[0];
  BOOST_TEST(write(ends[1], "some bytes", 10) == 10);

  sapbuf::Run run = mine.acquire_run(1024);  // the pool grows for it
  const auto got = readv(fd, run.iovecs().data(), static_cast<int>(run.iovecs().size()));
  BOOST_TEST(got == 10);
  BOOST_TEST(run.size() == 1024U);
  BOOST_TEST(text_of(run.parts()[0], 10) == "some bytes");

  // A budget holds for these, too; nothing is read into none.
  sapbuf::PoolUser modest{pool, {.name = "camera", .budget = 32}};
  sapbuf::Run none = modest.acquire_run(1024);
  BOOST_TEST(none.status() == Status::over_budget);
  BOOST_TEST(none.iovecs().size() == 0U);
  close(ends[0]);
  close(ends[1]);
}

BOOST_AUTO_TEST_CASE(a_map_as_it_is_introduced) {
  const TestName name;
  auto segment = sapbuf::Segment::create(name, {.main_stream = false});
  std::map<std::uint64_t, std::string> used;  // by version
  const auto use = [&](std::span<const std::byte> bytes, std::uint64_t version) { used[version] = text_of(bytes, 6); };
  const auto encode = [](std::span<std::byte> bytes) { put_text(bytes, "limits"); };

  auto config = sapbuf::Map::open_or_create(segment, "config", {.keys = 4096});
  BOOST_TEST(config.created());
  sapbuf::MapReader view{config, {.name = "risk"}};
  auto limits = view.entry("limits");
  if (auto value = limits.read()) use(value.bytes(), value.version());
  BOOST_TEST(used.empty());  // nobody has written it yet
  std::uint64_t seen = 0;
  BOOST_TEST(!limits.wait_changed(seen, 50ms));

  sapbuf::MapWriter edit{config, {.name = "admin"}};
  auto next = edit.prepare("limits", 512);
  BOOST_TEST(next.bytes().size() == 512U);
  encode(next.bytes());
  static_cast<void>(next.flip());
  limits.wait_changed(seen, 50ms);
  if (auto value = limits.read()) use(value.bytes(), value.version());
  BOOST_TEST(used.size() == 1U);
  BOOST_TEST(used.begin()->second == "limits");

  BOOST_TEST(edit.put("count", "1") == Status::ok);
  static_cast<void>(edit.update("count", [](std::span<const std::byte> old, auto& fresh) {
    put_text(fresh.bytes(), text_of(old, 1) == "1" ? "2" : "?");
  }));
  BOOST_TEST(view.read("count").text() == "2");
}

BOOST_AUTO_TEST_CASE(a_cell_as_it_is_introduced) {
  const TestName name;
  auto segment = sapbuf::Segment::create(name, {.main_stream = false});
  const Pose now{.x = 1.5, .y = -2};

  sapbuf::Cell<Pose> pose{segment, "pose"};
  pose.store(now);
  Pose last = pose.load();
  BOOST_TEST(last.x == now.x);
  BOOST_TEST(last.y == now.y);
}

BOOST_AUTO_TEST_CASE(a_queue_as_it_is_introduced) {
  const TestName name;
  auto segment = sapbuf::Segment::create(name, {.main_stream = false});
  const auto frames = sapbuf::Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 64});
  std::byte next_number{};
  const auto fill = [&](std::span<std::byte> bytes) {
    bytes[0] = next_number, next_number = std::byte(int(next_number) + 1);
  };
  std::map<int, int> times;  // that a job was worked on
  const auto work = [&](std::span<const std::byte> bytes) {
    const int job = int(bytes[0]);
    return ++times[job] > 1 ? job != 7 : job != 3 && job != 7;  // the third fails once, the seventh always
  };

  auto jobs = sapbuf::Queue::open_or_create(
      segment, "jobs", {.pool = "frames", .slots = 4096, .max_deliveries = 5, .dead_letters = "failed"});
  sapbuf::Producer tx{jobs, {.name = "api"}};
  auto blocks = tx.reserve(32);
  BOOST_TEST(blocks.size() == 32U);
  for (auto& block : blocks) fill(block.bytes());
  blocks.release(20);
  BOOST_TEST(blocks.size() == 12U);

  sapbuf::Consumer rx{jobs, {.name = "worker-3"}};
  while (rx.wait_for(1s))
    for (auto& job : rx.take(8)) work(job.bytes()) ? job.done() : job.put_back();
  BOOST_TEST(times.size() == 20U);  // those that were released
  BOOST_TEST(times[0] == 1);
  BOOST_TEST(times[3] == 2);
  BOOST_TEST(times[7] == 5);
  sapbuf::Consumer undertaker{sapbuf::Queue::open(segment, "failed")};
  sapbuf::TakenBlock letter = undertaker.take_for(1s);
  BOOST_REQUIRE(!!letter);
  BOOST_TEST(int(letter.bytes()[0]) == 7);
}

}  // namespace
}  // namespace sapbuf::test
