// Every system call that the library makes fails in turn, with each errno that it can give; and so does each request
// for memory. Whatever the call was part of: nothing crashes, nothing leaks, what is said is true, and the next try
// succeeds.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstring>
#include <filesystem>
#include <new>
#include <set>

#include "faults/calls.hpp"
#include "faults/holdings.hpp"
#include "faults/operations.hpp"
#include "platform/lock_file.hpp"
#include "support/invariants.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;

// Words that an error may use in place of the system's own.
bool names_cause(const std::string& text, int error) {
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  switch (error) {
    case EAGAIN:  // of fcntl: somebody has the lock; of mmap: no more memory may be locked
      if (says("a live process") || says("participants, all alive") || says("locks its memory (mlockall)")) return true;
      break;
    case EACCES:
      if (says("a security module or an ACL says no")) return true;
      break;
    case EROFS:
      if (says("is mounted read-only")) return true;
      break;
    case EMFILE:
      if (says("descriptors that it may have (ulimit -n)")) return true;
      break;
    case ENFILE:
      if (says("the system is out of descriptors")) return true;
      break;
    case ENOMEM:
      if (says("out of memory, or of mappings")) return true;
      break;
    case ENOENT:
      if (says("there is no ") || says("/proc") || says("is made and removed again all the time")) return true;
      break;
    case EEXIST:
      if (says("exists already") || says("is made and removed again all the time")) return true;
      break;
    case ENOSPC:
    case EFBIG:
      if (says("has no room")) return true;
      break;
    case EPERM:
      if (says("membarrier(2) is not available") || says("a security module or an ACL says no")) return true;
      break;
    case ENOSYS:
      if (says("membarrier(2) is not available")) return true;
      break;
    case kShort:
      return false;  // a call that gives less than it could is no reason to give up
    default:
      break;
  }
  return says(std::strerror(error));
}

std::string describe(const Fault& fault) {
  if (fault.nth == 0) return "no fault";
  return std::string(fault.lasting ? "from call " : "call ") + std::to_string(fault.nth) + " (" + name_of(fault.call) +
         (fault.lasting ? ") on: " : "): ") + name_of_error(fault.error);
}

// Stands for the process that a program goes on with after the error.
void use_again(const Operation& operation, World& world) {
  operation.undo(world);
  operation.act(world);
  operation.undo(world);
}

void check_stream(World& world) {
  if (!std::filesystem::exists("/dev/shm/sapbuf." + world.name.str())) return;
  const Segment segment = Segment::open(world.name);
  BOOST_TEST(eventually([&] { return !recover(segment).pending; }));
  BOOST_TEST(broken_invariant(segment) == "");
  const std::size_t handles = (world.reader ? 1u : 0u) + (world.writer ? 1u : 0u) + (world.idler ? 1u : 0u);
  BOOST_TEST(inspect(segment).participants.size() == handles, "a slot is left");
  if (world.reader && segment.options().on_full == OnFull::block) {
    world.delivered.read(*world.reader);
    BOOST_TEST(world.delivered.count == world.accepted);
    BOOST_TEST(world.delivered.wrong == 0U);
    BOOST_TEST(world.delivered.in_order());
  }
}

void check_works(const World& world) {
  const Segment segment = Segment::open_or_create(world.name, world.options);
  Reader reader{segment, {.from = From::newest}};
  Writer writer{segment, {.timeout = std::chrono::milliseconds{0}}};
  if (writer.write("after all") == Status::ok) BOOST_TEST(texts(reader) == std::vector<std::string>{"after all"});
}

// What came of the operation under the fault: nothing if it succeeded.
std::string attempt(const Operation& operation, World& world, Faults& faults) {
  try {
    operation.act(world);
    faults.end();
    return {};
  } catch (const Error& error) {
    faults.end();
    return error.what();
  } catch (const std::bad_alloc&) {
    faults.end();
    return std::strerror(ENOMEM);
  } catch (const std::exception& lie) {  // of the operation itself: it was told what is not so
    faults.end();
    return std::string("untrue: ") + lie.what();
  }
}

// Runs the operation once. Returns the calls that it made.
std::vector<Call> experiment(const Operation& operation, const Fault& fault) {
  const Holdings before = Holdings::now();
  std::vector<Call> calls;
  {
    World world{.name = {},
                .options = operation.options,
                .segment = {},
                .reader = {},
                .writer = {},
                .idler = {},
                .delivered = {}};
    operation.before(world);
    std::string problem;
    BOOST_TEST_CHECKPOINT(operation.name << ", " << describe(fault));
    {
      Faults faults{fault};
      problem = attempt(operation, world, faults);
      calls = faults.calls();
    }
    BOOST_TEST_CONTEXT(describe(fault)) {
      if (fault.nth == 0) {
        BOOST_TEST(problem == "");
      } else if (!problem.empty()) {
        BOOST_TEST(!problem.starts_with("untrue"), problem);
        BOOST_TEST(names_cause(problem, fault.error), "it says: " << problem);
        const bool exists = std::filesystem::exists("/dev/shm/sapbuf." + world.name.str());
        BOOST_TEST(!(operation.makes_segment && exists), "something is left under the name");
      }
      check_stream(world);
      use_again(operation, world);
      check_stream(world);
      world.idler.reset();
      world.writer.reset();
      world.reader.reset();
      world.segment.reset();
      check_works(world);
      BOOST_TEST(!is_any_byte_locked(world.name.str()), "a lock is left");
    }
  }
  BOOST_TEST_CONTEXT(describe(fault)) {
    const std::string left = Holdings::now().beyond(before);
    BOOST_TEST(left.empty(), "left: " << left);
  }
  return calls;
}

BOOST_AUTO_TEST_SUITE(faults)

BOOST_DATA_TEST_CASE(each_call_may_fail_once, data::make(operations()), operation) {
  experiment(operation, {});  // what is made once in a process's life is made now
  const std::vector<Call> calls = experiment(operation, {});
  std::size_t tried = 0;
  for (std::size_t nth = 1; nth <= calls.size(); ++nth) {
    for (const int error : errors_of(calls[nth - 1])) {
      experiment(operation, {.nth = nth, .call = calls[nth - 1], .error = error});
      ++tried;
    }
  }
  BOOST_TEST_MESSAGE(operation.name << ": " << calls.size() << " calls, " << tried << " faults");
}

BOOST_DATA_TEST_CASE(each_kind_of_call_may_fail_for_good, data::make(operations()), operation) {
  const std::vector<Call> calls = experiment(operation, {});
  std::set<Call> seen;
  for (std::size_t nth = 1; nth <= calls.size(); ++nth) {
    if (!seen.insert(calls[nth - 1]).second) continue;
    for (const int error : errors_of(calls[nth - 1])) {
      if (error == EINTR || error == kShort) continue;  // a program may try these again until they end
      experiment(operation, {.nth = nth, .call = calls[nth - 1], .error = error, .lasting = true});
    }
  }
}

// Nothing else that is held may go with it.
BOOST_AUTO_TEST_CASE(a_byte_that_cannot_be_unlocked_is_free_with_the_last_one) {
  constexpr std::uint64_t kFirst = std::uint64_t{1} << 60;
  constexpr std::uint64_t kLast = kFirst + 1;
  const SharedMemory memory{4096};
  platform::LockFile mine{memory.descriptor()};
  platform::LockFile other{memory.descriptor()};
  BOOST_TEST(mine.try_lock(kFirst));
  BOOST_TEST(mine.try_lock(kLast));
  {
    const Faults faults{{.nth = 1, .call = Call::unlock, .error = ENOLCK}};
    mine.unlock(kFirst);
    BOOST_TEST(faults.struck() == 1U);
  }
  BOOST_TEST(other.is_locked(kFirst));
  BOOST_TEST(!other.try_lock(kLast));
  BOOST_TEST(mine.try_lock(kFirst));  // it can be taken again by those who have it
  mine.unlock(kFirst);
  mine.unlock(kLast);
  BOOST_TEST(other.try_lock(kFirst));
  BOOST_TEST(other.try_lock(kLast));
  BOOST_TEST(mine.try_lock(kLast + 1));
  BOOST_TEST(other.is_locked(kLast + 1));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
