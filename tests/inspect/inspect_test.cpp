// Looking at a segment from outside, while it lives and when all of its processes are dead.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>

#include "support/child.hpp"
#include "support/every_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order, OnFull on_full = OnFull::block) {
  return {.slab_bytes = 4096, .order = order, .on_full = on_full, .participants = 8};
}

const SlabSnapshot& slab_of(const Snapshot& snapshot, std::uint64_t generation) {
  const auto found = std::find_if(snapshot.slabs.begin(), snapshot.slabs.end(),
                                  [&](const SlabSnapshot& slab) { return slab.generation == generation; });
  BOOST_TEST_REQUIRE((found != snapshot.slabs.end()));
  return *found;
}

const ParticipantSnapshot& named(const Snapshot& snapshot, const std::string& name) {
  const auto found = std::find_if(snapshot.participants.begin(), snapshot.participants.end(),
                                  [&](const ParticipantSnapshot& one) { return one.name == name; });
  BOOST_TEST_REQUIRE((found != snapshot.participants.end()));
  return *found;
}

using Names = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(snapshot)

BOOST_DATA_TEST_CASE(a_fresh_segment_has_one_active_slab_and_nobody, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, on_full));
  const Snapshot now = inspect(name);
  BOOST_TEST(now.name == name.str());
  BOOST_TEST(now.bytes == segment.bytes());
  BOOST_TEST(now.abi == 2U);
  BOOST_TEST(now.created_ns != 0U);
  BOOST_TEST(now.options.order == order);
  BOOST_TEST(now.options.on_full == on_full);
  BOOST_TEST(now.options.slab_bytes == 4096U);
  BOOST_TEST(now.generation == 1U);
  BOOST_TEST(now.participants.empty());
  BOOST_TEST(now.departed_participants == 0U);
  BOOST_TEST(now.released == 0U);
  BOOST_TEST(now.journal.empty());
  BOOST_TEST_REQUIRE(now.slabs.size() == 2U);
  BOOST_TEST(now.slabs[0].state == "active");
  BOOST_TEST(now.slabs[0].generation == 1U);
  BOOST_TEST(now.slabs[0].used_bytes == 0U);
  BOOST_TEST(now.slabs[0].capacity_bytes == 4096U);
  BOOST_TEST(now.slabs[0].held_by.empty());
  BOOST_TEST(now.slabs[1].state == "free");
  BOOST_TEST(now.slabs[1].generation == 0U);
}

BOOST_DATA_TEST_CASE(participants_are_shown_with_role_name_and_process, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, on_full));
  Writer writer{segment, {.name = "feed"}};
  const Reader reader{segment, {.name = "archive"}};
  BOOST_TEST(writer.write("12345") == Status::ok);
  const Snapshot now = inspect(name);
  BOOST_TEST(now.participants.size() == 2U);
  const ParticipantSnapshot& feed = named(now, "feed");
  BOOST_TEST(feed.role == Role::writer);
  BOOST_TEST(feed.slot == writer.slot());
  BOOST_TEST(feed.pid == ::getpid());
  BOOST_TEST(feed.state == Liveness::alive);
  BOOST_TEST(feed.start_time != 0U);
  BOOST_TEST(feed.pid_namespace != 0U);
  BOOST_TEST(!feed.in_operation);
  BOOST_TEST(feed.ledger.committed == 1U);
  BOOST_TEST(feed.ledger.committed_bytes == 5U);
  const ParticipantSnapshot& archive = named(now, "archive");
  BOOST_TEST(archive.role == Role::reader);
  BOOST_TEST(archive.slot == reader.slot());
  BOOST_TEST(archive.ledger.delivered == 0U);
}

BOOST_DATA_TEST_CASE(a_slab_names_those_who_keep_it, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Reader slow{segment, {.name = "slow"}};
  Reader fast{segment, {.name = "fast"}};
  Writer writer{segment, {.name = "writer", .timeout = 0ms}};
  std::uint32_t number = 0;
  while (inspect(name).generation == 1) BOOST_TEST_REQUIRE(put(writer, {1, number++}, 200) == Status::ok);
  Log log;
  while (log.read(fast) != 0) {
  }
  const Snapshot now = inspect(name);
  BOOST_TEST(slab_of(now, 1).state == "sealed");
  BOOST_TEST(slab_of(now, 1).held_by == Names{"slow"}, boost::test_tools::per_element());
  const Names& active = slab_of(now, 2).held_by;
  BOOST_TEST(slab_of(now, 2).state == "active");
  BOOST_TEST(std::count(active.begin(), active.end(), "slow") == 1);
  BOOST_TEST(std::count(active.begin(), active.end(), "fast") == 1);
  BOOST_TEST((named(now, "slow").held_generations == std::vector<std::uint64_t>{1, 2}));
  BOOST_TEST((named(now, "fast").held_generations == std::vector<std::uint64_t>{2}));
}

BOOST_DATA_TEST_CASE(an_open_reservation_is_shown, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, on_full));
  Writer writer{segment, {.name = "writer"}};
  const Reservation open = writer.reserve(100);
  const Snapshot now = inspect(name);
  BOOST_TEST(named(now, "writer").in_operation);
  BOOST_TEST((named(now, "writer").held_generations == std::vector<std::uint64_t>{1}));
  BOOST_TEST(slab_of(now, 1).held_by == Names{"writer"}, boost::test_tools::per_element());
  BOOST_TEST(slab_of(now, 1).used_bytes >= 108U);
}

BOOST_DATA_TEST_CASE(a_pinned_slab_of_an_overwriting_stream_is_shown, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, OnFull::overwrite));
  Reader reader{segment, {.name = "reader"}};
  BOOST_TEST(Writer{segment}.write("to be pinned") == Status::ok);
  BOOST_TEST(inspect(name).slabs[0].held_by.empty());
  {
    const PinnedRange range = reader.pin();
    BOOST_TEST(inspect(name).slabs[0].held_by == Names{"reader"}, boost::test_tools::per_element());
    BOOST_TEST(named(inspect(name), "reader").in_operation);
  }
  BOOST_TEST(inspect(name).slabs[0].held_by.empty());
}

// Hung is a suspicion about those who hold what others may need; everybody else may be idle for ever.
BOOST_DATA_TEST_CASE(only_who_is_in_the_way_is_called_hung, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, on_full));
  const Reader idle_reader{segment, {.name = "idle reader"}};
  Writer idle_writer{segment, {.name = "idle writer"}};
  BOOST_TEST(idle_writer.write("x") == Status::ok);
  Writer stuck{segment, {.name = "stuck"}};
  const Reservation open = stuck.reserve(8);
  BOOST_TEST(eventually([&] { return named(inspect(name), "stuck").heartbeat_age_ms >= 20; }));
  const Snapshot now = inspect(name, {.hung_after = 20ms});
  BOOST_TEST(named(now, "stuck").state == Liveness::hung);
  BOOST_TEST(named(now, "idle reader").state == Liveness::alive);
  BOOST_TEST(named(now, "idle writer").state == Liveness::alive);
  BOOST_TEST(named(inspect(name, {.hung_after = 1h}), "stuck").state == Liveness::alive);
  BOOST_TEST(named(inspect(name, {.hung_after = 0ms}), "stuck").state == Liveness::alive);
  BOOST_TEST(recover(segment).dead.empty());
}

// Its extent lies in a slab that is not the active one any more: who needs that closes it.
BOOST_DATA_TEST_CASE(an_idle_writer_is_not_hung_when_others_go_on_to_the_next_slab, kEveryStream, order, on_full) {
  const TestName name;
  SegmentOptions options = small(order, on_full);
  if (order == Order::per_writer) options.extent_bytes = 1024;
  const Segment segment = Segment::create(name, options);
  Writer idle{segment, {.name = "idle"}};
  BOOST_TEST(idle.write("x") == Status::ok);
  Writer busy{segment, {.name = "busy"}};
  while (inspect(name).generation == 1) BOOST_TEST_REQUIRE(busy.write(std::string(200, 'x')) == Status::ok);
  const auto seen = [&] { return named(inspect(name, {.hung_after = 20ms, .lag = false}), "idle"); };
  BOOST_TEST(eventually([&] { return seen().heartbeat_age_ms >= 20; }));
  if (order == Order::per_writer) BOOST_TEST((seen().held_generations == std::vector<std::uint64_t>{1}));
  BOOST_TEST(seen().state == Liveness::alive);
}

// It has read all that it can: behind the idle writer's open extent.
BOOST_AUTO_TEST_CASE(a_reader_that_waits_on_a_descriptor_is_not_hung) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 4096, .extent_bytes = 1024});
  Reader reader{segment, {.name = "reader"}};
  Writer idle{segment};
  BOOST_TEST(idle.write("x") == Status::ok);
  Writer busy{segment};
  while (inspect(name).generation == 1) BOOST_TEST_REQUIRE(busy.write(std::string(200, 'x')) == Status::ok);
  reader.event_fd();
  Log log;
  while (!texts(reader).empty()) {
  }
  const auto seen = [&] { return named(inspect(name, {.hung_after = 1s, .lag = false}), "reader"); };
  BOOST_TEST(seen().held_generations.front() == 1U);
  for (int looks = 0; looks < 150; ++looks) {
    ::usleep(10'000);
    BOOST_TEST_REQUIRE(seen().state == Liveness::alive);
  }
}

BOOST_AUTO_TEST_CASE(a_maps_writer_that_is_stopped_with_a_key_is_hung) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Map map = Map::create(segment, "rates", {.keys = 4, .value_bytes = 64});
  MapWriter idle{map, {.name = "idle"}};
  BOOST_TEST(idle.put("EUR", "1") == Status::ok);
  Child child{[&](Link&) {
    MapWriter writer{Map::open(Segment::open(name), "rates"), {.name = "stopped"}};
    kill_point::arm(KillPoint::map_claimed, stop_self);
    static_cast<void>(writer.put("EUR", "2"));
  }};
  BOOST_TEST_REQUIRE(child.wait_until_stopped());
  const auto seen = [&](const char* who) {
    Snapshot now = inspect(name, {.hung_after = 20ms});
    std::erase_if(now.participants, [](const ParticipantSnapshot& one) { return one.role != Role::editor; });
    return named(now, who);
  };
  BOOST_TEST(eventually([&] { return seen("stopped").state == Liveness::hung; }));
  BOOST_TEST(eventually([&] { return seen("idle").heartbeat_age_ms >= 20; }));
  BOOST_TEST(seen("idle").state == Liveness::alive);
}

BOOST_DATA_TEST_CASE(a_stopped_reader_that_holds_old_slabs_is_hung_and_alive_when_it_goes_on, data::make(kOrders),
                     order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Child child{[&](Link& link) {
    Reader reader{Segment::open(name), {.name = "stopped"}};
    link.say(1);
    link.hear();
    Log log;
    log.read(reader);
    link.say(1);
    link.hear();
  }};
  child.hear();
  child.stop();
  Writer writer{segment, {.timeout = 0ms}};
  std::uint32_t number = 0;
  while (put(writer, {1, number}, 200) == Status::ok) ++number;
  BOOST_TEST(eventually([&] { return named(inspect(name, {.hung_after = 20ms}), "stopped").state == Liveness::hung; }));
  BOOST_TEST(recover(segment).dead.empty());
  child.resume();
  child.say(1);
  child.hear();
  BOOST_TEST(named(inspect(name, {.hung_after = 10min}), "stopped").state == Liveness::alive);
  BOOST_TEST(named(inspect(name), "stopped").ledger.delivered == number);
}

BOOST_AUTO_TEST_CASE(the_journal_tells_what_was_taken_from_whom) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  Child reader{[&](Link& link) {
    const Reader own{Segment::open(name), {.name = "holder"}};
    link.say(own.slot());
    link.hear();
  }};
  const auto slot = static_cast<std::uint32_t>(reader.hear());
  const pid_t pid = reader.pid();
  Writer writer{segment, {.timeout = 0ms}};
  std::uint32_t number = 0;
  while (put(writer, {1, number}, 200) == Status::ok) ++number;
  reader.kill();
  const RecoveryReport foreseen = find_dead(segment);
  const RecoveryReport report = recover(segment);
  BOOST_TEST(foreseen.released == report.released);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST((report.dead[0].held_generations == std::vector<std::uint64_t>{1, 2}));
  BOOST_TEST(report.released >= 1U);
  BOOST_TEST(!report.pending);
  const Snapshot now = inspect(name);
  BOOST_TEST_REQUIRE(now.journal.size() == 1U);
  const JournalRecord& entry = now.journal[0];
  BOOST_TEST(entry.number == 1U);
  BOOST_TEST(entry.slot == slot);
  BOOST_TEST(entry.role == Role::reader);
  BOOST_TEST(entry.name == "holder");
  BOOST_TEST(entry.pid == pid);
  BOOST_TEST(is_proof_of_death(entry.proof));
  BOOST_TEST(entry.noticed_ns != 0U);
  BOOST_TEST(entry.finished_ns >= entry.noticed_ns);
  BOOST_TEST(entry.held_first == 1U);
  BOOST_TEST(entry.held_last == 2U);
  BOOST_TEST(entry.released == report.released);
  BOOST_TEST(now.released == report.released);
  BOOST_TEST(put(writer, {1, number}, 200) == Status::ok);
}

// A slab that several kept counts when the last of them has gone, and once.
BOOST_DATA_TEST_CASE(a_slab_that_two_dead_kept_is_reclaimed_once, data::make(kOrders), order) {
  for (const bool somebody_lives : {false, true}) {
    const TestName name;
    const Segment segment = Segment::create(name, small(order));
    Child reader{[&](Link& link) {
      const Reader own{Segment::open(name)};
      link.say(1);
      link.hear();
    }};
    reader.hear();
    std::optional<Reader> living;
    if (somebody_lives) living.emplace(segment);
    Child writing{[&](Link& link) {
      Writer own{Segment::open(name)};
      const Reservation open = own.reserve(100);
      link.say(1);
      link.hear();
    }};
    writing.hear();
    Writer writer{segment, {.timeout = 0ms}};
    for (std::uint32_t number = 0; put(writer, {1, number}, 200) == Status::ok;) ++number;
    BOOST_TEST(find_dead(segment).released == 0U);
    reader.kill();
    BOOST_TEST(find_dead(segment).released == 0U);
    writing.kill();
    BOOST_TEST_CONTEXT("somebody lives: " << somebody_lives) {
      const std::uint32_t expected = somebody_lives ? 0 : 1;
      BOOST_TEST(find_dead(segment).released == expected);
      BOOST_TEST(recover(segment).released == expected);
      BOOST_TEST(inspect(segment).released == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_journal_keeps_the_last_sixty_four_deaths) {
  const TestName name;
  const Segment segment = Segment::create(name, small(Order::per_writer));
  for (int i = 0; i < 70; ++i) {
    Child child{[&](Link& link) {
      const Writer own{Segment::open(name), {.name = "victim"}};
      link.say(1);
      link.hear();
    }};
    child.hear();
    child.kill();
    BOOST_TEST(recover(segment).dead.size() == 1U);
  }
  const Snapshot now = inspect(name);
  BOOST_TEST_REQUIRE(now.journal.size() == 64U);
  BOOST_TEST(now.journal.front().number == 7U);
  BOOST_TEST(now.journal.back().number == 70U);
}

BOOST_AUTO_TEST_CASE(every_value_has_its_word) {
  BOOST_TEST(to_string(Liveness::alive) == "alive");
  BOOST_TEST(to_string(Liveness::dead) == "dead");
  BOOST_TEST(to_string(Liveness::hung) == "hung");
  BOOST_TEST(to_string(Order::per_writer) == "per-writer");
  BOOST_TEST(to_string(Order::total) == "total");
  BOOST_TEST(to_string(OnFull::block) == "block");
  BOOST_TEST(to_string(OnFull::drop) == "drop");
  BOOST_TEST(to_string(OnFull::overwrite) == "overwrite");
  BOOST_TEST(to_string(Role::writer) == "writer");
  BOOST_TEST(to_string(Role::reader) == "reader");
  BOOST_TEST(to_string(Status::too_large) == "too_large");
  BOOST_TEST(std::string(error_category().name()) == "sapbuf");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(dump)

struct Dumped {
  std::vector<Tag> messages;
  std::vector<std::string> kinds;
  std::map<std::uint32_t, std::uint64_t> bytes;  // of all frames of a slab
  std::vector<std::uint64_t> generations;
  std::size_t torn = 0;
};

Dumped dump_of(const std::string& name) {
  Dumped found;
  sapbuf::dump(name, [&](const FrameRecord& frame) {
    found.kinds.emplace_back(frame.kind);
    found.bytes[frame.slab] += frame.span;
    found.generations.push_back(frame.generation);
    if (frame.kind != "message") return;
    const auto tag = tag_of(frame.payload);
    if (tag) found.messages.push_back(*tag);
    if (!tag || frame.type != 5) ++found.torn;
  });
  return found;
}

bool has(const Dumped& dumped, const char* kind) {
  return std::count(dumped.kinds.begin(), dumped.kinds.end(), kind) != 0;
}

// All who ever used it are dead, one in the midst of a message; nobody has recovered anything.
BOOST_DATA_TEST_CASE(a_segment_of_the_dead_can_be_read, kEveryStream, order, on_full) {
  const TestName name;
  static_cast<void>(Segment::create(name, small(order, on_full)));
  Child victim{[&](Link& link) {
    const Segment segment = Segment::open(name);
    Reader reader{segment};
    Writer writer{segment};
    for (std::uint32_t number = 0; number < 25; ++number) {
      Reservation open = writer.reserve(200, 5);
      fill(open.bytes(), {1, number});
      open.commit();
    }
    const Reservation aborted = writer.reserve(64);
    Reservation moved = std::move(const_cast<Reservation&>(aborted));
    moved.abort();
    const Reservation open = writer.reserve(64);
    link.say(1);
    link.hear();
  }};
  victim.hear();
  victim.kill();
  const Dumped found = dump_of(name);
  BOOST_TEST(found.messages.size() == 25U);
  BOOST_TEST(std::is_sorted(found.messages.begin(), found.messages.end()));
  BOOST_TEST(found.torn == 0U);
  BOOST_TEST(std::is_sorted(found.generations.begin(), found.generations.end()));
  BOOST_TEST(found.generations.back() == 2U);
  BOOST_TEST(has(found, order == Order::total ? "busy" : "open"));
  BOOST_TEST(has(found, order == Order::total ? "nop" : "extent"));
  const Snapshot now = inspect(name);
  BOOST_TEST(now.participants.size() == 2U);
  for (const ParticipantSnapshot& one : now.participants) BOOST_TEST(one.state == Liveness::dead);
}

// What a sealed slab holds is one unbroken chain of frames.
BOOST_DATA_TEST_CASE(the_frames_of_a_sealed_slab_fill_it, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slabs = 4, .slab_bytes = 4096, .order = order});
  const Reader holder{segment};
  Writer writer{segment};
  for (std::uint32_t number = 0; inspect(name).generation < 3; ++number)
    must_put(writer, {1, number}, size_of({1, number}, 500));
  const Snapshot now = inspect(name);
  const Dumped found = dump_of(name);
  for (const SlabSnapshot& slab : now.slabs) {
    if (slab.state == "sealed") BOOST_TEST(found.bytes.at(slab.index) == slab.used_bytes);
  }
}

BOOST_DATA_TEST_CASE(a_dump_attaches_nobody_and_changes_nothing, data::make(kOrders), order) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order));
  Writer writer{segment};
  BOOST_TEST(put(writer, {1, 0}) == Status::ok);
  dump_of(name);
  BOOST_TEST(inspect(name).participants.size() == 1U);
  BOOST_TEST(inspect(name).departed_participants == 0U);
}

BOOST_DATA_TEST_CASE(a_dump_of_a_stream_in_motion_ends, kEveryStream, order, on_full) {
  const TestName name;
  const Segment segment = Segment::create(name, small(order, on_full));
  std::atomic<bool> done{false};
  std::thread thread{[&] {
    Writer writer{segment};
    for (std::uint32_t number = 0; !done; ++number) static_cast<void>(put(writer, {1, number}, 8 + number % 300));
  }};
  for (int i = 0; i < 50; ++i) {
    sapbuf::dump(name, [](const FrameRecord&) {});
    inspect(name);
  }
  done = true;
  thread.join();
}

// However fast the stream overwrites what is being looked at, each slab comes once.
BOOST_DATA_TEST_CASE(a_dump_ends_although_the_stream_outruns_it, data::make(kOrders), order) {
  const SegmentOptions options = small(order, OnFull::overwrite);
  const HeapSegment segment{options};
  Writer writer{segment};
  std::uint32_t number = 0;
  const auto write_a_slab = [&] {
    for (int i = 0; i < 8; ++i) static_cast<void>(put(writer, {1, number++}, 500));
  };
  write_a_slab();
  std::uint64_t frames = 0;
  sapbuf::dump(segment, [&](const FrameRecord&) {
    write_a_slab();
    if (++frames == 1000) throw std::runtime_error("it does not end");
  });
  BOOST_TEST(frames > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
