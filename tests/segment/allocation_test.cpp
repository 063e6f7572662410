// Memory runs out in the middle of attaching: nothing is left attached.
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <new>

#include "support/child.hpp"
#include "support/stream.hpp"

namespace {
thread_local int allocations_left = -1;  // -1: any number
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (allocations_left == 0) throw std::bad_alloc{};
  if (allocations_left > 0) --allocations_left;
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace sapbuf::test {
namespace {

// Calls with room for no allocation, for one, and so on, until the call succeeds. Returns how often it failed.
int try_with_ever_more_memory(const std::function<void()>& call, const std::function<void()>& check) {
  for (int allocations = 0;; ++allocations) {
    bool failed = false;
    allocations_left = allocations;
    try {
      call();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allocations_left = -1;
    if (!failed) return allocations;
    BOOST_TEST_CONTEXT("after " << allocations << " allocations") check();
  }
}

BOOST_AUTO_TEST_SUITE(allocation)

BOOST_AUTO_TEST_CASE(an_attach_that_runs_out_of_memory_leaves_no_slot_and_no_lock) {
  const TestName name;
  for (const Order order : kOrders) {
    const HeapSegment segment{{.slab_bytes = 8192, .order = order, .participants = 1}};
    BOOST_REQUIRE(Writer{segment}.write("something to skip") == Status::ok);
    const auto nobody_is_attached = [&] { BOOST_TEST(inspect(segment).participants.empty()); };
    BOOST_TEST(try_with_ever_more_memory([&] { const Writer writer{segment}; }, nobody_is_attached) > 2);
    for (const From from : {From::oldest, From::newest}) {
      const auto attach = [&] { const Reader reader{segment, {.from = from}}; };
      BOOST_TEST(try_with_ever_more_memory(attach, nobody_is_attached) > 4);
    }
    BOOST_TEST(error_of([&] { const Writer writer{segment}; }) == nothing());
  }
}

BOOST_AUTO_TEST_CASE(an_open_that_runs_out_of_memory_leaves_nothing_open) {
  const TestName name;
  const Segment segment = Segment::create(name, {.slab_bytes = 8192});
  const auto open = [&] { static_cast<void>(Segment::open(name)); };
  BOOST_TEST(try_with_ever_more_memory(open, [] {}) > 4);
  BOOST_TEST(error_of([&] { const Writer writer{segment}; }) == nothing());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
