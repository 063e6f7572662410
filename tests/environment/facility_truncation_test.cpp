// A peer truncates the segment's file under the hands of who uses a pool, a map, a queue or a cell. Whatever comes
// first to where the file was is told that it is corrupt; each time in a process of its own, for that one finds all of
// it gone.
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <fstream>
#include <optional>
#include <ostream>

#include "environment/surroundings.hpp"
#include "segment/segment_core.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

// Before the cut, and what is left of it behind that.
struct Scene {
  explicit Scene(const std::string& name)
      : segment(Segment::create(name, {.slab_bytes = 4096, .participants = 16})),
        pool(Pool::create(segment, "frames", {.buffer_bytes = 4096, .count = 16, .max_count = 32})),
        sizes(Pool::create(segment, "blocks", PoolOptions::for_sizes(64, 4096, 65'536))),
        map(Map::create(segment, "config", {.keys = 8, .value_bytes = 64})),
        queue(Queue::create(segment, "jobs", {.slots = 8, .block_bytes = 64, .blocks = 16})),
        cell(segment, "speed", 5) {
    for (Buffer& buffer : held) buffer = user.acquire();
    shared = held[0].share();
    Buffer{user.acquire()}.release();  // so that one is at hand
    Buffer{sizes_user.acquire(100)}.release();
    require(writer.put("key", "value") == Status::ok && entry.read().text() == "value", "not put");
    require(producer.push(std::as_bytes(std::span{"job"})) == Status::ok, "not pushed");
    require(producer.push(std::as_bytes(std::span{"job"})) == Status::ok, "not pushed");
    taken = consumer.take();
  }

  Segment segment;
  Pool pool;
  Pool sizes;
  Map map;
  Queue queue;
  Cell<int> cell;
  PoolUser user{pool};
  PoolUser sizes_user{sizes};
  std::array<Buffer, 3> held;
  BufferReference shared;
  MapWriter writer{map};
  MapReader reader{map};
  MapEntry entry{reader.entry("key")};
  Producer producer{queue, {.timeout = 20ms}};
  Consumer consumer{queue};
  TakenBlock taken;
};

std::string_view word_of(Status status) { return to_string(status); }

struct Use {
  const char* name;
  std::function<std::string_view(Scene&)> told;  // or it throws
};
std::ostream& operator<<(std::ostream& out, const Use& use) { return out << use.name; }

// Of a call that throws instead of saying how it is.
template <typename Call>
auto throws(Call call) {
  return [call](Scene& scene) -> std::string_view {
    call(scene);
    return "nothing";
  };
}

const std::vector<Use> kPoolUses{
    {"acquire", [](Scene& s) { return word_of(s.user.acquire().status()); }},
    {"acquire_of_a_size", [](Scene& s) { return word_of(s.sizes_user.acquire(100).status()); }},
    {"acquire_for", [](Scene& s) { return word_of(s.user.acquire_for(kPatience).status()); }},
    {"acquire_run", [](Scene& s) { return word_of(s.user.acquire_run(4).status()); }},
    {"adopt", [](Scene& s) { return word_of(s.user.adopt(s.shared).status()); }},
    {"release",
     [](Scene& s) {
       for (Buffer& buffer : s.held) buffer.release();
       return word_of(s.user.acquire().status());
     }},
    {"share",
     [](Scene& s) {
       require(s.held[1].share() == BufferReference{}, "shared");
       return word_of(s.user.acquire().status());
     }},
    {"use_its_bytes",
     [](Scene& s) {
       for (std::byte& byte : s.held[1].bytes()) byte = std::byte{1};
       return word_of(s.user.acquire().status());
     }},
    {"close_a_user",
     [](Scene& s) {
       s.user.close();
       return word_of(s.sizes_user.acquire(100).status());
     }},
    {"attach_a_user", throws([](Scene& s) { const PoolUser another{s.pool}; })},
    {"view", throws([](Scene& s) {
       if (s.pool.view(s.shared).empty() && was_truncated(s.segment)) throw Error(Errc::corrupt, "truncated: nothing");
     })},
    {"grow_to", throws([](Scene& s) { s.pool.grow_to(20); })},
    {"trim", throws([](Scene& s) { s.pool.trim(); })},
    {"remove", throws([](Scene& s) { Pool::remove(s.segment, "frames"); })},
    {"make", throws([](Scene& s) { Pool::create(s.segment, "more"); })},
};

const std::vector<Use> kMapUses{
    {"read", [](Scene& s) { return word_of(s.reader.read("key").status()); }},
    {"read_again", [](Scene& s) { return word_of(s.entry.read().status()); }},
    {"read_all", [](Scene& s) { return word_of(s.reader.for_each([](std::string_view, const MapValue&) {})); }},
    {"put", [](Scene& s) { return word_of(s.writer.put("key", "other")); }},
    {"insert", [](Scene& s) { return word_of(s.writer.insert("new", "other")); }},
    {"erase", [](Scene& s) { return word_of(s.writer.erase("key")); }},
    {"update", [](Scene& s) { return word_of(s.writer.update("key", [](std::span<const std::byte>, MapDraft&) {})); }},
    {"wait",
     [](Scene& s) {
       static_cast<void>(s.reader.wait_changed(s.reader.version(), 20ms));
       return word_of(s.reader.read("key").status());
     }},
    {"attach", throws([](Scene& s) { const MapReader another{s.map}; })},
};

const std::vector<Use> kQueueUses{
    {"reserve", [](Scene& s) { return word_of(s.producer.reserve(1).status()); }},
    {"push", [](Scene& s) { return word_of(s.producer.push(std::as_bytes(std::span{"job"}))); }},
    {"take", [](Scene& s) { return word_of(s.consumer.take(1).status()); }},
    {"take_for", [](Scene& s) { return word_of(s.consumer.take_for(1, kPatience).status()); }},
    {"done",
     [](Scene& s) {
       s.taken.done();
       return word_of(s.consumer.take(1).status());
     }},
    {"put_back",
     [](Scene& s) {
       s.taken.put_back();
       return word_of(s.consumer.take(1).status());
     }},
    {"attach", throws([](Scene& s) { const Consumer another{s.queue}; })},
};

const std::vector<Use> kCellUses{
    {"load", throws([](Scene& s) { static_cast<void>(s.cell.load()); })},
    {"store", throws([](Scene& s) { s.cell.store(7); })},
    {"update", throws([](Scene& s) { s.cell.update([](int& number) { ++number; }); })},
    {"wait", throws([](Scene& s) { static_cast<void>(s.cell.wait_changed(s.cell.version(), 20ms)); })},
};

void truncate_file(const std::string& name, std::uint64_t bytes) {
  require(::truncate(("/dev/shm/sapbuf." + name).c_str(), static_cast<off_t>(bytes)) == 0, "cannot truncate");
}

// All of the file goes, or all but its first page.
void expect_corrupt(const Use& use) {
  for (const std::uint64_t left : {0, 4096}) {
    const TestName name;
    Child child{[&](Link&) {
      survive_truncation();
      Scene scene{name};
      truncate_file(name, left);
      std::string_view told;
      const Errc thrown = error_of([&] { told = use.told(scene); });
      require(thrown == (told.empty() ? Errc::corrupt : nothing()), "it throws something else");
      require(told.empty() || told == word_of(Status::corrupt), "it says: " + std::string(told));
      require(was_truncated(scene.segment), "it is not said to be truncated");
    }};
    const int ended = child.wait();
    BOOST_TEST(ended == 0, left << " bytes left: " << ended);
  }
}

BOOST_AUTO_TEST_SUITE(facility_truncation)

BOOST_DATA_TEST_CASE(a_pool_is_found_corrupt, data::make(kPoolUses), use) { expect_corrupt(use); }
BOOST_DATA_TEST_CASE(a_map_is_found_corrupt, data::make(kMapUses), use) { expect_corrupt(use); }
BOOST_DATA_TEST_CASE(a_queue_is_found_corrupt, data::make(kQueueUses), use) { expect_corrupt(use); }
BOOST_DATA_TEST_CASE(a_cell_is_found_corrupt, data::make(kCellUses), use) { expect_corrupt(use); }

// What this process sees of the file is its own by then; what is left of the file is others'.
BOOST_AUTO_TEST_CASE(nothing_is_given_back_of_what_others_have) {
  const TestName name;
  Child child{[&](Link&) {
    survive_truncation();
    Scene scene{name};
    const FacilityInfo first = scene.segment.facilities().front();
    std::ifstream file{"/dev/shm/sapbuf." + name.str()};
    const auto left_of_it = [&] {
      std::string bytes(first.bytes, '\0');
      require(bool(file.seekg(static_cast<std::streamoff>(first.offset)).read(bytes.data(), first.bytes)), "not read");
      return bytes;
    };
    const std::string before = left_of_it();
    require(before.find_first_not_of('\0') != before.npos, "there is nothing in it");
    truncate_file(name, first.offset + first.bytes);
    require(scene.user.acquire_run(4).status() == Status::corrupt, "it was not met");
    scene.segment.core()->give_back(first.offset, first.bytes);
    require(left_of_it() == before, "it was given back");
  }};
  BOOST_TEST(child.wait() == 0);
}

// Who waits looks again by himself, for whoever truncates a file wakes nobody.
BOOST_AUTO_TEST_CASE(a_wait_for_a_buffer_ends) {
  const TestName name;
  Child child{[&](Link& parent) {
    survive_truncation();
    const Segment segment = Segment::create(name, {.slab_bytes = 4096, .participants = 4});
    const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 1});
    PoolUser user{pool};
    const Buffer held = user.acquire();
    PoolUser waiter{pool};
    parent.say(1);
    require(waiter.acquire_for(2 * kPatience).status() == Status::corrupt, "the wait ends otherwise");
  }};
  child.hear();
  BOOST_TEST(eventually([&] { return inspect(name).facilities.at(1).pool->waiting != 0; }));
  truncate_file(name, 0);
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
