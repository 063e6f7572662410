// A peer truncates the segment's file under everybody's hands.
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <csetjmp>
#include <deque>
#include <random>
#include <thread>

#include "environment/surroundings.hpp"
#include "stream/own_ranges.hpp"
#include "stream/stream_core.hpp"
#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

SegmentOptions small(Order order, OnFull on_full = OnFull::block) {
  return {.slabs = 4, .slab_bytes = 65536, .order = order, .on_full = on_full, .participants = 8};
}

void truncate_file(const std::string& name, std::uint64_t bytes) {
  require(::truncate(("/dev/shm/sapbuf." + name).c_str(), static_cast<off_t>(bytes)) == 0, "cannot truncate");
}

// What is left of a file of these options: nothing, some of the control part, all of that, and a slab more.
std::vector<std::uint64_t> cuts(const SegmentOptions& options) {
  const std::uint64_t slabs_at = Segment::bytes_needed(options) - options.slabs * options.slab_bytes;
  return {0, 4096, slabs_at, slabs_at + options.slab_bytes};
}

Errc errc_of_message(const std::function<void()>& call) {
  const std::string said = message_of(call);
  require(said.empty() || said.find("truncated") != std::string::npos, said);
  return error_of(call);
}

BOOST_AUTO_TEST_SUITE(truncation)

// Everything that can be done with a segment, through handles that were there before and through new ones.
void find_it_corrupt(const Segment& segment, Writer& writer, Reader& reader) {
  // What a writer has of its extent may last a little; then it must ask for more.
  Status status = Status::ok;
  for (int i = 0; status == Status::ok && i < 10'000; ++i) status = writer.write(std::string(100, 'x'));
  require(status == Status::corrupt, "the writer: " + std::string(to_string(status)));
  const auto read = [&] {
    for (;;) {
      for ([[maybe_unused]] const Frame& frame : reader.pin()) {
      }
      if (!reader.wait_for(kPatience)) return;
    }
  };
  require(errc_of_message(read) == Errc::corrupt, "the reader goes on");
  const std::vector<std::function<void()>> others{
      [&] { static_cast<void>(inspect(segment)); }, [&] { dump(segment, [](const FrameRecord&) {}); },
      [&] { static_cast<void>(recover(segment)); }, [&] { static_cast<void>(find_dead(segment)); },
      [&] { const Writer another{segment}; },       [&] { const Reader another{segment}; },
  };
  for (const auto& call : others) require(errc_of_message(call) == Errc::corrupt, "one of the others goes on");
  require(was_truncated(segment), "it is not said to be truncated");
}

BOOST_DATA_TEST_CASE(a_participant_that_survives_finds_that_stream_corrupt_and_goes_on_with_others,
                     data::make(kOrders) * data::xrange(4), order, cut) {
  const TestName name;
  const TestName other_name;
  const SegmentOptions options = small(order);
  Child child{[&](Link&) {
    survive_truncation();
    const Segment other = Segment::create(other_name, options);
    Writer other_writer{other};
    Reader other_reader{other};
    const Segment segment = Segment::create(name, options);
    {
      Reader reader{segment};
      Writer writer{segment, {.timeout = 20ms}};
      require(put(writer, {1, 0}) == Status::ok, "not accepted");
      truncate_file(name, cuts(options)[static_cast<std::size_t>(cut)]);
      find_it_corrupt(segment, writer, reader);
    }
    require(!was_truncated(other), "the other one is taken for it");
    put_all(other_writer, 1, 100, 200);
    Log log;
    log.read(other_reader);
    require(log.is_complete(1, 100), "the other stream has suffered");
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(it_is_not_touched_again_when_the_file_gets_its_size_back) {
  const TestName name;
  const SegmentOptions options = small(Order::total);
  Child child{[&](Link&) {
    survive_truncation();
    const Segment segment = Segment::create(name, options);
    Writer writer{segment};
    truncate_file(name, 0);
    require(writer.write("lost") == Status::corrupt, "accepted");
    truncate_file(name, Segment::bytes_needed(options));
    require(writer.write("lost") == Status::corrupt, "accepted");
  }};
  BOOST_TEST(child.wait() == 0);
  Child looker{[&](Link&) {
    const std::string path = "/dev/shm/sapbuf." + name.str();
    FILE* const file = std::fopen(path.c_str(), "r");
    for (int byte = 0; file != nullptr && (byte = std::fgetc(file)) != EOF;) require(byte == 0, "it has written there");
  }};
  BOOST_TEST(looker.wait() == 0);
}

BOOST_AUTO_TEST_CASE(onlookers_that_open_by_name_survive_it_in_the_midst_of_a_look) {
  for (const Order order : kOrders) {
    const TestName name;
    const SegmentOptions options = small(order);
    const Segment segment = Segment::create(name, options);
    {
      Writer writer{segment};
      put_all(writer, 1, 100, 200);
    }
    Child child{[&](Link&) {
      survive_truncation();
      std::size_t frames = 0;
      const auto look = [&] {
        dump(name, [&](const FrameRecord&) {
          if (++frames == 3) truncate_file(name, 4096);
        });
      };
      require(errc_of_message(look) == Errc::corrupt && frames >= 3, "it has not noticed");
      require(error_of([&] { static_cast<void>(inspect(name)); }) == Errc::corrupt, "a short file was opened");
    }};
    BOOST_TEST(child.wait() == 0);
  }
}

BOOST_AUTO_TEST_CASE(supplied_memory_with_a_descriptor_is_covered) {
  const SegmentOptions options = small(Order::per_writer);
  Child child{[&](Link&) {
    survive_truncation();
    const SharedMemory memory{Segment::bytes_needed(options)};
    const Segment segment = Segment::create_in(memory, options);
    Writer writer{segment};
    Reader reader{segment};
    require(::ftruncate(static_cast<Memory>(memory).descriptor, 0) == 0, "cannot truncate");
    find_it_corrupt(segment, writer, reader);
  }};
  BOOST_TEST(child.wait() == 0);
}

// Reads on in the range that was pinned, and goes on in a reservation that was open.
BOOST_DATA_TEST_CASE(what_is_in_use_stays_addressable, data::make(kOrders), order) {
  const TestName name;
  Child child{[&](Link&) {
    survive_truncation();
    const Segment segment = Segment::create(name, small(order));
    Writer writer{segment};
    Reader reader{segment};
    require(writer.write(std::string(100, 'x')) == Status::ok, "not accepted");
    Reservation open = writer.reserve(100);
    for (const Frame& frame : reader.pin()) {
      truncate_file(name, 0);
      for (const std::byte byte : frame.bytes()) require(byte == std::byte{0}, "not zero");
    }
    for (std::byte& byte : open.bytes()) byte = std::byte{1};
    open.commit();
    require(writer.write("more") == Status::corrupt, "accepted");
  }};
  BOOST_TEST(child.wait() == 0);
}

// Where the library keeps signals away, a missing page would end the process.
BOOST_AUTO_TEST_CASE(a_look_at_own_ranges_needs_no_slot) {
  const TestName name;
  Child child{[&](Link&) {
    const Segment segment = Segment::create(name, {.slab_bytes = 65536, .participants = 32});
    // The page with the first slots has other words, too.
    detail::StreamCore& core = main_stream(segment);
    const auto first = reinterpret_cast<std::uintptr_t>(&core.slot(0));
    auto* const page = reinterpret_cast<std::byte*>(layout::round_up(first, layout::kPageBytes));
    std::vector<Writer> others;
    while (reinterpret_cast<std::byte*>(&core.slot(static_cast<std::uint32_t>(others.size()))) < page) {
      others.emplace_back(segment);
    }
    Reader reader{segment};
    Writer writer{segment};
    require(put(writer, {1, 0}) == Status::ok, "not accepted");
    const auto range = reader.pin();
    fill_up(writer);
    require(detail::is_kept_by_own_range(core), "it is not kept");
    require(::mprotect(page, layout::kPageBytes, PROT_NONE) == 0, "cannot protect");
    const bool kept = detail::is_kept_by_own_range(core);
    ::mprotect(page, layout::kPageBytes, PROT_READ | PROT_WRITE);
    require(kept, "it is not kept without the slots");
  }};
  BOOST_TEST(child.wait() == 0);
}

// At any moment of anything, seen from several threads at once: there is always an end, and it is said what it was.
BOOST_DATA_TEST_CASE(it_may_come_at_any_moment, kEveryStream, order, on_full) {
  std::mt19937_64 chance{base_seed()};
  for (int round = 0; round < 30; ++round) {
    const TestName name;
    const SegmentOptions options = small(order, on_full);
    const auto left = cuts(options)[chance() % 4];
    const std::chrono::microseconds moment{chance() % 2000};
    Child child{[&](Link&) {
      survive_truncation();
      const Segment segment = Segment::create(name, options);
      std::atomic<int> ended{0};
      const std::vector<std::function<void()>> actors{
          [&] {
            Writer writer{segment, {.timeout = 1ms}};
            for (Status status = Status::ok; status != Status::corrupt;) status = writer.write(std::string(300, 'x'));
          },
          [&] {
            Reader reader{segment};
            for (;;) {
              for ([[maybe_unused]] const Frame& frame : reader.pin()) {
              }
              static_cast<void>(reader.wait_for(1ms));
            }
          },
          [&] {
            for (;;) static_cast<void>(recover(segment));
          },
          [&] {
            for (;;) {
              static_cast<void>(inspect(segment));
              dump(segment, [](const FrameRecord&) {});
            }
          },
          [&] {
            for (;;) const Writer fleeting{segment};
          },
      };
      std::deque<std::thread> threads;
      for (const auto& actor : actors) {
        threads.emplace_back([&] {
          if (const Errc code = error_of(actor); code != nothing() && code != Errc::corrupt) std::abort();
          ++ended;
        });
      }
      std::this_thread::sleep_for(moment);
      truncate_file(name, left);
      // With a part of the file left, not everybody must come to where the rest was.
      if (left == 0) require(eventually([&] { return ended == static_cast<int>(actors.size()); }), "somebody goes on");
      if (left != 0) ::_exit(0);
      for (std::thread& thread : threads) thread.join();
    }};
    BOOST_TEST_REQUIRE(child.wait() == 0);
  }
}

// --- Everything else -------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(without_it_a_process_dies_as_ever) {
  const TestName name;
  Child child{[&](Link&) {
    ::signal(SIGBUS, SIG_DFL);  // the test framework has a handler of its own
    const Segment segment = Segment::create(name, small(Order::total));
    truncate_file(name, 0);
    static_cast<void>(inspect(segment));
  }};
  BOOST_TEST(child.wait() == -SIGBUS);
}

// A file of somebody else's, of which nothing is left.
const volatile char* missing_page() {
  const int file = ::memfd_create("missing", MFD_CLOEXEC);
  void* const page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
  require(page != MAP_FAILED, "cannot map");
  return static_cast<const volatile char*>(page);
}

BOOST_AUTO_TEST_CASE(a_sigbus_of_another_origin_ends_the_process) {
  const TestName name;
  Child touching{[&](Link&) {
    ::signal(SIGBUS, SIG_DFL);
    survive_truncation();
    { const Segment gone = Segment::create(name, small(Order::total)); }  // its place may be taken by others
    static_cast<void>(*missing_page());
  }};
  BOOST_TEST(touching.wait() == -SIGBUS);
  Child raising{[](Link&) {
    ::signal(SIGBUS, SIG_DFL);
    survive_truncation();
    ::raise(SIGBUS);
  }};
  BOOST_TEST(raising.wait() == -SIGBUS);
}

std::jmp_buf back;

BOOST_AUTO_TEST_CASE(a_handler_that_was_there_before_gets_what_is_its_own) {
  const TestName name;
  Child child{[&](Link&) {
    struct sigaction own {};
    own.sa_handler = [](int) { ::longjmp(back, 1); };
    own.sa_flags = SA_NODEFER;
    require(::sigaction(SIGBUS, &own, nullptr) == 0, "cannot install a handler");
    survive_truncation();
    survive_truncation();
    const volatile char* const page = missing_page();
    if (::setjmp(back) == 0) {
      static_cast<void>(*page);
      throw std::runtime_error("the page is there");
    }
    sigset_t bus;
    ::sigemptyset(&bus);
    ::sigaddset(&bus, SIGBUS);
    ::pthread_sigmask(SIG_UNBLOCK, &bus, nullptr);
    const Segment segment = Segment::create(name, small(Order::total));
    truncate_file(name, 0);
    require(error_of([&] { static_cast<void>(inspect(segment)); }) == Errc::corrupt, "not survived");
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(any_number_of_segments_is_covered) {
  Child child{[](Link&) {
    survive_truncation();
    std::deque<TestName> names(100);
    std::deque<Segment> segments;
    for (const TestName& name : names) {
      segments.push_back(Segment::create(name, {.slab_bytes = 4096, .participants = 1}));
    }
    for (std::size_t at = 0; at < names.size(); at += 9) truncate_file(names[at], 0);
    for (std::size_t at = 0; at < names.size(); ++at) {
      const Errc code = error_of([&] { static_cast<void>(inspect(segments[at])); });
      require(code == (at % 9 == 0 ? Errc::corrupt : nothing()), "segment " + std::to_string(at));
    }
  }};
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
