#include "faults/experiment.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>

#include "faults/calls.hpp"
#include "faults/holdings.hpp"
#include "support/invariants.hpp"

namespace sapbuf::test {
namespace {

// Words that an error may use in place of the system's own.
bool names_cause(const std::string& text, int error) {
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  // A region that could not be mapped with room to grow is mapped without it, and has none from then on.
  if (says("has no addresses in this process for so many"))
    return error == ENOMEM || error == EAGAIN || error == ENFILE;
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
  world.status = Status::ok;
  operation.act(world);
  BOOST_TEST(world.status == Status::ok, to_string(world.status));
  operation.undo(world);
}

void check_stream(World& world) {
  if (!std::filesystem::exists("/dev/shm/sapbuf." + world.name.str())) return;
  const Segment segment = Segment::open(world.name);
  BOOST_TEST(eventually([&] { return !recover(segment).pending; }));
  BOOST_TEST(broken_invariant(segment) == "");
  const std::size_t handles = (world.reader ? 1u : 0u) + (world.writer ? 1u : 0u) + (world.idler ? 1u : 0u);
  const std::vector<ParticipantSnapshot> all = inspect(segment).participants;
  const auto of_stream = [](const ParticipantSnapshot& one) { return one.facility == kMainStream; };
  BOOST_TEST(static_cast<std::size_t>(std::ranges::count_if(all, of_stream)) == handles, "a slot is left");
  if (world.reader && segment.options().on_full == OnFull::block) {
    world.delivered.read(*world.reader);
    BOOST_TEST(world.delivered.count == world.accepted);
    BOOST_TEST(world.delivered.wrong == 0U);
    BOOST_TEST(world.delivered.in_order());
  }
}

void check_works(const World& world) {
  const Segment segment = Segment::open_or_create(world.name, world.options);
  BOOST_TEST(inspect(segment).participants.empty(), "a slot is left");
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
                .delivered = {},
                .things = {}};
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
        BOOST_TEST(world.status == Status::ok, to_string(world.status));
      } else if (!problem.empty()) {
        BOOST_TEST(!problem.starts_with("untrue"), problem);
        BOOST_TEST(names_cause(problem, fault.error), "it says: " << problem);
        const bool exists = std::filesystem::exists("/dev/shm/sapbuf." + world.name.str());
        BOOST_TEST(!(operation.makes_segment && exists), "something is left under the name");
      }
      check_stream(world);
      use_again(operation, world);
      check_stream(world);
      world.things.leave();
      world.idler.reset();
      world.writer.reset();
      world.reader.reset();
      world.segment.reset();
      check_works(world);
      BOOST_TEST(operation.judge(Segment::open(world.name)) == "");
      BOOST_TEST(!is_any_byte_locked(world.name.str()), "a lock is left");
    }
  }
  BOOST_TEST_CONTEXT(describe(fault)) {
    const std::string left = Holdings::now().beyond(before);
    BOOST_TEST(left.empty(), "left: " << left);
  }
  return calls;
}

// Where a file of /proc is read, each of its lines asks for memory in the same way. Of so long a row the first and the
// last requests are tried, and some in between.
bool is_one_of_many(const std::vector<Call>& calls, std::size_t at) {
  constexpr std::size_t kNear = 8;
  constexpr std::size_t kStep = 16;
  const auto alike = [&](std::size_t other) { return calls[other] == Call::allocate; };
  if (!alike(at)) return false;
  std::size_t begin = at;
  while (begin > 0 && alike(begin - 1)) --begin;
  std::size_t end = at;
  while (end < calls.size() && alike(end)) ++end;
  return at - begin >= kNear && end - at > kNear && (at - begin) % kStep != 0;
}

}  // namespace

void let_each_call_fail_once(const Operation& operation) {
  experiment(operation, {});  // what is made once in a process's life is made now
  const std::vector<Call> calls = experiment(operation, {});
  std::size_t tried = 0;
  for (std::size_t nth = 1; nth <= calls.size(); ++nth) {
    if (is_one_of_many(calls, nth - 1)) continue;
    for (const int error : errors_of(calls[nth - 1])) {
      experiment(operation, {.nth = nth, .call = calls[nth - 1], .error = error});
      ++tried;
    }
  }
  BOOST_TEST_MESSAGE(operation.name << ": " << calls.size() << " calls, " << tried << " faults");
}

void let_each_kind_of_call_fail_for_good(const Operation& operation) {
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

}  // namespace sapbuf::test
