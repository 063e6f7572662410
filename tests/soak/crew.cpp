#include "soak/crew.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "soak/clock.hpp"

namespace sapbuf::soak {
namespace {

constexpr std::size_t kStoppedAtOnce = 2;

}  // namespace

Diary& Crew::diary(Role role, std::uint32_t id) const {
  if (role == Role::writer) return scene_.board.producers[id];
  return scene_.board.readers[id];
}

std::uint32_t Crew::take_id(Role role) {
  std::uint32_t& next = role == Role::writer ? next_producer_ : next_reader_;
  return next < (role == Role::writer ? kProducers : kReaders) ? next++ : 0;
}

bool Crew::start(Role role, bool steady, bool from_the_beginning) {
  const std::uint32_t id = take_id(role);
  if (id == 0) return false;
  if (role == Role::reader) {
    scene_.board.readers[id].from_the_beginning = from_the_beginning;
    scene_.board.readers[id].newest = !from_the_beginning && dice_.one_in(2);
  }
  Process process{[this, role, id] { role == Role::writer ? produce(scene_, id) : read(scene_, id); }};
  const pid_t pid = process.pid();
  members_.push_back({.role = role, .ids = {id}, .process = std::move(process), .pid = pid, .steady = steady});
  return true;
}

bool Crew::all_attached() const {
  return std::all_of(members_.begin(), members_.end(), [&](const Member& member) {
    return diary(member.role, member.ids.back()).phase.load() == Phase::attached;
  });
}

Crew::Member* Crew::somebody(bool steady_too, Role role) {
  std::vector<Member*> candidates;
  for (Member& member : members_) {
    const bool fits = (role == Role::none || member.role == role) && (steady_too || !member.steady);
    if (fits && member.killed_ns == 0) candidates.push_back(&member);
  }
  return candidates.empty() ? nullptr : candidates[dice_.below(candidates.size())];
}

// The times are taken first: nothing that follows from the death can seem to come before it.
void Crew::kill(Member& member) {
  member.killed_ns = now_ns();
  member.killed_wall_ns = wall_ns();
  member.process.send(SIGKILL);
  ++(member.role == Role::writer ? result_.producer_kills : result_.reader_kills);
}

void Crew::kill_one(Role role) {
  if (Member* const member = somebody(false, role)) kill(*member);
}

void Crew::kill_newborn() {
  if (!start(Role::writer, false)) return;
  members_.back().beyond_plan = true;
  ::usleep(static_cast<unsigned>(dice_.below(3000)));
  kill(members_.back());
}

void Crew::send_one_away() {
  Member* const member = somebody(false, Role::none);
  if (member == nullptr || member->retiring) return;
  Diary& now = diary(member->role, member->ids.back());
  if (dice_.one_in(2)) {
    if (const std::uint32_t id = take_id(member->role)) {
      if (member->role == Role::reader) scene_.board.readers[id].newest = dice_.one_in(2);
      now.successor.store(id);
      member->ids.push_back(id);
      ++result_.restarts;
    }
  }
  member->retiring = now.successor.load() == 0;
  now.retire.store(true);
  ++result_.departures;
}

void Crew::stop_one() {
  const auto is_stopped = [](const Member& member) { return member.stopped_ns != 0; };
  if (std::count_if(members_.begin(), members_.end(), is_stopped) >= static_cast<std::ptrdiff_t>(kStoppedAtOnce))
    return;
  Member* const member = somebody(true, Role::none);
  if (member == nullptr || member->stopped_ns != 0) return;
  member->stopped_ns = now_ns();
  member->continue_ns = member->stopped_ns + dice_.between(1, 100) * kMillisecond;
  member->process.send(SIGSTOP);
  ++result_.stops;
}

void Crew::resume(Member& member) {
  member.process.send(SIGCONT);
  note_stop(member);
}

void Crew::note_stop(Member& member) {
  if (member.stopped_ns != 0) result_.stopped.push_back({member.stopped_ns, now_ns() + kStopGraceNs});
  member.stopped_ns = 0;
}

void Crew::continue_due() {
  const std::uint64_t now = now_ns();
  for (Member& member : members_) {
    if (member.stopped_ns != 0 && member.continue_ns <= now) resume(member);
  }
}

void Crew::continue_all() {
  for (Member& member : members_) {
    if (member.stopped_ns != 0) resume(member);
  }
}

void Crew::freeze() const {
  for (const Member& member : members_) member.process.send(SIGSTOP);
}

// Also of who is killed: the signal may come behind a complaint, or a crash.
void Crew::judge_end(const Member& member, int status) {
  const bool ended_well = status == 0 || (member.killed_ns != 0 && status == -SIGKILL);
  const auto troubled = std::find_if(member.ids.begin(), member.ids.end(),
                                     [&](std::uint32_t id) { return diary(member.role, id).troubled.load(); });
  const bool complained = troubled != member.ids.end();
  if (ended_well && !complained) return;
  const std::uint32_t id = complained ? *troubled : member.ids.back();
  result_.violations.push_back(fmt::format("{} ended with status {}: {}",
                                           member.role == Role::writer ? producer_name(id) : reader_name(id), status,
                                           complained ? diary(member.role, id).trouble.data() : "no reason given"));
}

void Crew::note_end(Member& member, int status) {
  note_stop(member);
  const bool was_killed = member.killed_ns != 0;
  judge_end(member, status);
  for (const std::uint32_t id : member.ids) {
    const Phase phase = diary(member.role, id).phase.load();
    if (was_killed && phase != Phase::absent && phase != Phase::left) {
      kills_.push_back({member.role, id, member.pid, member.killed_ns, member.killed_wall_ns, phase});
    }
  }
  if (member.beyond_plan) return;
  const std::uint64_t pause = dice_.one_in(2) ? 0 : dice_.below(50) * kMillisecond;
  vacancies_.push_back({member.role, now_ns() + pause});
}

void Crew::reap() {
  std::erase_if(members_, [&](Member& member) {
    const auto status = member.process.reap();
    if (status) note_end(member, *status);
    return status.has_value();
  });
}

void Crew::fill_vacancies() {
  const std::uint64_t now = now_ns();
  const std::size_t before = vacancies_.size();
  std::erase_if(vacancies_, [&](const Vacancy& vacancy) {
    if (vacancy.due_ns > now) return false;
    start(vacancy.role, false);
    return true;
  });
  result_.restarts += before - vacancies_.size();
}

bool Crew::await_end(Role role) {
  const auto is_one = [&](const Member& member) { return member.role == role; };
  for (const std::uint64_t until = now_ns() + kPatience; now_ns() < until; ::usleep(500)) {
    reap();
    if (std::none_of(members_.begin(), members_.end(), is_one)) return true;
  }
  for (const Member& member : members_) {
    if (!is_one(member)) continue;
    result_.violations.push_back(
        fmt::format("{}-{} (pid {}) does not come to its end", to_string(role), member.ids.back(), member.pid));
  }
  return false;
}

}  // namespace sapbuf::soak
