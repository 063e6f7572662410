#include "soak/side_crew.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "soak/clock.hpp"

namespace sapbuf::soak {

SideCrew::SideCrew(const Plan& plan, std::uint64_t chances, RoundResult& result, std::uint64_t RoundResult::*kills,
                   Diary& diary, std::vector<Kind> kinds)
    : plan_(plan),
      seed_(mix(plan.seed ^ mix(chances))),
      result_(result),
      kills_(kills),
      diary_(diary),
      kinds_(std::move(kinds)),
      dice_(seed_) {}

void SideCrew::send_in(std::size_t kind) {
  const std::uint32_t who = next_who_++;
  const Dice dice{mix(seed_ ^ std::uint64_t{who} << 40)};
  Process process{[this, kind, who, dice] {
    try {
      kinds_[kind].live(who, dice);
    } catch (const std::exception& error) {
      diary_.complain(error.what());
      throw;
    }
  }};
  members_.push_back({.kind = kind, .process = std::move(process)});
}

void SideCrew::start() {
  for (std::size_t kind = 0; kind < kinds_.size(); ++kind) {
    for (std::size_t i = 0; i < kinds_[kind].count; ++i) send_in(kind);
  }
}

void SideCrew::event() {
  if (members_.empty()) return;
  Member& member = members_[dice_.below(members_.size())];
  if (member.killed) return;
  if (!plan_.stops || dice_.one_in(2)) {
    member.killed = true;
    member.process.send(SIGKILL);
    ++(result_.*kills_);
  } else if (member.stopped_ns == 0) {
    member.stopped_ns = now_ns();
    member.continue_ns = member.stopped_ns + dice_.between(1, 100) * kMillisecond;
    member.process.send(SIGSTOP);
    ++result_.stops;
  }
}

void SideCrew::continue_due(std::uint64_t now) {
  for (Member& member : members_) {
    if (member.stopped_ns == 0 || member.continue_ns > now) continue;
    member.process.send(SIGCONT);
    note_stop(member);
  }
}

// They recover the round's stream, too, under its lock.
void SideCrew::note_stop(Member& member) {
  if (member.stopped_ns != 0) result_.stopped.push_back({member.stopped_ns, now_ns() + kStopGraceNs});
  member.stopped_ns = 0;
}

// Also of who is killed: the signal may come behind a complaint, or a crash.
void SideCrew::judge_end(const Member& member, int status) {
  const bool ended_well = status == 0 || (member.killed && status == -SIGKILL);
  const bool troubled = diary_.troubled.load() && !trouble_told_;
  if (ended_well && !troubled) return;
  trouble_told_ |= troubled;
  result_.violations.push_back(fmt::format("{} ended with status {}: {}", kinds_[member.kind].name, status,
                                           diary_.troubled.load() ? diary_.trouble.data() : "no reason given"));
}

void SideCrew::reap(bool replace) {
  std::vector<std::size_t> gone;
  std::erase_if(members_, [&](Member& member) {
    const auto status = member.process.reap();
    if (!status) return false;
    note_stop(member);
    judge_end(member, *status);
    gone.push_back(member.kind);
    return true;
  });
  if (!replace) return;
  for (const std::size_t kind : gone) send_in(kind);
}

void SideCrew::look() {
  continue_due(now_ns());
  reap(true);
}

void SideCrew::continue_all() { continue_due(~std::uint64_t{0}); }

void SideCrew::await_end() {
  for (const std::uint64_t until = now_ns() + kPatience; !members_.empty() && now_ns() < until; ::usleep(500)) {
    reap(false);
  }
  for (const Member& member : members_) {
    result_.violations.push_back(
        fmt::format("{} (pid {}) does not come to its end", kinds_[member.kind].name, member.process.pid()));
  }
}

}  // namespace sapbuf::soak
