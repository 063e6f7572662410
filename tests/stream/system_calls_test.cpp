// What is promised to make no system call makes none, and what must make one is seen to.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "support/every_stream.hpp"
#include "support/main_stream.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"
#include "support/system_calls.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

using Calls = std::vector<long>;

constexpr int kMessages = 500;  // far less than a slab holds

// A writer and a reader; what both need at their first use was mapped.
struct Scene {
  Scene(Order order, OnFull on_full, Fences fences, std::uint64_t slab_bytes = 1 << 20)
      : segment{{.slab_bytes = slab_bytes, .order = order, .on_full = on_full, .fences = fences}} {
    write(1);
    read();
  }

  void write(int count) {
    for (int i = 0; i < count; ++i) must_put(writer, {1, number++}, 100);
  }
  std::size_t read() { return reader.wait_for(0ms) ? log.read(reader) : 0; }

  HeapSegment segment;
  Reader reader{segment};
  Writer writer{segment};
  std::uint32_t number = 0;
  Log log;
};

// In the child, which has no way to say more.
void require(bool condition) {
  if (!condition) ::_exit(1);
}

// Of an operation on a scene that was made before. Nothing where the case was skipped.
template <typename Operation>
std::optional<Calls> calls_in(const std::function<std::shared_ptr<Scene>()>& make, Operation operation) {
  const std::string reason = why_calls_cannot_be_seen();
  if (!reason.empty()) {
    // In a build with a sanitizer that is no reason to call the whole program skipped.
    if (kSlow) {
      BOOST_TEST_MESSAGE("not tried: " << reason);
    } else {
      skip(reason);
    }
    return std::nullopt;
  }
  return system_calls_of([&]() -> std::function<void()> { return [scene = make(), operation] { operation(*scene); }; });
}

template <typename Operation>
void expect_no_call(Order order, OnFull on_full, Fences fences, Operation operation) {
  const auto calls = calls_in([&] { return std::make_shared<Scene>(order, on_full, fences); }, operation);
  if (calls) BOOST_TEST(*calls == Calls{}, boost::test_tools::per_element());
}

const auto kEveryKind = kEveryStream * kEveryFence;

BOOST_AUTO_TEST_SUITE(system_calls)

BOOST_AUTO_TEST_CASE(what_is_called_is_seen) {
  if (kSlow) {
    BOOST_TEST_MESSAGE("not tried: " << why_calls_cannot_be_seen());
    return;
  }
  const auto calls = system_calls_of([] {
    return [] {
      ::syscall(SYS_getppid);
      ::syscall(SYS_write, 1, "", 0);
      ::syscall(SYS_getppid);
    };
  });
  if (!calls) return skip("seccomp(2) is refused");
  const Calls expected{SYS_getppid, SYS_write, SYS_getppid};
  BOOST_TEST(*calls == expected, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(messages_are_written_without_one, kEveryKind, order, on_full, fences) {
  expect_no_call(order, on_full, fences, [](Scene& scene) {
    for (int i = 0; i < kMessages; ++i) {
      Reservation open = scene.writer.reserve(100);
      require(!!open);
      if (i % 7 == 6) {
        open.abort();
      } else {
        open.commit(i % 5 == 4 ? 60 : 100);
      }
      require(scene.writer.write("a message") == Status::ok);
    }
  });
}

BOOST_DATA_TEST_CASE(batches_are_written_without_one, kEveryKind, order, on_full, fences) {
  expect_no_call(order, on_full, fences, [](Scene& scene) {
    for (int i = 0; i < kMessages / 10; ++i) {
      Batch batch = scene.writer.reserve_batch(10, 1000);
      require(!!batch);
      for (int k = 0; k < 10; ++k) require(batch.append(100).data() != nullptr);
      batch.commit();
    }
  });
}

BOOST_DATA_TEST_CASE(what_is_there_is_read_without_one, kEveryKind, order, on_full, fences) {
  const auto make = [&] {
    auto scene = std::make_shared<Scene>(order, on_full, fences);
    scene->write(kMessages);
    return scene;
  };
  const auto calls = calls_in(make, [](Scene& scene) {
    require(scene.reader.wait_for(0ms));
    int count = 0;
    for (const Frame& frame : scene.reader.pin()) count += frame.bytes().size() == 100 ? 1 : 0;
    require(count == kMessages);
  });
  if (calls) BOOST_TEST(*calls == Calls{}, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(each_message_is_read_as_it_comes_without_one, kEveryKind, order, on_full, fences) {
  expect_no_call(order, on_full, fences, [](Scene& scene) {
    for (int i = 0; i < kMessages; ++i) {
      require(scene.writer.write("a message") == Status::ok);
      require(scene.reader.wait_for(0ms));
      int count = 0;
      for (const Frame& frame : scene.reader.pin()) count += frame.bytes().size() == 9 ? 1 : 0;
      require(count == 1);
    }
  });
}

// A reader that sleeps has to be woken: once, and by nothing else.
BOOST_DATA_TEST_CASE(a_sleeping_reader_costs_the_next_commit_one, kEveryKind, order, on_full, fences) {
  const auto make = [&] { return std::make_shared<Scene>(order, on_full, fences); };
  const auto calls = calls_in(make, [](Scene& scene) {
    main_stream(scene.segment).control().data.word = layout::Event::kAwaited;
    for (int i = 0; i < 10; ++i) require(scene.writer.write("a message") == Status::ok);
  });
  const Calls wake{SYS_futex};
  if (calls) BOOST_TEST(*calls == wake, boost::test_tools::per_element());
}

// A flip takes the stream's lock.
BOOST_DATA_TEST_CASE(a_flip_takes_some, data::make(kOrders), order) {
  const auto make = [&] { return std::make_shared<Scene>(order, OnFull::drop, Fences::membarrier, 4096); };
  const auto calls = calls_in(make, [](Scene& scene) {
    for (int i = 0; i < 100; ++i) static_cast<void>(put(scene.writer, {1, 1}, 100));
  });
  if (calls) BOOST_TEST(!calls->empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
