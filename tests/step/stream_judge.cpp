#include "step/stream_judge.hpp"

#include <algorithm>

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
  if (!world.audience->read_until([&] { return world.bystander->has_ended(); })) {
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
