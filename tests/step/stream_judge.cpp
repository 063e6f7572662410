#include "step/stream_judge.hpp"

#include <algorithm>

#include "step/stream_acts.hpp"
#include "support/invariants.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kFreshMessages = 30;

// For whoever has to find out what went wrong.
std::string describe(const Snapshot& now) {
  std::string text;
  for (const SlabSnapshot& slab : now.slabs) {
    text += "\n  slab " + std::to_string(slab.index) + ": generation " + std::to_string(slab.generation) + " " +
            slab.state + ", " + std::to_string(slab.used_bytes) + " bytes, held by";
    for (const std::string& name : slab.held_by) text.append(" ").append(name);
  }
  for (const ParticipantSnapshot& one : now.participants) {
    text.append("\n  ").append(one.name).append(": ").append(to_string(one.state));
    if (one.in_operation) text += ", in operation";
  }
  return text;
}

std::string check_words(StreamWorld& world, Motion motion, const char* when) {
  const std::string problem = broken_invariant(world.segment, motion);
  return problem.empty() ? problem : std::string(when) + ": " + problem + describe(inspect(world.segment));
}

// While the bystander is stopped, others take from it what they can: nothing.
std::string beside_the_stopped(StreamWorld& world, Healer healer) {
  if (healer == Healer::recoverer) {
    recover(world.segment);
  } else {
    world.write(2, false);
  }
  if (!world.stopped_at->writes) return {};
  for (const ParticipantSnapshot& one : inspect(world.segment).participants) {
    if (one.name == "bystander") return one.state == Liveness::dead ? "a stopped participant is called dead" : "";
  }
  return "a stopped participant has lost its slot";
}

std::string let_bystander_go_on(StreamWorld& world) {
  world.bystander->resume();
  const auto has_ended = [&] {
    if (world.read_durably_before) world.successor.read(world.segment);  // or what is kept for it leaves no room
    return world.bystander->has_ended();
  };
  if (!world.audience->read_until(has_ended)) {
    return "the bystander does not come to its end" + describe(inspect(world.segment));
  }
  const bool well = world.bystander->wait() == 0;
  world.bystander.reset();
  return well ? "" : "the bystander failed";
}

// Audience and writer share this thread, so a writer that must wait for the audience comes back and lets it read.
std::string write_afresh(StreamWorld& world) {
  Writer fresh{world.segment, {.name = "fresh", .timeout = 10ms}};
  {
    const Reader another{world.segment, {.name = "another", .from = From::newest}};  // reads nothing: it must not stay
  }
  for (std::uint32_t number = 0; number < kFreshMessages; ++number) {
    const auto message = scripted({kFreshId, number});
    const auto write = [&] { return fresh.write(std::span<const std::byte>{message}) == Status::ok; };
    world.audience->read();
    if (!world.audience->read_until(write)) return "a fresh writer cannot write" + describe(inspect(world.segment));
  }
  return {};
}

// The next durable reader of the victim's name gets what no finished range gave, and nothing else. Then none is left, and
// nothing is kept for one. Where the name is the victim's own, it may never have been known.
std::string check_durable_reader(StreamWorld& world, std::span<const Departed> departed) {
  if (!world.read_durably_before) return {};
  std::uint64_t passed = *world.read_durably_before;
  for (const Departed& one : departed) passed += one.diary->passed.load();
  world.successor.read(world.segment);
  world.successor.reader.reset();
  if (!Stream::open(world.segment).remove_durable_reader(kDurableVictim.name)) return "the durable reader is gone";
  const Log& log = world.successor.log;
  if (log.torn() != 0) return "a torn message was delivered to the next durable reader";
  const std::vector<std::uint32_t> got = log.numbers_of(kPeerId);
  for (std::size_t i = 1; i < got.size(); ++i) {
    if (got[i] <= got[i - 1]) return "messages came twice or out of order to the next durable reader";
  }
  if (!got.empty() && got.front() < passed) return "the next durable reader got a message of a finished range";
  if (inspect(world.segment).options.on_full == OnFull::overwrite || !world.knows_durable_reader) return {};
  if (got.empty()) return world.peer_number <= passed + kDurableRange ? "" : "the next durable reader got nothing";
  if (got.front() > passed + kDurableRange) return "the next durable reader missed messages";
  if (got.size() != got.back() - got.front() + 1) return "the next durable reader found a gap";
  return got.back() + 1 == world.peer_number ? "" : "the next durable reader did not come to the last message";
}

std::string check_messages(StreamWorld& world, std::span<const Departed> departed) {
  Audience& audience = *world.audience;
  if (audience.torn() != 0) return "a torn message was delivered";
  for (const std::uint32_t writer :
       {kVictimId, kSecondId, kThirdId, kPeerId, kBystanderId, kFreshId, kWoundedId, kWoundedId + 1}) {
    const auto& got = audience.numbers_of(writer);
    if (std::adjacent_find(got.begin(), got.end(), std::greater_equal<>{}) != got.end()) {
      return "messages came twice or out of order, of writer " + std::to_string(writer);
    }
  }
  const OnFull on_full = inspect(world.segment).options.on_full;
  if (on_full == OnFull::overwrite) return {};
  for (const Departed& one : departed) {
    const std::size_t got = audience.numbers_of(one.id).size();
    const std::uint64_t committed = one.diary->committed.load();
    if (got < committed) return "a committed message was lost, of writer " + std::to_string(one.id);
    if (got != committed && !(one.in_operation && got == committed + one.diary->at_once.load())) {
      return "a message was delivered that was not committed, of writer " + std::to_string(one.id);
    }
  }
  if (on_full == OnFull::drop) return {};
  if (audience.numbers_of(kFreshId).size() != kFreshMessages) return "messages of a live writer were lost";
  if (world.stopped_at == nullptr || !world.stopped_at->writes) return {};
  const bool all = audience.numbers_of(kBystanderId).size() == kBystanderMessages;
  return all ? "" : "messages of the bystander were lost";
}

std::string check_ledger(StreamWorld& world) {
  const Snapshot now = inspect(world.segment);
  if (now.participants.size() != 1) return "a slot was not released" + describe(now);
  const Ledger& reader = now.participants.front().ledger;
  if (now.departed.committed == reader.delivered + reader.lost) return {};
  return "the ledger does not balance: committed " + std::to_string(now.departed.committed) + ", delivered " +
         std::to_string(reader.delivered) + ", lost " + std::to_string(reader.lost);
}

}  // namespace

std::string judge(StreamWorld& world, std::span<const Departed> departed, Healer healer) {
  std::string problem = check_words(world, Motion::stopped, "after the death");
  if (!problem.empty()) return problem;
  if (world.bystander) {
    problem = beside_the_stopped(world, healer);
    if (problem.empty()) problem = check_words(world, Motion::stopped, "beside the stopped");
    if (problem.empty()) problem = let_bystander_go_on(world);
    if (!problem.empty()) return problem;
  }
  if (healer == Healer::recoverer && !eventually([&] { return !recover(world.segment).pending; })) {
    return "recovery never ends" + describe(inspect(world.segment));
  }
  if (healer == Healer::recoverer) problem = check_words(world, Motion::none, "after the recovery");
  if (!problem.empty()) return problem;
  problem = check_durable_reader(world, departed);
  if (!problem.empty()) return problem;
  problem = write_afresh(world);
  if (!problem.empty()) return problem;
  world.write(8);
  recover(world.segment);
  world.peer->close();
  world.audience->read_all();
  problem = check_words(world, Motion::none, "in the end");
  if (problem.empty()) problem = check_messages(world, departed);
  return problem.empty() ? check_ledger(world) : problem;
}

}  // namespace sapbuf::test
