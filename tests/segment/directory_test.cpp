// Facilities of a segment: made and removed while it is in use, by processes that may be killed at any step; and deaths
// in one of them that concern nobody in the others.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/layout/directory.hpp>

#include "pool/pool_core.hpp"
#include "segment/maintenance_lock.hpp"
#include "stream/stream_core.hpp"
#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

const SegmentOptions kSmall{.slab_bytes = 16384, .participants = 8};
const SegmentOptions kEmpty{.participants = 8, .main_stream = false};
const StreamOptions kLittle{.slabs = 3, .slab_bytes = 4096};

Segment create_small(const TestName& name, Order order, OnFull on_full) {
  SegmentOptions options = kSmall;
  options.order = order;
  options.on_full = on_full;
  return Segment::create(name, options);
}

std::vector<std::string> names_in(const Segment& segment) {
  std::vector<std::string> names;
  for (const FacilityInfo& info : segment.facilities()) names.push_back(info.name);
  return names;
}
using Names = std::vector<std::string>;

// What one writes there, another reads.
bool works(const Stream& stream) {
  Writer writer{stream, {.timeout = 0ms}};
  Reader reader{stream, {.from = From::newest}};
  return writer.write("hello") == Status::ok && texts(reader) == Names{"hello"};
}

layout::StreamSlot& slot_of(const Stream& stream, std::uint32_t slot) { return stream.core()->slot(slot); }

// Bytes of the file that the system has given pages for.
std::uint64_t allocated_bytes(const TestName& name) {
  struct stat file {};
  BOOST_TEST_REQUIRE(::stat(("/dev/shm/sapbuf." + name.str()).c_str(), &file) == 0);
  return static_cast<std::uint64_t>(file.st_blocks) * 512;
}

BOOST_AUTO_TEST_SUITE(directory)

BOOST_AUTO_TEST_CASE(a_segment_is_made_with_one_stream_or_with_none) {
  const TestName name;
  const TestName other;
  BOOST_TEST(names_in(Segment::create(name, kSmall)) == Names{"main"}, boost::test_tools::per_element());
  const Segment empty = Segment::create(other, kEmpty);
  BOOST_TEST(names_in(empty).empty());
  BOOST_TEST(!empty.options().main_stream);
  BOOST_TEST(error_of([&] { Writer{empty}; }) == Errc::not_found);
  BOOST_TEST(error_of([&] { Reader{empty}; }) == Errc::not_found);
  BOOST_TEST(inspect(empty).facilities.empty());
  BOOST_TEST(recover(empty).dead.empty());
  BOOST_TEST(works(Stream::create(empty, "main", kLittle)));
  BOOST_TEST(empty.options().slabs == 3U);
}

BOOST_AUTO_TEST_CASE(a_stream_is_made_in_a_segment_that_is_in_use) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Writer writer{segment};
  Reader reader{segment};
  BOOST_TEST(writer.write("before") == Status::ok);
  const std::uint64_t before = segment.bytes();
  const Stream orders = Stream::create(segment, "orders", kLittle);
  BOOST_TEST(orders.created());
  BOOST_TEST(segment.bytes() == before + orders.bytes());
  BOOST_TEST(names_in(segment) == (Names{"main", "orders"}), boost::test_tools::per_element());
  BOOST_TEST(works(orders));
  BOOST_TEST(writer.write("behind") == Status::ok);
  BOOST_TEST(texts(reader) == (Names{"before", "behind"}), boost::test_tools::per_element());
  // From outside, by those who opened the segment before, and by those who come now.
  Child child{[&](Link&) {
    const Stream found = Stream::open(Segment::open(name), "orders");
    if (!works(found) || found.options().slabs != 3 || found.created()) throw std::runtime_error("it does not work");
  }};
  BOOST_TEST(child.wait() == 0);
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.facilities.size() == 2U);
  BOOST_TEST(now.facilities[1].stream->departed.committed == 2U);
  BOOST_TEST(now.departed.committed == 0U);
}

BOOST_AUTO_TEST_CASE(names_are_taken_once_and_must_be_possible) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  static_cast<void>(Stream::create(segment, "orders", kLittle));
  BOOST_TEST(error_of([&] { Stream::create(segment, "orders", kLittle); }) == Errc::exists);
  BOOST_TEST(error_of([&] { Stream::create(segment, "main", kLittle); }) == Errc::exists);
  BOOST_TEST(!Stream::open_or_create(segment, "orders", {.slabs = 9}).created());
  BOOST_TEST(Stream::open(segment, "orders").differences({.slabs = 9, .slab_bytes = 4096}) == Names{"slabs 3, not 9"},
             boost::test_tools::per_element());
  for (const std::string& wrong : {std::string{}, std::string{"a/b"}, std::string{"a b"}, std::string(64, 'x')}) {
    BOOST_TEST(error_of([&] { Stream::create(segment, wrong, kLittle); }) == Errc::invalid_argument);
  }
  BOOST_TEST(works(Stream::create(segment, std::string(63, 'x'), kLittle)));
  BOOST_TEST(error_of([&] { Stream::create(segment, "odd", {.slab_bytes = 5000}); }) == Errc::invalid_argument);
  BOOST_TEST(error_of([&] { Stream::open(segment, "nothing"); }) == Errc::not_found);
  BOOST_TEST(!Stream::remove(segment, "nothing"));
}

BOOST_AUTO_TEST_CASE(there_is_room_for_so_many_and_no_more) {
  const TestName name;
  const Segment segment = Segment::create(name, kEmpty);
  const StreamOptions smallest{.slab_bytes = 4096};
  for (std::uint32_t i = 0; i < layout::kMaxFacilities; ++i) Stream::create(segment, std::to_string(i), smallest);
  BOOST_TEST(error_of([&] { Stream::create(segment, "more", smallest); }) == Errc::registry_full);
  BOOST_TEST(Stream::remove(segment, "17"));
  BOOST_TEST(works(Stream::create(segment, "more", smallest)));
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_removed_gives_its_space_back_and_the_next_one_takes_it) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  {
    const Stream orders = Stream::create(segment, "orders", {.slab_bytes = 1 << 20});
    BOOST_TEST(works(orders));
    BOOST_TEST(allocated_bytes(name) >= before + (2 << 20));
    BOOST_TEST(Stream::remove(segment, "orders"));
    BOOST_TEST(!orders.is_current());
    BOOST_TEST(error_of([&] { Writer{orders}; }) == Errc::not_found);
    BOOST_TEST(error_of([&] { Reader{orders}; }) == Errc::not_found);
  }
  BOOST_TEST(allocated_bytes(name) == before);
  const std::uint64_t end = segment.core()->end();
  const Stream next = Stream::create(segment, "next", {.slab_bytes = 1 << 20});
  BOOST_TEST(segment.core()->end() == end);
  BOOST_TEST(works(next));
  BOOST_TEST(inspect(segment).facilities[1].stream->departed.committed == 1U);  // nothing of the one before
}

BOOST_AUTO_TEST_CASE(who_uses_a_stream_keeps_it_from_being_removed_until_he_leaves_or_dies) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  Child user{[&](Link& link) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    Writer writer{own, {.name = "user"}};
    const Reservation open = writer.reserve(8);
    link.say(1);
    link.hear();
  }};
  user.hear();
  BOOST_TEST(error_of([&] { Stream::remove(segment, "orders"); }) == Errc::busy);
  BOOST_TEST(message_of([&] { Stream::remove(segment, "orders"); }).find("'user'") != std::string::npos);
  BOOST_TEST(works(orders));
  user.kill();
  BOOST_TEST(Stream::remove(segment, "orders"));
  BOOST_TEST(names_in(segment) == Names{"main"}, boost::test_tools::per_element());
}

// --- Killed in the midst of it -------------------------------------------------------------------------------------

const KillPoint kMaking[] = {KillPoint::directory_begun,     KillPoint::directory_placed,
                             KillPoint::directory_making,    KillPoint::create_fits,
                             KillPoint::directory_allocated, KillPoint::directory_initialised};

BOOST_DATA_TEST_CASE(a_maker_that_is_killed_leaves_nothing, data::make(kMaking), point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  Child maker{[&](Link&) {
    kill_point::arm(point, kill_self);
    Stream::create(Segment::open(name), "orders", kLittle);
  }};
  BOOST_TEST(maker.wait() == -SIGKILL);
  BOOST_TEST(names_in(segment) == Names{"main"}, boost::test_tools::per_element());
  BOOST_TEST(error_of([&] { Stream::open(segment, "orders"); }) == Errc::not_found);
  BOOST_TEST(works(Stream::open(segment)));
  // The next one clears what he left, and has the place.
  BOOST_TEST(works(Stream::create(segment, "others", kLittle)));
  BOOST_TEST(works(Stream::create(segment, "orders", kLittle)));
  BOOST_TEST(Stream::remove(segment, "orders"));
  BOOST_TEST(Stream::remove(segment, "others"));
  BOOST_TEST(allocated_bytes(name) == before);
}

// Its entry had been another facility's, whose place is a part of somebody else's by now.
BOOST_DATA_TEST_CASE(a_maker_that_is_killed_takes_nothing_from_what_stands_where_its_entry_led,
                     data::make({KillPoint::directory_begun, KillPoint::directory_placed}), point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "first", kLittle);
  Stream::create(segment, "second", kLittle);
  Stream::create(segment, "behind", kLittle);
  Stream::remove(segment, "first");
  Stream::remove(segment, "second");
  const Stream large = Stream::create(segment, "large", {.slabs = 3, .slab_bytes = 8192});
  Writer writer{large, {.timeout = 0ms}};
  Reader reader{large};
  Names all;
  for (Status status = Status::ok; status == Status::ok;) {
    const std::string text = std::to_string(all.size()) + std::string(100, '.');
    status = writer.write(text);
    if (status == Status::ok) all.push_back(text);
  }
  Child maker{[&](Link&) {
    kill_point::arm(point, kill_self);
    Stream::create(Segment::open(name), "orders", kLittle);
  }};
  BOOST_TEST(maker.wait() == -SIGKILL);
  BOOST_TEST(!Stream::remove(segment, "orders"));  // what he left is cleared
  Names found;
  for (Names some = texts(reader); !some.empty(); some = texts(reader))
    found.insert(found.end(), some.begin(), some.end());
  BOOST_TEST(found == all, boost::test_tools::per_element());
  BOOST_TEST(works(Stream::open(segment, "behind")));
}

BOOST_AUTO_TEST_CASE(a_maker_that_is_killed_behind_the_last_step_leaves_a_whole_stream) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Child maker{[&](Link&) {
    kill_point::arm(KillPoint::directory_ready, kill_self);
    Stream::create(Segment::open(name), "orders", kLittle);
  }};
  BOOST_TEST(maker.wait() == -SIGKILL);
  BOOST_TEST(works(Stream::open(segment, "orders")));
}

BOOST_DATA_TEST_CASE(a_remover_that_is_killed_takes_all_or_nothing,
                     data::make({KillPoint::directory_closing, KillPoint::directory_clearing,
                                 KillPoint::directory_cleared}),
                     point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const std::uint64_t before = allocated_bytes(name);
  Stream::create(segment, "orders", kLittle);
  Child remover{[&](Link&) {
    kill_point::arm(point, kill_self);
    Stream::remove(Segment::open(name), "orders");
  }};
  BOOST_TEST(remover.wait() == -SIGKILL);
  // Whoever has the lock next settles it: also one who wants the very name.
  const bool stays = point == KillPoint::directory_closing;
  if (stays) BOOST_TEST(error_of([&] { Stream::create(segment, "orders", kLittle); }) == Errc::exists);
  BOOST_TEST(works(Stream::create(segment, "others", kLittle)));
  BOOST_TEST((Stream::remove(segment, "orders") == stays));
  BOOST_TEST(Stream::remove(segment, "others"));
  BOOST_TEST(allocated_bytes(name) == before);
}

// Nobody makes or removes anything afterwards: whoever wants to use it settles it.
BOOST_AUTO_TEST_CASE(what_is_in_use_can_be_used_when_its_remover_was_killed) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  Writer writer{orders};
  const std::function<void()> uses[] = {
      [&] { Stream::open(Segment::open(name), "orders"); },
      [&] { const Writer another{orders}; },
      [&] { static_cast<void>(recover(segment)); },
  };
  for (const auto& use : uses) {
    Child remover{[&](Link&) {
      kill_point::arm(KillPoint::directory_closing, kill_self);
      Stream::remove(Segment::open(name), "orders");
    }};
    BOOST_TEST(remover.wait() == -SIGKILL);
    BOOST_TEST(orders.is_current());
    BOOST_TEST(inspect(segment).participants.empty());
    BOOST_TEST(message_of(use) == "");
    BOOST_TEST(inspect(segment).participants.size() == 1U);
  }
  BOOST_TEST(writer.write("1") == Status::ok);
}

// Somebody attaches to an open one behind the first look.
BOOST_AUTO_TEST_CASE(who_attaches_where_a_remover_was_killed_settles_it) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  Child late{[&](Link& link) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    kill_point::arm(KillPoint::attach_locked, stop_self);
    const Writer writer{own};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(late.wait_until_stopped());
  Child remover{[&](Link&) {
    kill_point::arm(KillPoint::directory_closing, kill_self);
    Stream::remove(Segment::open(name), "orders");
  }};
  BOOST_TEST(remover.wait() == -SIGKILL);
  late.resume();
  BOOST_TEST(late.hear() == 1U);
  BOOST_TEST(error_of([&] { Stream::remove(segment, "orders"); }) == Errc::busy);
}

// Who attaches, and who removes, at the same moment: one of the two is told.
BOOST_AUTO_TEST_CASE(one_who_attaches_while_it_is_removed_is_told) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  Child remover{[&](Link& link) {
    kill_point::arm(KillPoint::directory_closing, stop_self);
    link.say(Stream::remove(Segment::open(name), "orders") ? 1 : 0);
  }};
  BOOST_TEST(remover.wait_until_stopped());
  BOOST_TEST(error_of([&] { Writer{Stream::open(segment, "orders")}; }) == Errc::not_found);
  remover.resume();
  BOOST_TEST(remover.hear() == 1U);
  BOOST_TEST(remover.wait() == 0);
}

// Nothing is written into a region before the slot says whose it is: it may be another stream's by then.
BOOST_AUTO_TEST_CASE(one_who_comes_too_late_writes_nothing_into_what_took_the_place) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  Child late{[&](Link& link) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    kill_point::arm(KillPoint::attach_locked, stop_self);
    link.say(error_of([&] { const Writer writer{own}; }) == Errc::not_found ? 1 : 0);
  }};
  BOOST_TEST(late.wait_until_stopped());
  BOOST_TEST(Stream::remove(segment, "orders"));
  const Stream other = Stream::create(segment, "other", kLittle);
  Writer first{other, {.timeout = 0ms}};  // has the slot behind the late one's
  for (std::uint32_t slot = 0; slot < 8; ++slot) slot_of(other, slot).lost.store(77);
  late.resume();
  BOOST_TEST(late.hear() == 1U);
  for (std::uint32_t slot = 0; slot < 8; ++slot) BOOST_TEST(slot_of(other, slot).lost.load() == 77U);
}

// A handle of what was removed does nothing to what took the place.
BOOST_AUTO_TEST_CASE(a_handle_of_what_was_removed_takes_nothing_from_what_took_the_place) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Pool pool = Pool::create(segment, "frames", {.buffer_bytes = 64, .count = 4});
  PoolUser user{pool};
  const StreamOptions options{.slabs = 3, .slab_bytes = 4096, .attachments = 16, .durable_readers = 1};
  const Stream before = Stream::create(segment, "before", options);
  BOOST_TEST(Stream::remove(segment, "before"));
  const Stream other = Stream::create(segment, "other", options);
  Reader{other, {.name = "audit", .durable = DurableOptions{}}}.close();
  {
    Writer writer{other};
    Reservation message = writer.reserve(8);
    BOOST_TEST(message.attach(user.acquire()) == Status::ok);
    message.commit();
  }
  BOOST_TEST(error_of([&] { static_cast<void>(before.durable_readers()); }) == Errc::not_found);
  BOOST_TEST(error_of([&] { before.remove_durable_reader("audit"); }) == Errc::not_found);
  BOOST_TEST(!before.core()->shed(pool.core()->id()));
  BOOST_TEST(other.durable_readers().size() == 1U);
  Reader reader{other, {.name = "audit", .durable = DurableOptions{}}};
  const PinnedRange range = reader.pin();
  const auto message = range.begin();
  BOOST_TEST_REQUIRE((message != range.end()));
  BOOST_TEST(!message->attachments().empty());
}

// One who sheds for a pool has no participant in the stream, and is waited for all the same.
BOOST_AUTO_TEST_CASE(what_somebody_works_in_is_not_removed) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  Child working{[&](Link& link) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    const detail::MaintenanceLock lock{*own.core()};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(working.hear() == 1U);
  BOOST_TEST(error_of([&] { Stream::remove(segment, "orders"); }) == Errc::busy);
  working.kill();
  BOOST_TEST(Stream::remove(segment, "orders"));
}

BOOST_DATA_TEST_CASE(one_who_dies_while_he_attaches_had_nothing,
                     data::make({KillPoint::attach_begun, KillPoint::attach_filled}), point) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  Child victim{[&](Link&) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    kill_point::arm(point, kill_self);
    const Writer writer{own};
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  BOOST_TEST(inspect(segment).participants.empty());
  BOOST_TEST(find_dead(segment).dead.empty());
  BOOST_TEST(recover(segment).dead.empty());
  BOOST_TEST(Stream::remove(segment, "orders"));
  std::vector<Writer> all;
  for (std::uint32_t slot = 0; slot < kSmall.participants; ++slot) all.emplace_back(segment);  // all slots are free
}

BOOST_AUTO_TEST_CASE(one_who_attached_before_is_seen) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  Child user{[&](Link& link) {
    const Stream own = Stream::open(Segment::open(name), "orders");
    kill_point::arm(KillPoint::attach_attached, stop_self);
    const Writer writer{own};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(user.wait_until_stopped());
  BOOST_TEST(error_of([&] { Stream::remove(segment, "orders"); }) == Errc::busy);
  user.resume();
  BOOST_TEST(user.hear() == 1U);
  BOOST_TEST(works(orders));
}

// --- Two streams in one segment ------------------------------------------------------------------------------------

// Writes five messages, and is killed with a reservation open. Those who live until then meet no dead to recover.
class Victim {
 public:
  Victim(const TestName& name, const char* stream, std::uint32_t number)
      : child_{[&name, stream, number](Link& link) {
          const Stream own = Stream::open(Segment::open(name), stream);
          Writer writer{own, {.name = std::string("victim of ") + stream}};
          for (std::uint32_t message = 0; message < 5; ++message) {
            if (put(writer, {number, message}, 100) != Status::ok) throw std::runtime_error("not accepted");
          }
          const Reservation open = writer.reserve(100);
          link.say(1);
          link.hear();
        }} {
    child_.hear();
  }
  void kill() { child_.kill(); }

 private:
  Child child_;
};

BOOST_DATA_TEST_CASE(deaths_in_both_are_settled_each_in_its_own, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = create_small(name, order, on_full);
  const Stream main = Stream::open(segment);
  const Stream orders = Stream::create(segment, "orders", {.slab_bytes = 16384, .order = order, .on_full = on_full});
  Reader of_main{main};
  Reader of_orders{orders};
  Victim first{name, "main", 1};
  Victim second{name, "orders", 2};
  Victim third{name, "orders", 3};
  for (Victim* const victim : {&first, &second, &third}) victim->kill();
  const RecoveryReport report = recover(segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 3U);
  BOOST_TEST(!report.pending);
  BOOST_TEST(report.left_alone == 0U);
  Names facilities;
  for (const DeadParticipant& dead : report.dead) facilities.push_back(dead.facility);
  BOOST_TEST(facilities == (Names{"main", "orders", "orders"}), boost::test_tools::per_element());
  const Snapshot now = inspect(segment);
  BOOST_TEST_REQUIRE(now.facilities.size() == 2U);
  // Journal, counts and ledger are each one's own, and nobody is counted twice.
  BOOST_TEST(now.facilities[0].recoveries == 1U);
  BOOST_TEST(now.facilities[1].recoveries == 2U);
  BOOST_TEST_REQUIRE(now.facilities[0].journal.size() == 1U);
  BOOST_TEST_REQUIRE(now.facilities[1].journal.size() == 2U);
  BOOST_TEST(now.facilities[0].journal[0].name == "victim of main");
  BOOST_TEST(now.facilities[1].journal[1].name == "victim of orders");
  BOOST_TEST(now.facilities[0].stream->departed.committed == 5U);
  BOOST_TEST(now.facilities[0].stream->departed.abandoned == 1U);
  BOOST_TEST(now.facilities[1].stream->departed.committed == 10U);
  BOOST_TEST(now.facilities[1].stream->departed.abandoned == 2U);
  for (const FacilitySnapshot& facility : now.facilities) {
    for (const JournalRecord& record : facility.journal) BOOST_TEST(record.repairs <= 2U);
  }
  Log log_of_main;
  Log log_of_orders;
  log_of_main.read(of_main);
  log_of_orders.read(of_orders);
  BOOST_TEST(log_of_main.tags().size() == 5U);
  BOOST_TEST(log_of_orders.tags().size() == 10U);
  check_invariants(segment, Motion::none);
}

// What is wrong with one stream keeps nobody from another one's dead, nor from another one, nor from removing it.
BOOST_DATA_TEST_CASE(a_corrupt_stream_stops_no_other, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = create_small(name, order, on_full);
  const Stream main = Stream::open(segment);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  Writer writer{main, {.timeout = 0ms}};
  Child reading{[&](Link& link) {
    const Segment own = Segment::open(name);
    const Reader of_orders{Stream::open(own, "orders")};
    const Reader of_main{own};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(reading.hear() == 1U);
  put_until_refused(writer, {1, 0}, 100, 1000);
  orders.core()->control().cursor = layout::Cursor::make(1, 60, 0).word;
  reading.kill();
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST_REQUIRE(eventually([&] { return put(writer, {1, 0}, 1000) == Status::ok; }));
  }
  BOOST_TEST(works(main));
  BOOST_TEST(error_of([&] { const Writer of_orders{orders}; }) == Errc::corrupt);
  BOOST_TEST(error_of([&] { recover(segment); }) == Errc::corrupt);
  BOOST_TEST(Stream::remove(segment, "orders"));
  BOOST_TEST(inspect(segment).participants.size() == 1U);
  BOOST_TEST(error_of([&] { recover(segment); }) == nothing());
  BOOST_TEST(works(Stream::create(segment, "orders", kLittle)));
}

// The first recoverer dies between the two; the next one goes on.
BOOST_AUTO_TEST_CASE(a_second_death_between_two_facilities_leaves_the_rest_to_the_next) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  Stream::create(segment, "orders", kLittle);
  for (const unsigned nth : {1u, 2u}) {
    for (const KillPoint point : {KillPoint::recover_locked, KillPoint::recover_noted, KillPoint::recover_repaired,
                                  KillPoint::recover_departed, KillPoint::recover_finished}) {
      Victim of_main{name, "main", 1};
      Victim of_orders{name, "orders", 2};
      of_main.kill();
      of_orders.kill();
      Child recoverer{[&](Link&) {
        const Segment own = Segment::open(name);
        kill_point::arm(point, kill_self, nth);
        recover(own);
      }};
      BOOST_TEST(recoverer.wait() == -SIGKILL);
      recover(segment);
    }
  }
  const Snapshot now = inspect(segment);
  BOOST_TEST(now.participants.empty());
  for (const FacilitySnapshot& facility : now.facilities) {
    BOOST_TEST(facility.recoveries == 10U);
    BOOST_TEST(facility.journal.size() == 10U);
    BOOST_TEST(facility.stream->departed_participants == 10U);
    BOOST_TEST(facility.stream->departed.committed == 50U);
    BOOST_TEST(facility.stream->departed.abandoned == 10U);
    for (const JournalRecord& record : facility.journal) BOOST_TEST(record.finished_ns != 0U);
  }
}

// One who is stopped under the lock of one stream stops that one only.
BOOST_AUTO_TEST_CASE(a_stopped_flipper_of_one_stream_does_not_stop_the_other) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  Child flipper{[&](Link&) {
    const Segment own = Segment::open(name);
    Writer writer{own};
    kill_point::arm(KillPoint::flip_prepared, stop_self);
    while (put(writer, {1, 0}, 1000) == Status::ok) {
    }
  }};
  BOOST_TEST(flipper.wait_until_stopped());
  Writer writer{orders, {.timeout = 5s}};
  for (std::uint32_t number = 0; number < 100; ++number) BOOST_TEST(put(writer, {1, number}, 500) == Status::ok);
  BOOST_TEST(inspect(segment).facilities[1].stream->generation > 10U);
}

// A thread that is given the space of a stream, which may take seconds: the others of its process find out meanwhile who is
// dead, and a child forked meanwhile asks for nothing that the thread has.
BOOST_AUTO_TEST_CASE(a_maker_that_waits_for_its_space_keeps_no_thread_from_calling_somebody_dead) {
  const TestName name;
  SegmentOptions options = kSmall;
  options.on_full = OnFull::drop;
  const Segment segment = Segment::create(name, options);
  Writer writer{segment};
  Child reading{[&](Link& link) {
    const Reader reader{Segment::open(name)};
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(reading.hear() == 1U);
  put_until_refused(writer, {1, 0}, 10'000, 1000);
  std::atomic<bool> waits{false};
  std::atomic<bool> may_go_on{false};
  std::atomic<bool> was_told{false};
  kill_point::arm(KillPoint::create_fits, [&] {
    waits = true;
    was_told = eventually([&] { return may_go_on.load(); });
  });
  std::thread maker{[&] { Stream::create(segment, "orders", kLittle); }};
  BOOST_TEST(eventually([&] { return waits.load(); }));
  reading.kill();
  BOOST_TEST(eventually([&] { return put(writer, {1, 0}, 1000) == Status::ok; }));
  Child forked{[&](Link&) { static_cast<void>(segment.bytes()); }};
  BOOST_TEST(forked.wait() == 0);
  may_go_on = true;
  maker.join();
  BOOST_TEST(was_told);
  BOOST_TEST(works(Stream::open(segment, "orders")));
}

// A reader of one stream keeps nothing in another, whatever the numbers of its generations.
BOOST_AUTO_TEST_CASE(holds_keep_slabs_of_their_own_stream_only) {
  const TestName name;
  const Segment segment = Segment::create(name, kSmall);
  const Stream orders = Stream::create(segment, "orders", kLittle);
  const Reader of_main{segment};
  Writer writer{orders, {.timeout = 0ms}};
  for (std::uint32_t number = 0; number < 100; ++number) BOOST_TEST(put(writer, {1, number}, 500) == Status::ok);
}

// --- Memory that the caller supplies -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(supplied_memory_is_as_large_as_it_is) {
  const std::uint64_t needed = Segment::bytes_needed(kSmall);
  const SharedMemory tight{needed};
  const Segment full = Segment::create_in(tight, kSmall);
  BOOST_TEST(error_of([&] { Stream::create(full, "orders", kLittle); }) == Errc::no_space);
  BOOST_TEST(message_of([&] { Stream::create(full, "orders", kLittle); }).find("supplied") != std::string::npos);
  BOOST_TEST(works(Stream::open(full)));
  const SharedMemory roomy{needed + (1 << 20)};
  const Segment segment = Segment::create_in(roomy, kSmall);
  for (int round = 0; round < 3; ++round) {
    BOOST_TEST(works(Stream::create(segment, "orders", {.slab_bytes = 256 << 10})));
    BOOST_TEST(error_of([&] { Stream::create(segment, "more", {.slab_bytes = 512 << 10}); }) == Errc::no_space);
    BOOST_TEST(Stream::remove(segment, "orders"));
  }
}

// Whoever grows there would write behind the memory.
BOOST_AUTO_TEST_CASE(an_entry_that_leads_out_of_supplied_memory_is_corrupt) {
  const SharedMemory memory{Segment::bytes_needed(kSmall) + (1 << 20)};
  const Segment segment = Segment::create_in(memory, kSmall);
  const std::uint64_t page = layout::kPageBytes;
  static_cast<void>(Pool::create(segment, "frames", {.buffer_bytes = 4096, .count = 1, .max_count = 10'000}));
  const FacilityInfo frames = segment.facilities().back();
  BOOST_TEST(frames.offset + frames.most_bytes == memory.bytes().size() / page * page);
  segment.core()->with_writable_directory(
      [&](layout::Directory& directory) { directory.entries[1].most_bytes.fetch_add(page); });
  const Segment again = Segment::open_in(memory.map_again());
  BOOST_TEST(error_of([&] { static_cast<void>(Pool::open(again, "frames")); }) == Errc::corrupt);
  BOOST_TEST(works(Stream::open(again)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
