// Fork: what a child inherits is dead in the child and untouched in the parent.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "support/child.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

// Where the segment lives: what a child inherits differs.
enum class Place { named, memfd, heap };
std::ostream& operator<<(std::ostream& out, Place place) {
  return out << (place == Place::named ? "named" : place == Place::memfd ? "memfd" : "heap");
}
constexpr Place kPlaces[] = {Place::named, Place::memfd, Place::heap};
const auto kEverywhere = data::make(kPlaces) * data::make(kOrders) * data::make({OnFull::block, OnFull::overwrite});

struct Stream {
  Stream(Place where, Order order, OnFull on_full)
      : options{.slab_bytes = 8192, .order = order, .on_full = on_full, .participants = 4},
        place{where},
        heap{options},
        shared{Segment::bytes_needed(options)},
        segment{place == Place::named   ? Segment::create(name, options)
                : place == Place::memfd ? Segment::create_in(shared, options)
                                        : Segment::create_in(heap, options)} {}
  Segment open_again() const {
    return place == Place::named ? Segment::open(name)
                                 : Segment::open_in(place == Place::memfd ? shared.map_again() : Memory(heap));
  }

  SegmentOptions options;
  Place place;
  TestName name;
  HeapMemory heap;
  SharedMemory shared;
  Segment segment;
};

BOOST_AUTO_TEST_SUITE(fork)

BOOST_DATA_TEST_CASE(inherited_handles_say_that_they_are_the_parents, kEverywhere, place, order, on_full) {
  Stream stream{place, order, on_full};
  Writer writer{stream.segment};
  Reader reader{stream.segment};
  BOOST_TEST(writer.write("before") == Status::ok);
  Child child{[&](Link&) {
    require(writer.write("no") == Status::forked, "the writer writes");
    require(writer.reserve(1000).status() == Status::forked, "the writer reserves");
    require(error_of([&] { reader.wait_for(0ms); }) == Errc::forked, "the reader waits");
    require(error_of([&] { static_cast<void>(reader.pin()); }) == Errc::forked, "the reader pins");
    require(error_of([&] { const Writer more{stream.segment}; }) == Errc::forked, "the segment takes a writer");
    require(error_of([&] { const Reader more{stream.segment}; }) == Errc::forked, "the segment takes a reader");
    require(error_of([&] { recover(stream.segment); }) == Errc::forked, "the segment is recovered");
    require(error_of([&] { inspect(stream.segment); }) == Errc::forked, "the segment is inspected");
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(writer.write("after") == Status::ok);
  BOOST_TEST(texts(reader).size() == 2U);
}

// The child closes, moves and destroys all that it inherited, and ends properly.
BOOST_DATA_TEST_CASE(what_a_child_closes_stays_open_in_the_parent, kEverywhere, place, order, on_full) {
  Stream stream{place, order, on_full};
  std::optional<Writer> writer{stream.segment};
  std::optional<Reader> reader{stream.segment};
  BOOST_TEST(writer->write("before") == Status::ok);
  Child child{[&](Link&) {
    Writer moved = std::move(*writer);
    moved.close();
    writer.reset();
    reader->close();
    reader.reset();
  }};
  BOOST_TEST(child.wait() == 0);
  const Snapshot now = inspect(stream.segment);
  BOOST_TEST_REQUIRE(now.participants.size() == 2U);
  BOOST_TEST(now.participants[0].state == Liveness::alive);
  BOOST_TEST(now.participants[1].state == Liveness::alive);
  BOOST_TEST(recover(stream.segment).dead.empty());
  BOOST_TEST(recover(stream.open_again()).dead.empty());
  BOOST_TEST(writer->write("after") == Status::ok);
  BOOST_TEST(texts(*reader).size() == 2U);
}

BOOST_DATA_TEST_CASE(a_reservation_that_was_open_across_fork_is_the_parents_alone, kEverywhere, place, order, on_full) {
  for (const char* what : {"commit", "abort", "nothing"}) {
    Stream stream{place, order, on_full};
    Writer writer{stream.segment};
    Reader reader{stream.segment};
    BOOST_TEST(writer.write("before") == Status::ok);
    Reservation open = writer.reserve(6);
    std::memcpy(open.bytes().data(), "parent", 6);
    Child child{[&](Link&) {
      if (what == std::string("commit")) open.commit(1);
      if (what == std::string("abort")) open.abort();
      Reservation gone = std::move(open);
    }};
    BOOST_TEST(child.wait() == 0);
    BOOST_TEST_CONTEXT("the child does " << what) {
      BOOST_TEST(texts(reader) == std::vector<std::string>{"before"}, boost::test_tools::per_element());
      BOOST_TEST(ledger_of(stream.segment, writer.slot()).committed == 1U);
      BOOST_TEST(ledger_of(stream.segment, writer.slot()).aborted == 0U);
      open.commit();
      BOOST_TEST(writer.write("after") == Status::ok);
      BOOST_TEST(texts(reader) == (std::vector<std::string>{"parent", "after"}), boost::test_tools::per_element());
      BOOST_TEST(ledger_of(stream.segment, writer.slot()).committed == 3U);
    }
  }
}

// The same for what a reader has pinned: the child lets go of its copy, and the parent's stays.
BOOST_DATA_TEST_CASE(a_range_that_was_alive_across_fork_is_the_parents_alone, kEverywhere, place, order, on_full) {
  Stream stream{place, order, on_full};
  Writer writer{stream.segment, {.timeout = 0ms}};
  Reader reader{stream.segment};
  BOOST_TEST(put(writer, {1, 0}, 100) == Status::ok);
  BOOST_TEST(put(writer, {1, 1}, 100) == Status::ok);
  std::optional<PinnedRange> range{reader.pin()};
  auto position = range->begin();
  const Frame frame = *position;
  Child child{[&](Link&) {
    ++position;
    range.reset();
  }};
  BOOST_TEST(child.wait() == 0);
  for (std::uint32_t number = 0; number < 1000; ++number) static_cast<void>(put(writer, {2, number}, 200));
  BOOST_TEST((tag_of(frame.bytes()) == Tag{1, 0}));
  ++position;
  BOOST_TEST((tag_of(position->bytes()) == Tag{1, 1}));
  range.reset();
  BOOST_TEST(reader.delivered() == 2U);
}

BOOST_DATA_TEST_CASE(a_child_opens_again_and_takes_part, data::make({Place::named, Place::memfd}) * data::make(kOrders),
                     place, order) {
  Stream stream{place, order, OnFull::block};
  Writer writer{stream.segment, {.name = "parent"}};
  Reader reader{stream.segment};
  Child child{[&](Link& link) {
    const Segment again = stream.open_again();
    Writer own{again, {.name = "child"}};
    require(own.slot() != writer.slot(), "it got the parent's slot");
    put_all(own, 2, 100, 100);
    link.say(1);
    link.hear();
  }};
  child.hear();
  put_all(writer, 1, 100, 100);
  Log log;
  BOOST_TEST(log.read_until(reader, 200));
  BOOST_TEST(log.by_writer()[1].size() == 100U);
  BOOST_TEST(log.by_writer()[2].size() == 100U);
  child.kill();
  const RecoveryReport report = recover(stream.segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].name == "child");
  BOOST_TEST(writer.write("goes on") == Status::ok);
}

// Heap memory is copied by fork: what the child does with its copy concerns nobody else.
BOOST_DATA_TEST_CASE(a_childs_copy_of_heap_memory_is_a_stream_of_its_own, data::make(kOrders), order) {
  Stream stream{Place::heap, order, OnFull::block};
  Child child{[&](Link& link) {
    const Segment own = stream.open_again();
    std::vector<Writer> writers;
    for (int i = 0; i < 4; ++i) writers.emplace_back(own);
    link.say(1);
    link.hear();
  }};
  child.hear();
  BOOST_TEST(error_of([&] { const Writer writer{stream.segment}; }) == nothing());
}

// A child that lives on must not keep its dead parent's slot looking alive.
BOOST_DATA_TEST_CASE(a_parents_death_is_seen_although_its_child_lives,
                     data::make({Place::named, Place::memfd}) * data::make(kOrders), place, order) {
  Stream stream{place, order, OnFull::block};
  Reader reader{stream.segment};
  Child parent{[&](Link& link) {
    Writer writer{stream.open_again(), {.name = "parent"}};
    require(writer.write("last words") == Status::ok, "not accepted");
    const pid_t pid = ::fork();
    if (pid == 0) {
      link.say(static_cast<std::uint64_t>(::getpid()));
      ::alarm(60);
      ::pause();
      ::_exit(0);
    }
    link.hear();
  }};
  const auto grandchild = static_cast<pid_t>(parent.hear());
  BOOST_TEST(recover(stream.segment).dead.empty());
  parent.kill();
  const RecoveryReport report = recover(stream.segment);
  BOOST_TEST(::kill(grandchild, 0) == 0);
  ::kill(grandchild, SIGKILL);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].name == "parent");
  BOOST_TEST(texts(reader).size() == 1U);
}

BOOST_DATA_TEST_CASE(a_grandchild_is_as_far_from_the_handles_as_a_child, data::make(kOrders), order) {
  Stream stream{Place::named, order, OnFull::block};
  Writer writer{stream.segment};
  Child child{[&](Link&) {
    Child grandchild{[&](Link&) {
      require(writer.write("no") == Status::forked, "the writer writes");
      Writer own{stream.open_again()};
      require(own.write("yes") == Status::ok, "its own writer does not write");
    }};
    require(grandchild.wait() == 0, "the grandchild failed");
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(writer.write("after") == Status::ok);
}

// --- A fork that meets other threads -------------------------------------------------------------------------------

// Descriptors through which a process would keep locks of its parent alive: of the kernel's own account.
int descriptors_with_locks(pid_t process) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fdinfo")) {
    std::ifstream information{entry.path()};
    for (std::string line; std::getline(information, line);) count += line.find("OFDLCK") != std::string::npos ? 1 : 0;
  }
  return count;
}

// Whether a process maps a file of that name.
bool maps(pid_t process, const std::string& name) {
  std::ifstream mappings{"/proc/" + std::to_string(process) + "/maps"};
  for (std::string line; std::getline(mappings, line);) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

// Whether a child of this process, made now, inherits neither locks nor a mapping of that file. The child does nothing but
// wait: another thread may have been amid an allocation, which in the child never ends.
bool child_inherits_nothing(const std::string& name) {
  int told[2];
  require(::pipe(told) == 0, "no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    const char forked = 1;
    if (::write(told[1], &forked, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char forked = 0;
  require(::read(told[0], &forked, 1) == 1, "the child says nothing");
  const bool nothing = descriptors_with_locks(child) == 0 && !maps(child, name);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
  return nothing;
}

// Behind the open of each descriptor that comes to have locks, before the library can know that it has it.
BOOST_AUTO_TEST_CASE(a_child_made_while_a_segment_is_being_opened_keeps_no_dead_parent_alive) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192});
  unsigned opened = 0;
  for (unsigned nth = 1;; ++nth) {
    Child parent{[&](Link& link) {
      pid_t pid = 0;
      const auto fork_and_go_on = [&] {
        pid = ::fork();
        if (pid == 0) {
          ::alarm(60);
          for (;;) ::pause();
        }
      };
      kill_point::arm(KillPoint::descriptor_opened, fork_and_go_on, nth);
      const Segment own = Segment::open(name);
      const Reader reader{own, {.name = "parent"}};
      link.say(static_cast<std::uint64_t>(pid));
      link.hear();
    }};
    const auto child = static_cast<pid_t>(parent.hear());
    if (child == 0) break;  // so many are opened, and no more
    ++opened;
    BOOST_TEST(recover(segment).dead.empty());
    parent.kill();
    BOOST_TEST(::kill(child, 0) == 0);
    const RecoveryReport report = recover(segment);
    BOOST_TEST(report.dead.size() == 1U);
    ::kill(child, SIGKILL);
  }
  BOOST_TEST(opened >= 3U);
}

// One thread makes, opens, attaches and lets go without a pause; the other forks.
BOOST_DATA_TEST_CASE(whatever_another_thread_is_doing_a_child_inherits_neither_lock_nor_memory,
                     data::make({Place::named, Place::heap}), place) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192});
  Child parent{[&](Link& link) {
    const TestName another;
    std::atomic<bool> stop{false};
    std::thread busy{[&] {
      const SegmentOptions options{.slab_bytes = 8192, .participants = 4};
      const HeapMemory heap{options};
      while (!stop) {
        const Segment own = place == Place::heap ? Segment::create_in(heap, options) : Segment::open(name);
        Writer writer{own, {.name = "parent", .timeout = 0ms}};
        const Reader reader{own, {.name = "parent"}};
        static_cast<void>(writer.write("something"));
        if (place == Place::named) {
          static_cast<void>(Segment::open_or_create(another, options));
          Segment::remove(another);
        }
      }
    }};
    int bad = 0;
    for (int round = 0; round < (kSlow ? 20 : 300); ++round)
      bad += child_inherits_nothing("sapbuf." + name.str()) ? 0 : 1;
    stop = true;
    busy.join();
    link.say(static_cast<std::uint64_t>(bad));
  }};
  BOOST_TEST(parent.hear() == 0U);
  BOOST_TEST(parent.wait() == 0);
  BOOST_TEST(recover(segment).dead.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
